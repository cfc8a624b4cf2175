"""The wallpaper groups' permutations of a torus grid, written out pixel by pixel: what layers are compared with."""

from __future__ import annotations

import numpy as np

from equisym.groups import WallpaperGroup
from equisym.groups.orbit import Permutation


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
