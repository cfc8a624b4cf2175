"""Settings: all orientations and choices of axes of a wallpaper group in a reduced primitive basis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from equisym.groups.lattice import finite_order_matrices, strain_to
from equisym.groups.operation import Matrix, Operation
from equisym.groups.wallpaper import WALLPAPER_GROUPS, WallpaperGroup, _line_type


@dataclass(frozen=True)
class Setting:
    """A wallpaper group written in a primitive basis, one operation for each element of its point group.

    Attributes:
        group: the wallpaper group.
        operations: the identity first; translations are relative to the group's standard origin.
        transform: columns: the standard primitive basis in this basis.
    """

    group: WallpaperGroup
    operations: tuple[Operation, ...]
    transform: Matrix

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        """Linear parts of the operations."""
        return tuple(op.W for op in self.operations)

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the operations other than the identity, grouped into those that imply one another.

        Conjugate operations and inverses hold together; rotations come first, by rising order.
        """
        found: dict[frozenset[Matrix], list[int]] = {}
        for i, op in enumerate(self.operations[1:], 1):
            related = frozenset(
                m for g in self.operations for m in ((g @ op @ g.inverse()).W, (g @ op.inverse() @ g.inverse()).W)
            )
            found.setdefault(related, []).append(i)
        return tuple(
            sorted(
                (tuple(c) for c in found.values()),
                key=lambda c: (self.operations[c[0]].determinant < 0, self.operations[c[0]].rotation_order),
            )
        )

    def line_type(self, index: int) -> str:
        """Kind of a reflection's lines: m if all are mirrors, g if all are glides, c if both alternate."""
        return _line_type(self.operations[index])

    def strain(self, basis: NDArray[np.floating]) -> float:
        """The strain between a lattice and the nearest one that has this point group."""
        return strain_to(basis, self.matrices)


@lru_cache
def settings() -> tuple[Setting, ...]:
    """All settings of the 17 groups whose matrices have entries -1, 0 and 1, in label order.

    >>> [sum(s.group == g for s in settings()) for g in WALLPAPER_GROUPS[:4]]
    [1, 1, 2, 2]
    """
    small = set(finite_order_matrices())
    frames = [
        np.array(e).reshape(2, 2) for e in product(range(-2, 3), repeat=4) if e[0] * e[3] - e[1] * e[2] in (1, -1)
    ]
    frames.sort(key=lambda m: (np.abs(m).sum(), (m != np.eye(2)).any()))
    found: dict[tuple, Setting] = {}
    for group in WALLPAPER_GROUPS:
        for frame in frames:
            operations = tuple(_transform(op, frame) for op in group.primitive_operations)
            if any(op.W not in small for op in operations):
                continue
            lines = frozenset((op.W, _line_type(op) if op.determinant < 0 else "") for op in operations)
            key = (group.name, lines)
            if key not in found:
                rows = tuple(tuple(int(k) for k in row) for row in frame)
                found[key] = Setting(group, operations, rows)  # pyright: ignore[reportArgumentType]
    return tuple(found.values())


def _transform(op: Operation, frame: NDArray[np.int64]) -> Operation:
    """The operation in the basis whose standard axes are the columns of ``frame``."""
    a, b, c, d = (int(k) for k in frame.reshape(-1))
    det = a * d - b * c
    inverse = np.array([[d, -b], [-c, a]]) * det
    W = frame @ np.array(op.W) @ inverse
    rows = tuple(tuple(int(k) for k in row) for row in W)
    u, v = op.w
    return Operation(rows, (a * u + b * v, c * u + d * v))  # pyright: ignore[reportArgumentType]
