"""Orbits of permutations, and the wallpaper groups' permutations of a torus grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.groups.wallpaper import WallpaperGroup

Permutation = NDArray[np.int64]


def check_permutation(values: Sequence[int] | NDArray[Any], size: int, name: str) -> Permutation:
    """A permutation of 0 .. size-1 as an array: ``values[i]`` is where i goes.

    Raises:
        ValueError: naming what was wrong.
    """
    array = np.asarray(values)
    if array.shape != (size,) or not np.array_equal(np.sort(array), np.arange(size)):
        raise ValueError(f"{name} must hold each of 0..{size - 1} once (got shape {array.shape}): {array.tolist()[:8]}")
    return array.astype(np.int64)


def orbits(generators: Sequence[Permutation], size: int) -> Permutation:
    """The orbit of each point under the group that permutations generate.

    Args:
        generators: permutations of 0 .. size-1.
        size: number of points.

    Returns:
        For each point the number of its orbit; orbits are numbered by their smallest points.

    >>> orbits([np.array([1, 0, 2, 4, 3])], 5)
    array([0, 0, 1, 2, 2])
    """
    smallest = np.arange(size)
    while True:
        before = smallest.copy()
        for g in generators:
            low = np.minimum(smallest, smallest[g])
            smallest = low.copy()
            smallest[g] = np.minimum(low[g], low)
            smallest = smallest[smallest]  # follow pointers, so that long cycles close in few rounds
        if np.array_equal(before, smallest):
            return np.unique(smallest, return_inverse=True)[1]


def torus_permutations(group: WallpaperGroup, size: int, cell: int) -> list[Permutation]:
    """Generators of a wallpaper group as permutations of the pixels of a torus.

    Args:
        group: one of the 17; hexagonal groups act on pixel axes at 120 degrees.
        size: side n of the torus; pixel (row, column) is the point y = row, x = column of Z_n x Z_n.
        cell: side of the conventional cell in pixels; it must divide ``size`` and make every glide and centring whole.

    Returns:
        For each operation of the cell and each cell translation, where it takes pixel ``row * size + column``.

    Raises:
        ValueError: if the cell does not divide the torus, or a translation of the group is not whole pixels.

    >>> from equisym.groups import WALLPAPER_GROUPS
    >>> moves = torus_permutations(WALLPAPER_GROUPS["pg"], 4, 4)
    >>> moves[1].reshape(4, 4)[0]
    array([ 8, 11, 10,  9])
    """
    if cell < 1 or size % cell:
        raise ValueError(f"cell must divide the torus of side {size} (got {cell})")
    y, x = np.indices((size, size))
    found = []
    for op in group.operations:
        shift = [t * cell for t in op.w]
        if any(t.denominator != 1 for t in shift):
            raise ValueError(f"cell must be even for {group}, whose glides and centring are half cells (got {cell})")
        (a, b), (c, d) = op.W
        to_x, to_y = a * x + b * y + int(shift[0]), c * x + d * y + int(shift[1])
        found.append(((to_y % size) * size + to_x % size).ravel())
    for dx, dy in ((cell, 0), (0, cell)):
        found.append((((y + dy) % size) * size + (x + dx) % size).ravel())
    return found
