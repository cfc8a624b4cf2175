"""Find what is not the specimen: lost detector lines, and the margins, axes and bars around a picture.

Both only raise a suspicion. A pattern may contain such lines: compare the results with and without them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    binary_fill_holes,
    distance_transform_edt,
    find_objects,
    label,
    maximum,
    uniform_filter,
)

from equisym.predict.preprocessing import Pixels

_FLAT = 0.05  # of the usual spread within a line: a line with less is constant
_STRAY = 3.0  # times as far from its neighbours as 95 % of the lines
_MOST_LINES = 0.1  # of all lines: if more are suspect, they belong to the pattern
_WINDOW, _PLAIN = 9, 0.35  # pixels, and of the usual contrast within them: less is none
_WIDE, _MOST_PLAIN = 0.1, 0.6  # of a side, the radius of a plain area at least; of the image, what may be plain
_GROUND, _SAME = 0.6, 0.02  # of the border has one value within so much of the range: a margin, or a part of one
_LEAST, _SOLID = 0.1, 0.9  # of the image a picture covers at least; of its own rectangle
_NEXT, _TICKS = (2, 6), 0.2  # pixels from its edge; drawn there, at most
_FRAME = 3  # pixels: the line around a picture, and what its edge has mixed


def stray_lines(image: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Pixels on rows and columns that are constant, or far from both of their neighbours; ``None`` without any.

    >>> y, x = np.indices((64, 64))
    >>> wave = np.sin(x / 2) + np.sin(y / 3)
    >>> stray_lines(wave) is None
    True
    >>> wave[20] = 7.0
    >>> np.flatnonzero(stray_lines(wave).all(1))
    array([20])
    """
    rows = _stray_rows(image)
    columns = _stray_rows((image[~rows] if rows.any() else image).T)
    if columns.any():  # one lost column of great values hides rows
        rows = _stray_rows(image[:, ~columns])
    found = rows[:, None] | columns[None, :]
    return found if found.any() else None


def plain_area(image: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Pixels of wide areas without contrast, such as a hole, a particle or a label; ``None`` without any.

    >>> y, x = np.indices((96, 96))
    >>> hole = np.hypot(x - 40, y - 50) < 25
    >>> found = plain_area(np.where(hole, 0.0, np.sin(x) + np.sin(y)))
    >>> round(float((found & hole).sum() / hole.sum()), 1), bool(found[:20].any())
    (1.0, False)
    >>> plain_area(np.sin(x) + np.sin(y)) is None
    True
    """
    mean = uniform_filter(image, _WINDOW)
    contrast = np.sqrt(np.maximum(uniform_filter(image**2, _WINDOW) - mean**2, 0.0))
    plain = contrast < _PLAIN * np.quantile(contrast, 0.75)
    parts, count = label(plain)  # pyright: ignore[reportGeneralTypeIssues]
    depth = maximum(distance_transform_edt(plain), parts, range(1, count + 1))
    wide = np.isin(parts, 1 + np.flatnonzero(np.array(depth) > _WIDE * min(image.shape)))
    found = np.asarray(binary_dilation(wide, iterations=_WINDOW), bool)  # and the edge that its window has mixed
    return found if wide.any() and found.mean() < _MOST_PLAIN else None


def _stray_rows(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    spread = image.std(1)
    flat = spread < _FLAT * np.median(spread)
    off = image[1:-1] - (image[:-2] + image[2:]) / 2
    distance = np.sqrt((off**2).mean(1))
    far = distance > _STRAY * np.quantile(distance, 0.95)
    alone = np.zeros(len(image), bool)
    # beside a stray line the neighbours are half as far off as the line itself
    for i in np.flatnonzero(far):
        alone[i + 1] = distance[i] >= distance[max(i - 1, 0) : i + 2].max()
    found = flat | alone
    return found if found.mean() <= _MOST_LINES else np.zeros_like(found)


def picture_within(pixels: Pixels) -> Pixels | None:
    """The largest solid rectangle on a ground of one grey, such as a plot on white paper or above a black data bar.

    >>> page = np.ones((1, 80, 100))
    >>> page[0, 10:70, 20:80] = np.random.default_rng(0).random((60, 60))
    >>> part = picture_within(Pixels(page))
    >>> part.corner, part.shape
    ((23, 13), (54, 54))
    """
    step = max(1, -(-max(pixels.shape) // 1024))
    channels = pixels.channels[:, ::step, ::step].astype(np.float64)
    if pixels.known is not None:
        known = pixels.known[::step, ::step]
        channels = np.where(known, channels, channels[:, known].mean(1)[:, None, None])
    border = np.concatenate((channels[:, 0], channels[:, -1], channels[:, :, 0], channels[:, :, -1]), 1)
    tolerance = _SAME * np.ptp(channels, axis=(1, 2))[:, None]
    edges = (channels[:, 0], channels[:, -1], channels[:, :, 0], channels[:, :, -1])
    grounds = [np.median(edge, axis=1, keepdims=True) for edge in edges]
    ground = max(grounds, key=lambda g: (abs(border - g) <= tolerance).all(0).sum())
    if max((abs(edge - ground) <= tolerance).all(0).mean() for edge in edges) < _GROUND:
        return None
    drawn = (abs(channels - ground[..., None]) > tolerance[..., None]).any(0)
    parts, _ = label(binary_fill_holes(drawn))  # pyright: ignore[reportGeneralTypeIssues]
    best: tuple[slice, slice] | None = None
    for index, place in enumerate(find_objects(parts), 1):
        if _area(place) < _LEAST * drawn.size:
            continue
        solid = parts[place] == index
        # ticks and letters that touch the picture stick out of it
        rows, columns = (np.flatnonzero(solid.mean(axis) > 0.5) for axis in (1, 0))
        if not len(rows) or not len(columns):
            continue
        inner = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        size = inner.size if inner.mean() >= _SOLID else 0
        if size >= _LEAST * drawn.size and (best is None or size > _area(best)):
            y, x = place[0].start, place[1].start
            best = slice(y + int(rows[0]), y + int(rows[-1]) + 1), slice(x + int(columns[0]), x + int(columns[-1]) + 1)
    if best is None or _area(best) > 0.98 * drawn.size or not _on_ground(drawn, best):
        return None
    rows, columns = (
        slice(s.start * step + _margin(s.start, step), s.stop * step - _margin(full - s.stop, step))
        for s, full in zip(best, drawn.shape, strict=True)
    )
    part = pixels.cut(rows, columns)
    return part if min(part.shape) >= 16 else None


def _on_ground(drawn: NDArray[np.bool_], place: tuple[slice, slice]) -> bool:
    """Whether what is next to a picture is the ground, but for ticks: beside a part of a pattern is more of it."""
    around = np.zeros_like(drawn)
    for reach, inside in ((_NEXT[1], True), (_NEXT[0], False)):
        around[tuple(slice(max(0, s.start - reach), s.stop + reach) for s in place)] = inside
    return not around.any() or float(drawn[around].mean()) < _TICKS


def _margin(outside: int, step: int) -> int:
    return _FRAME * step if outside else 0


def _area(place: tuple[slice, slice]) -> int:
    return (place[0].stop - place[0].start) * (place[1].stop - place[1].start)
