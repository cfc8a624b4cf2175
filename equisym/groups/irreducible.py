"""Real irreducible representations of C_n, D_n, SO(2) and O(2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equisym.groups.continuous import ContinuousGroup, Group
from equisym.groups.point_group import PointGroup


@dataclass(frozen=True)
class Irrep:
    """One real irreducible representation, of size 1 or 2.

    At frequency k a rotation by an angle t acts as the rotation by k t; the reflection s of the group acts as
    diag(1, -1). Where k t is always a multiple of pi (k = 0, and k = n/2) the representation has size 1: cos(k t), and
    s is +1, or -1 if ``odd``.

    Args:
        group: C_n, D_n, SO(2) or O(2).
        frequency: k, from 0 to n/2 (without bound for SO(2) and O(2)).
        odd: for representations of size 1 of groups with mirrors: whether the flip changes the sign.

    Raises:
        ValueError: if the group has no such representation.

    >>> from equisym.groups import D
    >>> [(i.frequency, i.odd, i.size) for i in irreps(D(4))]
    [(0, False, 1), (0, True, 1), (1, False, 2), (2, False, 1), (2, True, 1)]
    """

    group: Group
    frequency: int
    odd: bool = False

    def __post_init__(self) -> None:
        k = self.frequency
        if isinstance(k, bool) or not isinstance(k, int) or k < 0:
            raise ValueError(f"frequency must be an integer of at least 0 (got {k!r}): irreps are counted from 0")
        if isinstance(self.group, PointGroup) and 2 * k > self.group.n:
            raise ValueError(
                f"frequency must be at most {self.group.n // 2} for {self.group} (got {k}): higher ones repeat these"
            )
        if self.odd and not (self.group.mirrors and self.size == 1):
            raise ValueError(
                f"odd needs a group with mirrors and a representation of size 1 (got {self.group}, frequency {k}): "
                "leave odd=False"
            )

    def __str__(self) -> str:
        return f"irrep({self.group!r}, {self.frequency}{', odd=True' if self.odd else ''})"

    @property
    def size(self) -> int:
        """Dimension: 1 or 2."""
        n = self.group.n if isinstance(self.group, PointGroup) else 0
        return 1 if self.frequency == 0 or 2 * self.frequency == n else 2

    @property
    def endomorphisms(self) -> NDArray[np.float64]:
        """Orthogonal basis of the matrices that commute with it, shape (1 or 2, size, size), the identity first."""
        eye = np.eye(self.size)
        if self.size == 2 and not self.group.mirrors:
            return np.stack([eye, [[0.0, -1.0], [1.0, 0.0]]])
        return eye[None]

    def at(self, angle: float, flip: bool = False) -> NDArray[np.float64]:
        """Matrix of the rotation by ``angle`` (after the left-right flip, if ``flip``), shape (size, size)."""
        axis = self.group.axis if flip and isinstance(self.group, PointGroup) else 0.0
        turn = self.frequency * (angle - math.radians(2 * axis))
        if self.size == 1:
            return np.array([[float(round(math.cos(turn))) * (-1.0 if flip and self.odd else 1.0)]])
        cos, sin = math.cos(turn), math.sin(turn)
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, -1.0 if flip else 1.0])


def irreps(group: Group, max_frequency: int | None = None) -> tuple[Irrep, ...]:
    """The irreducible representations of a group by rising frequency.

    Args:
        group: C_n, D_n, SO(2) or O(2).
        max_frequency: highest frequency; None means all of a finite group's.

    Raises:
        ValueError: if the group is continuous and no highest frequency is given.
    """
    if isinstance(group, ContinuousGroup):
        if max_frequency is None:
            raise ValueError(f"{group} has infinitely many irreps: give max_frequency")
        top, n = max_frequency, 0
    else:
        n = group.n
        top = n // 2 if max_frequency is None else min(n // 2, max_frequency)
    found = []
    for k in range(top + 1):
        found.append(Irrep(group, k))
        if group.mirrors and found[-1].size == 1:
            found.append(Irrep(group, k, odd=True))
    return tuple(found)
