"""Resample images with rectangular pixels to square ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, uniform_filter1d

PixelSize = float | tuple[float, float] | None
"""Side of a pixel in nanometres, or its height and width; ``None`` if unknown."""

SQUARE = 1e-3  # relative difference of the sides that is left as it is
_LARGEST = 4096  # pixels along a side, up to which the coarser axis is refined; beyond, the finer one is averaged
_MOST = 64.0  # ratio of the sides


def check_pixel_size(size: Any) -> tuple[float, float] | None:
    """Height and width of a pixel, from one number or two.

    Raises:
        ValueError: if it is not one or two positive lengths.

    >>> check_pixel_size(0.2), check_pixel_size((0.4, 0.2))
    ((0.2, 0.2), (0.4, 0.2))
    """
    if size is None:
        return None
    sides = tuple(float(v) for v in (size if isinstance(size, (Sequence, np.ndarray)) else (size, size)))
    if len(sides) == 1:
        sides *= 2
    if len(sides) != 2 or not all(0 < side < np.inf for side in sides):
        raise ValueError(f"pixel_size must be positive nanometres, one number or two (y, x) (got {size})")
    return sides


def square_pixels(grey: NDArray[Any], size: PixelSize) -> tuple[NDArray[Any], float | None, str | None]:
    """An image whose pixels are square, the side of one, and what was done in a sentence.

    Args:
        grey: (H, W); NaN where it is unknown, and around those places afterwards.
        size: of its pixels; two numbers are height and width.

    Raises:
        ValueError: if one side is more than 64 times the other.

    >>> image, side, note = square_pixels(np.zeros((20, 40)), (0.4, 0.2))
    >>> image.shape, side, note
    ((40, 40), 0.2, 'pixels of 0.4 x 0.2 nm (height x width) were resampled to squares of 0.2 nm: 40 x 40 of them')
    """
    sides = check_pixel_size(size)
    if sides is None:
        return grey, None, None
    y, x = sides
    if abs(y / x - 1) <= SQUARE:
        return grey, float(np.sqrt(y * x)), None
    if max(y / x, x / y) > _MOST:
        raise ValueError(f"pixel_size: {y:.4g} x {x:.4g} nm is too far from square (more than {_MOST:g} to 1)")
    fine = min(y, x)
    side = fine if max(grey.shape[0] * y, grey.shape[1] * x) / fine <= _LARGEST else max(y, x)
    image = _stretched(grey, (y / side, x / side))
    note = f"pixels of {y:.4g} x {x:.4g} nm (height x width) were resampled to squares of {side:.4g} nm: "
    return image, side, note + f"{image.shape[1]} x {image.shape[0]} of them"


def fit_shape(grey: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An image as it was analysed: resampled if its pixels were made square, otherwise unchanged."""
    if grey.shape == tuple(shape) or not all(shape):
        return grey
    found = _stretched(grey, (shape[0] / grey.shape[0], shape[1] / grey.shape[1]))
    return found[: shape[0], : shape[1]]


def _stretched(grey: NDArray[Any], factors: tuple[float, float]) -> NDArray[Any]:
    """Cubic interpolation on a grid refined by a factor along each axis, with the centres kept."""
    values = grey.astype(np.float64 if grey.dtype.itemsize > 4 else np.float32)
    known = np.isfinite(values)
    if not known.all():
        seen = _stretched(known.astype(np.float32), factors) > 0.999
        filled = _stretched(np.where(known, values, values[known].mean() if known.any() else 0), factors)
        return np.where(seen, filled, np.nan)
    for axis, factor in enumerate(factors):
        if factor < 1:
            values = uniform_filter1d(values, max(1, round(1 / factor)), axis=axis, mode="nearest")
    shape = tuple(max(1, int(n * f + 1e-6)) for n, f in zip(grey.shape, factors, strict=True))
    steps = np.array([1 / f for f in factors])
    order = 3 if min(grey.shape) > 3 else 1
    offset: Any = (steps - 1) / 2
    return affine_transform(values, steps, offset, shape, order=order, mode="nearest")
