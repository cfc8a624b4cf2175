"""The continuous point groups of the plane: all rotations SO(2), and all rotations with mirrors O(2)."""

from __future__ import annotations

from dataclasses import dataclass

from equisym.groups.point_group import PointGroup


@dataclass(frozen=True)
class ContinuousGroup:
    """SO(2) or O(2), as a value; use the constants ``SO2`` and ``O2``.

    Its elements are not numbered: take a finite subgroup with :meth:`finite` to apply single elements.

    Args:
        mirrors: whether the left-right flip belongs to the group.

    >>> SO2, O2, O2.finite(8)
    (SO2, O2, D(8))
    """

    mirrors: bool = False

    def __str__(self) -> str:
        return "O2" if self.mirrors else "SO2"

    __repr__ = __str__

    @property
    def exact_on_grid(self) -> bool:
        """Always false: most rotations do not map the pixel grid to itself."""
        return False

    def finite(self, n: int) -> PointGroup:
        """Its subgroup with n rotations: C_n of SO(2), D_n of O(2)."""
        return PointGroup(n, mirrors=self.mirrors)

    def contains(self, other: Group) -> bool:
        """Whether every element of ``other``, finite or continuous, belongs to this group."""
        return self.mirrors or not other.mirrors


SO2 = ContinuousGroup()
"""All rotations."""
O2 = ContinuousGroup(mirrors=True)
"""All rotations and reflections."""

Group = PointGroup | ContinuousGroup
"""A point group: C_n, D_n, SO(2) or O(2)."""


def is_subgroup(inner: Group, outer: Group) -> bool:
    """Whether every element of ``inner`` is an element of ``outer``, with the same flip.

    >>> from equisym.groups import C, D
    >>> is_subgroup(C(4), D(8)), is_subgroup(D(3), O2), is_subgroup(SO2, D(8)), is_subgroup(D(2), C(4))
    (True, True, False, False)
    """
    if isinstance(outer, ContinuousGroup):
        return outer.contains(inner)
    return isinstance(inner, PointGroup) and inner.is_subgroup_of(outer)
