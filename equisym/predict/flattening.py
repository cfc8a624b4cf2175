"""Scans of a tilted or stepped surface made flat: the plane, the offset of each line, the terraces between steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, median_filter, minimum_filter, zoom

FLATTENINGS = ("plane", "lines", "steps")
_COARSE = 96  # points along a side at which terraces are found
_WINDOW = 9  # of them, over which a terrace's height is the median


def flatten(image: NDArray[Any], how: str) -> NDArray[np.float64]:
    """Remove what a scanning probe adds to a surface.

    Args:
        image: (H, W); NaN where it is unknown, and stays so.
        how: ``"plane"`` removes the slope; ``"lines"`` also the offset of each line; ``"steps"`` also the heights of
            terraces, which must be wider than the cell.

    Raises:
        ValueError: for another word.

    >>> y, x = np.mgrid[:40, :50]
    >>> bool(np.abs(flatten(3.0 * x + 2.0 * y, "plane")).max() < 1e-9)
    True
    """
    if how not in FLATTENINGS:
        raise ValueError(f"flatten must be one of {', '.join(FLATTENINGS)} (got {how!r})")
    values = image.astype(np.float64)
    known = np.isfinite(values)
    plane = _plane(values, known)
    values = np.where(known, values, plane)
    if how == "steps":
        flat = _align_lines(_without_slope(values))
        flat = flat - _terraces(flat)
    else:
        flat = values - plane
        flat = flat - np.median(flat, axis=1, keepdims=True) if how == "lines" else flat
    return np.where(known, flat, np.nan)


def _plane(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The plane that fits the known values best."""
    y, x = np.indices(values.shape)
    design = np.stack((np.ones(values.size), y.ravel(), x.ravel()), 1)
    seen = known.ravel()
    if not seen.any():
        return np.zeros(values.shape)
    return (design @ np.linalg.lstsq(design[seen], values.ravel()[seen], rcond=None)[0]).reshape(values.shape)


def _without_slope(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Remove the slope that most parts share, which is that of the terraces, not of the steps between them."""
    y, x = np.indices(values.shape)
    slopes = [np.median(np.diff(_blocks(values, axis), axis=axis)) / max(1, values.shape[axis] // 8) for axis in (0, 1)]
    return values - slopes[0] * y - slopes[1] * x


def _blocks(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Medians over eighths of an axis."""
    step = max(1, values.shape[axis] // 8)
    count = values.shape[axis] // step
    cut = np.moveaxis(values, axis, 0)[: count * step]
    return np.moveaxis(np.median(cut.reshape(count, step, *cut.shape[1:]), axis=1), 0, axis)


def _align_lines(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without jumps between lines: a step crosses a line, and does not move all of it."""
    jumps = np.median(np.diff(values, axis=0), axis=1)
    spread = np.median(np.abs(jumps - np.median(jumps)))
    jumps = np.where(np.abs(jumps) > 4 * spread, jumps, 0)
    return values - np.concatenate(([0], np.cumsum(jumps)))[:, None]


def _terraces(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The height of the terrace at each pixel: that of the nearest in height among the terraces around it."""
    step = [max(1, n // _COARSE) for n in values.shape]
    rows, columns = (n // s for n, s in zip(values.shape, step, strict=True))
    cut = values[: rows * step[0], : columns * step[1]].reshape(rows, step[0], columns, step[1])
    levels = median_filter(np.median(cut, axis=(1, 3)), _WINDOW, mode="nearest")
    sizes = [n / m for n, m in zip(values.shape, levels.shape, strict=True)]
    low, high = (
        np.asarray(zoom(limit(levels, _WINDOW, mode="nearest"), sizes, order=0))[: values.shape[0], : values.shape[1]]
        for limit in (minimum_filter, maximum_filter)
    )
    local = np.asarray(gaussian_filter(values, max(step)))
    return np.where(np.abs(local - low) < np.abs(local - high), low, high)
