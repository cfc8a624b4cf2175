"""From whatever a caller has to the grey image that is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGEST = 1024  # pixels along a side that are looked at; larger images are reduced or cut
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class View:
    """The part of an image that is looked at, at the scale at which it is looked at.

    Attributes:
        grey: (H, W) float32, mean 0 and standard deviation 1.
        mean: of the pixels before.
        spread: their standard deviation.
        scale: pixels of the image along one pixel of the view.
        corner: (x, y) of the view's first pixel in the image, its own centre.
        drift: greatest shift of a line, in pixels, that was taken off; 0 for none.
    """

    grey: Tensor
    mean: float
    spread: float
    scale: int
    corner: tuple[float, float]
    drift: float = 0.0


def as_grey(image: Any) -> NDArray[Any]:
    """A grey array (H, W) in its own type; colours become luminance, an alpha channel is dropped.

    Args:
        image: array (H, W) or (H, W, C) with 1 to 4 channels, or tensor (H, W) or (C, H, W), of any real type.

    Raises:
        ValueError: for other shapes, and for values that are no real numbers.

    >>> as_grey(np.zeros((4, 5, 3), np.uint8)).shape
    (4, 5)
    """
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = image.float() if image.dtype in (torch.bfloat16, torch.float16) else image
        shape = tuple(image.shape)
        array = image.movedim(0, -1).numpy() if image.dim() == 3 else image.numpy()
    else:
        array = np.asarray(image)
        shape = array.shape
    if array.dtype.kind not in "biuf":
        raise ValueError(f"image must hold real numbers (got dtype {array.dtype}): convert it first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 2, 3, 4)):
        raise ValueError(
            f"image must be (H, W) or (H, W, C) with at most 4 channels, as a tensor (C, H, W) (got shape {shape}): "
            "give one image; predict_batch takes several"
        )
    if array.ndim == 2:
        return array
    if array.shape[-1] < 3:
        return array[..., 0]
    return array[..., :3].astype(np.float32) @ _LUMINANCE


def refuse_pixels(grey: NDArray[Any]) -> str | None:
    """Why no lattice need be looked for in these pixels, or ``None``."""
    height, width = grey.shape
    if min(height, width) < 16:
        return f"too small: {width} x {height} pixels, where two repeats of a cell of 8 take 16"
    if grey.dtype.kind == "f":
        bad = int(grey.size - np.isfinite(grey).sum())
        if bad:
            return f"not finite: {bad} of {grey.size} pixels are NaN or infinite; fill them or cut them away"
    low, high = grey.min(), grey.max()
    if low == high or float(high) - float(low) <= 1e-6 * max(abs(float(low)), abs(float(high))):
        return f"constant: all pixels are {float(low):.6g}"
    return None


def whole(grey: NDArray[Any]) -> View:
    """The image at its own scale."""
    return _view(grey, 1, (0.0, 0.0))


def reduced(grey: NDArray[Any]) -> View:
    """The image at a scale at which it fits, each pixel the mean of a block."""
    n = -(-max(grey.shape) // LARGEST)
    height, width = (side // n for side in grey.shape)
    blocks = grey[: height * n, : width * n].reshape(height, n, width, n)
    dtype = np.float64 if grey.dtype.itemsize > 4 else np.float32
    return _view(blocks.mean((1, 3), dtype=dtype), n, ((n - 1) / 2, (n - 1) / 2))


def middle(grey: NDArray[Any]) -> View:
    """The middle of the image at its own scale."""
    y, x = (max(0, (side - LARGEST) // 2) for side in grey.shape)
    return _view(grey[y : y + LARGEST, x : x + LARGEST], 1, (float(x), float(y)))


def _view(grey: NDArray[Any], scale: int, corner: tuple[float, float]) -> View:
    values = grey.astype(np.float64)
    size = np.abs(values).max() or 1.0  # so that squares stay within range whatever the unit
    mean = (values / size).mean()
    values = values / size - mean
    spread = float(values.std()) or 1.0
    pixels = torch.from_numpy((values / spread).astype(np.float32))
    return View(pixels, float(mean * size), float(spread * size), scale, corner)
