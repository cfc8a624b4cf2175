"""Point groups of the plane that fix the origin: the rotations C_n and the rotations with mirrors D_n."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PointGroup:
    """A finite point group of the plane, cyclic C_n or dihedral D_n.

    Elements are the integers ``0 .. order-1``. Element ``i < n`` is the rotation r^i by 2*pi*i/n, counter-clockwise
    as seen on the screen; element ``n + i`` is r^i s, where s is the left-right flip and acts first.

    Args:
        n: order of the rotation subgroup, at least 1.
        mirrors: whether the flip s belongs to the group (D_n) or not (C_n).

    Raises:
        ValueError: if ``n`` is not a positive integer.

    >>> D(4).order, D(4).rotation_order, str(D(4))
    (8, 4, 'D4')
    >>> PointGroup.parse("C6") == C(6)
    True
    """

    n: int
    mirrors: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"n must be an integer of at least 1 (got {self.n!r}): give the number of rotations")

    def __str__(self) -> str:
        return f"{'D' if self.mirrors else 'C'}{self.n}"

    def __repr__(self) -> str:
        return f"{'D' if self.mirrors else 'C'}({self.n})"

    @classmethod
    def parse(cls, text: str) -> PointGroup:
        """Read a group from its name, such as ``"C4"`` or ``"D6"``.

        Raises:
            ValueError: if the text is not C or D followed by a positive number.
        """
        match = re.fullmatch(r"\s*([CcDd])_?\(?([1-9]\d*)\)?\s*", text)
        if match is None:
            raise ValueError(f"group must be C or D followed by a number (got {text!r}): write C4 or D4, for example")
        return cls(int(match[2]), mirrors=match[1] in "Dd")

    @property
    def order(self) -> int:
        """Number of elements."""
        return self.n * (2 if self.mirrors else 1)

    @property
    def rotation_order(self) -> int:
        """Number of rotations."""
        return self.n

    @property
    def exact_on_grid(self) -> bool:
        """Whether every element maps the square pixel grid onto itself."""
        return 4 % self.n == 0

    def product(self, g: int, h: int) -> int:
        """The element g h (h acts first)."""
        self._check(g)
        self._check(h)
        i, s = g % self.n, g // self.n
        j, t = h % self.n, h // self.n
        return (i + (-j if s else j)) % self.n + self.n * (s ^ t)

    def inverse(self, g: int) -> int:
        """The element that undoes g."""
        self._check(g)
        return g if g >= self.n else -g % self.n

    @cached_property
    def product_table(self) -> NDArray[np.int64]:
        """Cayley table, shape (order, order): entry [g, h] is g h."""
        g, h = np.indices((self.order, self.order))
        i, s, j, t = g % self.n, g // self.n, h % self.n, h // self.n
        return (i + np.where(s == 1, -j, j)) % self.n + self.n * (s ^ t)

    @cached_property
    def inverse_table(self) -> NDArray[np.int64]:
        """Inverses, shape (order,)."""
        return np.array([self.inverse(g) for g in range(self.order)])

    def matrix(self, g: int) -> NDArray[np.float64]:
        """The 2x2 matrix of g on coordinates (x right, y down), which rot90 and flip follow on images."""
        self._check(g)
        angle = 2 * math.pi * (g % self.n) / self.n
        cos, sin = math.cos(angle), math.sin(angle)
        if self.exact_on_grid:
            cos, sin = float(round(cos)), float(round(sin))
        rotation = np.array([[cos, sin], [-sin, cos]])
        return rotation @ np.diag([-1.0, 1.0]) if g >= self.n else rotation

    def regular_permutation(self, g: int) -> NDArray[np.int64]:
        """The regular representation of g as a gather: ``(g f)[h] = f[perm[h]]`` with ``perm[h] = g^-1 h``."""
        return self.product_table[self.inverse(g)].copy()

    def is_subgroup_of(self, other: PointGroup) -> bool:
        """Whether every element of this group is an element of ``other``, with the same flip s."""
        return other.n % self.n == 0 and (other.mirrors or not self.mirrors)

    def _check(self, g: int) -> None:
        if not 0 <= g < self.order:
            raise ValueError(f"element must lie in 0..{self.order - 1} for {self} (got {g})")


def C(n: int) -> PointGroup:  # noqa: N802 - the field's name for the group
    """The cyclic group of the n rotations by multiples of 2*pi/n."""
    return PointGroup(n)


def D(n: int) -> PointGroup:  # noqa: N802
    """The dihedral group of n rotations and n mirrors; of order 2 for n = 1, the identity and the left-right flip."""
    return PointGroup(n, mirrors=True)
