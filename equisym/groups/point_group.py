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
    as seen on the screen; element ``n + i`` is r^i s, where s is a reflection and acts first: the left-right flip,
    unless ``axis`` says otherwise.

    Args:
        n: order of the rotation subgroup, at least 1.
        mirrors: whether the reflection s belongs to the group (D_n) or not (C_n).
        axis: degrees from the vertical to the mirror line of s, counter-clockwise, below 180.

    Raises:
        ValueError: if ``n`` is not a positive integer, or the axis lies outside 0 .. 180 or is that of a C_n.

    >>> D(4).order, D(4).rotation_order, str(D(4))
    (8, 4, 'D4')
    >>> PointGroup.parse("C6") == C(6)
    True
    >>> D(1, axis=45).is_subgroup_of(D(4)), D(1, axis=30).is_subgroup_of(D(4))
    (True, False)
    """

    n: int
    mirrors: bool = False
    axis: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"n must be an integer of at least 1 (got {self.n!r}): give the number of rotations")
        if not 0 <= self.axis < 180 or (self.axis and not self.mirrors):
            raise ValueError(f"axis must be from 0 to below 180 degrees, and 0 without mirrors (got {self.axis})")

    def __str__(self) -> str:
        return f"{'D' if self.mirrors else 'C'}{self.n}" + (f"@{self.axis:.12g}" if self.axis else "")

    def __repr__(self) -> str:
        return f"{'D' if self.mirrors else 'C'}({self.n}{f', axis={self.axis:.12g}' if self.axis else ''})"

    @classmethod
    def parse(cls, text: str) -> PointGroup:
        """Read a group from its name, such as ``"C4"``, ``"D6"``, or ``"D1@45"`` with an axis.

        Raises:
            ValueError: if the text is not C or D followed by a positive number.
        """
        match = re.fullmatch(r"\s*([CcDd])_?\(?([1-9]\d*)\)?(?:@(\d+(?:\.\d+)?))?\s*", text)
        if match is None:
            raise ValueError(f"group must be C or D followed by a number (got {text!r}): write C4 or D4, for example")
        return cls(int(match[2]), mirrors=match[1] in "Dd", axis=float(match[3] or 0))

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
        return 4 % self.n == 0 and self.axis % 45 == 0

    def quarter_turns(self, g: int) -> float:
        """How far g turns the image, after the left-right flip if g reflects; whole if it keeps the pixel grid."""
        self._check(g)
        return 4 * (g % self.n) / self.n + (self.axis / 45 if g >= self.n else 0)

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
        angle = math.pi / 2 * self.quarter_turns(g)
        cos, sin = math.cos(angle), math.sin(angle)
        if self.exact_on_grid:
            cos, sin = float(round(cos)), float(round(sin))
        rotation = np.array([[cos, sin], [-sin, cos]])
        return rotation @ np.diag([-1.0, 1.0]) if g >= self.n else rotation

    def regular_permutation(self, g: int) -> NDArray[np.int64]:
        """The regular representation of g as a gather: ``(g f)[h] = f[perm[h]]`` with ``perm[h] = g^-1 h``."""
        return self.product_table[self.inverse(g)].copy()

    def is_subgroup_of(self, other: PointGroup) -> bool:
        """Whether every element of this group is an element of ``other``."""
        if other.n % self.n or (self.mirrors and not other.mirrors):
            return False
        return not self.mirrors or math.isclose(apart := self._apart(other), round(apart), abs_tol=1e-9)

    def elements_in(self, other: PointGroup) -> NDArray[np.int64]:
        """The elements of this group, in order, as elements of a group that contains it, shape (order,)."""
        h = np.arange(self.order)
        turns = other.n // self.n * (h % self.n) + np.where(h >= self.n, round(self._apart(other)), 0)
        return turns % other.n + other.n * (h >= self.n)

    def _apart(self, other: PointGroup) -> float:
        """The reflection s of this group as r^i s of another: the number i, whole if it is one of its elements."""
        return (self.axis - other.axis) * other.n / 180 if self.mirrors else 0

    def _check(self, g: int) -> None:
        if not 0 <= g < self.order:
            raise ValueError(f"element must lie in 0..{self.order - 1} for {self} (got {g})")


def C(n: int) -> PointGroup:  # noqa: N802 - the field's name for the group
    """The cyclic group of the n rotations by multiples of 2*pi/n."""
    return PointGroup(n)


def D(n: int, *, axis: float = 0.0) -> PointGroup:  # noqa: N802
    """The dihedral group of n rotations and n mirrors; of order 2 for n = 1, the identity and the left-right flip.

    With ``axis`` the first mirror line is turned by so many degrees from the vertical.
    """
    return PointGroup(n, mirrors=True, axis=axis)
