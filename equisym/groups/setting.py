"""Settings: all orientations and choices of axes of a wallpaper group in a reduced primitive basis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from equisym.groups.lattice import finite_order_matrices, strain_to
from equisym.groups.operation import Matrix, Operation, matrix_product
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
    def linear(self) -> NDArray[np.float64]:
        """Linear parts of the operations, (n, 2, 2)."""
        return np.array(self.matrices, dtype=float)

    @cached_property
    def translations(self) -> NDArray[np.float64]:
        """Translations of the operations, (n, 2)."""
        return np.array([op.translation for op in self.operations])

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the operations other than the identity, grouped into those that imply one another.

        Conjugate operations and inverses hold together; rotations come first, by rising order.
        """
        found: dict[frozenset[Matrix], list[int]] = {}
        for i, op in enumerate(self.operations[1:], 1):
            related = frozenset(_linear_part(m, g) for g in self.matrices for m in (op.W, op.inverse().W))
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
    entries = product(range(-2, 3), repeat=4)
    frames = [((a, b), (c, d)) for a, b, c, d in entries if a * d - b * c in (1, -1)]
    frames.sort(key=lambda m: (sum(abs(k) for row in m for k in row), m != ((1, 0), (0, 1))))
    found: dict[tuple, Setting] = {}
    for group in WALLPAPER_GROUPS:
        for frame in frames:
            matrices = [_linear_part(op.W, frame) for op in group.primitive_operations]
            if not small.issuperset(matrices):
                continue
            pairs = list(zip(group.primitive_operations, matrices, strict=True))
            lines = {W: _line_type(_transform(op, W, frame)) for op, W in pairs if op.determinant < 0}
            key = (group.name, frozenset(matrices), frozenset(lines.items()))
            if key not in found:
                found[key] = Setting(group, tuple(_transform(op, W, frame) for op, W in pairs), frame)
    return tuple(found.values())


def _linear_part(W: Matrix, frame: Matrix) -> Matrix:
    """A matrix in the basis whose standard axes are the columns of ``frame``."""
    (a, b), (c, d) = frame
    det = a * d - b * c
    return matrix_product(matrix_product(frame, W), ((d * det, -b * det), (-c * det, a * det)))


def _transform(op: Operation, W: Matrix, frame: Matrix) -> Operation:
    """The operation in the basis whose standard axes are the columns of ``frame``; ``W`` is its linear part there."""
    (a, b), (c, d) = frame
    u, v = op.w
    return Operation(W, (a * u + b * v, c * u + d * v))
