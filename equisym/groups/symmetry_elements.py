"""Symmetry elements of a wallpaper group in its cell: rotation centres, mirror lines and glide lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from equisym.groups.wallpaper import WallpaperGroup

_REACH = tuple(product(range(-3, 4), repeat=2))


@dataclass(frozen=True)
class RotationCentre:
    """A rotation centre.

    Attributes:
        position: in fractions of the conventional cell, (2,).
        order: of its highest rotation: 2, 3, 4 or 6.
    """

    position: NDArray[np.float64]
    order: int


@dataclass(frozen=True)
class ReflectionLine:
    """A mirror or glide line.

    Attributes:
        ends: where it enters and leaves the conventional cell, (2, 2).
        mirror: whether reflection alone is a symmetry; otherwise only with a glide along the line.
    """

    ends: NDArray[np.float64]
    mirror: bool


@lru_cache
def rotation_centres(group: WallpaperGroup) -> tuple[RotationCentre, ...]:
    """Rotation centres in the conventional cell and on its edges.

    >>> from equisym.groups import WALLPAPER_GROUPS
    >>> sorted(c.order for c in rotation_centres(WALLPAPER_GROUPS["p4"]))
    [2, 2, 2, 2, 4, 4, 4, 4, 4]
    """
    found: dict[tuple[float, ...], int] = {}
    for op, shift in product(group.operations, _REACH):
        if op.determinant > 0 and op.rotation_order > 1:
            centre = np.linalg.solve(np.eye(2) - op.matrix, op.translation + shift)
            if (centre > -1e-9).all() and (centre < 1 + 1e-9).all():
                key = tuple((centre.round(6) + 0.0).tolist())
                found[key] = max(found.get(key, 1), op.rotation_order)
    return tuple(RotationCentre(np.array(position), order) for position, order in sorted(found.items()))


@lru_cache
def reflection_lines(group: WallpaperGroup) -> tuple[ReflectionLine, ...]:
    """Mirror and glide lines across the conventional cell and along its edges.

    >>> from equisym.groups import WALLPAPER_GROUPS
    >>> [(line.ends[:, 0].tolist(), line.mirror) for line in reflection_lines(WALLPAPER_GROUPS["cm"])]
    [([0.0, 0.0], True), ([0.25, 0.25], False), ([0.5, 0.5], True), ([0.75, 0.75], False), ([1.0, 1.0], True)]
    """
    found: dict[tuple[float, ...], bool] = {}
    for op, shift in product(group.operations, _REACH):
        if op.determinant < 0:
            w = op.translation + shift
            glide = (op.matrix @ w + w) / 2
            direction = next(v for v in (np.eye(2) + op.matrix).T if v.any())
            ends = _across_cell((w - glide) / 2, direction)
            if ends is not None:
                key = tuple(ends.round(6).ravel().tolist())
                found[key] = found.get(key, False) or not glide.any()
    return tuple(ReflectionLine(np.array(ends).reshape(2, 2), mirror) for ends, mirror in sorted(found.items()))


def _across_cell(point: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The two ends of a line clipped to the unit square, in order; ``None`` if the line misses it."""
    low, high = -np.inf, np.inf
    for p, d in zip(point, direction, strict=True):
        if d:
            start, stop = sorted((-p / d, (1 - p) / d))
            low, high = max(low, start), min(high, stop)
        elif not -1e-9 <= p <= 1 + 1e-9:
            return None
    if high - low < 1e-6:
        return None
    ends = np.array([point + low * direction, point + high * direction]) + 0.0
    return ends[np.lexsort(ends.round(6).T[::-1])]
