"""Orthogonal representations of C_n, D_n, SO(2) and O(2), each stored as irreps and a change of basis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equisym.groups.continuous import ContinuousGroup, Group, is_subgroup
from equisym.groups.irreducible import Irrep, irreps
from equisym.groups.point_group import PointGroup

Matrix = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Representation:
    """An orthogonal representation rho(g) = Q (irrep_1(g) + irrep_2(g) + ...) Q^T.

    Two representations are equal if they have the same group, irreps and change of basis.

    Args:
        group: C_n, D_n, SO(2) or O(2).
        irreps: its irreducible parts, in the order of the columns of Q.
        basis: Q, orthogonal, shape (size, size).
        name: text that ``repr`` shows.

    >>> from equisym.groups import C, regular
    >>> rep = regular(C(4))
    >>> rep, rep.size, [i.frequency for i in rep.irreps]
    (regular(C(4)), 4, [0, 1, 2])
    >>> rep.matrix(1).round(12) @ [1, 0, 0, 0]
    array([0., 1., 0., 0.])
    """

    group: Group
    irreps: tuple[Irrep, ...]
    basis: Matrix = field(repr=False)
    name: str

    def __post_init__(self) -> None:
        size = sum(i.size for i in self.irreps)
        if self.basis.shape != (size, size):
            raise ValueError(f"basis must have shape {(size, size)} for these irreps (got {self.basis.shape})")
        self.basis.setflags(write=False)

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Representation):
            return NotImplemented
        return (self.group, self.irreps) == (other.group, other.irreps) and np.array_equal(self.basis, other.basis)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.group, self.irreps, self.basis.tobytes()))

    @property
    def size(self) -> int:
        """Dimension."""
        return len(self.basis)

    @cached_property
    def is_permutation(self) -> bool:
        """Whether every element permutes the coordinates, so that pointwise functions are equivariant."""
        if any(i.frequency for i in self.irreps) and isinstance(self.group, ContinuousGroup):
            return False
        found = [self.at(*element) for element in generating(self.group)]
        return all(np.allclose(m, m.round(), atol=1e-9) and (m > -0.5).all() for m in found)

    @property
    def is_trivial(self) -> bool:
        """Whether every element leaves every vector unchanged."""
        return all(i.frequency == 0 and not i.odd for i in self.irreps)

    @cached_property
    def trivial_basis(self) -> Matrix:
        """Orthonormal basis of the vectors that every element leaves unchanged, shape (size, number)."""
        starts = np.cumsum([0, *(i.size for i in self.irreps)])
        kept = [s for s, i in zip(starts, self.irreps, strict=False) if i.frequency == 0 and not i.odd]
        return self.basis[:, kept]

    def at(self, angle: float, flip: bool = False) -> Matrix:
        """Matrix of the rotation by ``angle`` (after the flip, if ``flip``), shape (size, size)."""
        blocks = np.zeros((self.size, self.size))
        start = 0
        for part in self.irreps:
            stop = start + part.size
            blocks[start:stop, start:stop] = part.at(angle, flip)
            start = stop
        return self.basis @ blocks @ self.basis.T

    def matrix(self, g: int) -> Matrix:
        """Matrix of element g of a finite group, numbered as in :class:`PointGroup`, shape (size, size)."""
        if isinstance(self.group, ContinuousGroup):
            raise ValueError(
                f"elements of {self.group} are not numbered: use at(angle, flip), or restrict to C(n) or D(n)"
            )
        return self.at(*angle_and_flip(self.group, g))

    def restrict(self, subgroup: Group) -> Representation:
        """The same matrices, for the elements of a subgroup only.

        Raises:
            ValueError: if ``subgroup`` is not a subgroup of the group.
        """
        if not is_subgroup(subgroup, self.group):
            raise ValueError(f"{subgroup} is not a subgroup of {self.group}: cannot restrict {self} to it")
        if subgroup == self.group:
            return self
        return decompose(subgroup, self.at, f"{self}.restrict({subgroup!r})", max(i.frequency for i in self.irreps))

    def tensor(self, other: Representation) -> Representation:
        """The tensor product, acting on the outer products of vectors of both."""
        if other.group != self.group:
            raise ValueError(f"both representations must be of one group (got {self.group} and {other.group})")
        top = max(i.frequency for i in self.irreps) + max(i.frequency for i in other.irreps)
        name = f"{self}.tensor({other})"
        return decompose(self.group, lambda a, f: np.kron(self.at(a, f), other.at(a, f)), name, top)

    def __add__(self, other: Representation) -> Representation:
        return direct_sum([self, other])


def angle_and_flip(group: PointGroup, g: int) -> tuple[float, bool]:
    """Element g as a rotation angle and whether the left-right flip acts before it."""
    return math.pi / 2 * group.quarter_turns(g), g >= group.n


def generators(group: PointGroup) -> tuple[int, ...]:
    """Elements that generate the group: the smallest rotation, and the flip if there is one."""
    return ((1,) if group.n > 1 else (0,)) + ((group.n,) if group.mirrors else ())


def generating(group: Group) -> list[tuple[float, bool]]:
    """Rotation angles and flips that generate the group, up to closure; those of a finite group are its generators'."""
    if isinstance(group, ContinuousGroup):
        return [(1.0, False), *([(0.0, True)] if group.mirrors else [])]
    return [angle_and_flip(group, g) for g in generators(group)]


def irrep(group: Group, frequency: int, *, odd: bool = False) -> Representation:
    """One irreducible representation; see :class:`Irrep`.

    >>> from equisym.groups import O2
    >>> irrep(O2, 1).size, irrep(O2, 0, odd=True)
    (2, irrep(O2, 0, odd=True))
    """
    part = Irrep(group, frequency, odd)
    return Representation(group, (part,), np.eye(part.size), str(part))


def trivial(group: Group) -> Representation:
    """The representation of scalars: nothing changes."""
    return Representation(group, (Irrep(group, 0),), np.eye(1), f"trivial({group!r})")


def vector(group: Group) -> Representation:
    """Vectors in the image plane, components (x right, y down): the matrices of :meth:`PointGroup.matrix`."""
    continuous = ContinuousGroup(group.mirrors)
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    name = f"vector({group!r})"
    whole = Representation(continuous, (Irrep(continuous, 1),), swap, name)
    return whole if group == continuous else decompose(group, whole.at, name, 1)


def direct_sum(representations: Sequence[Representation]) -> Representation:
    """Direct sum of representations of one group, in block-diagonal form.

    Raises:
        ValueError: if there are none, or they are of different groups.
    """
    groups = {r.group for r in representations}
    if len(groups) != 1:
        raise ValueError(f"direct_sum needs representations of one group (got {sorted(map(str, groups)) or 'none'})")
    basis = np.zeros((sum(r.size for r in representations),) * 2)
    start = 0
    for r in representations:
        basis[start : start + r.size, start : start + r.size] = r.basis
        start += r.size
    parts = tuple(part for r in representations for part in r.irreps)
    return Representation(groups.pop(), parts, basis, " + ".join(map(str, representations)))


def decompose(group: Group, at: Callable[[float, bool], Matrix], name: str, max_frequency: int) -> Representation:
    """Split an orthogonal representation, given by its matrices, into irreps.

    Args:
        group: the group that acts.
        at: matrix of the rotation by an angle (after the flip, if the second argument is true).
        name: text that ``repr`` of the result shows.
        max_frequency: highest frequency that can occur; only read for SO(2) and O(2).

    Returns:
        The same representation, with its irreps and change of basis. The basis is the same on every machine: it is
        read off the projectors onto the invariant spaces, which are unique.
    """
    if isinstance(group, ContinuousGroup):  # enough rotations to tell all frequencies up to the highest apart
        finite = decompose(group.finite(2 * max_frequency + 1), at, name, max_frequency)
        parts = tuple(Irrep(group, p.frequency, p.odd) for p in finite.irreps)
        return Representation(group, parts, finite.basis, name)
    elements = [angle_and_flip(group, g) for g in range(group.order)]
    matrices = np.stack([at(*e) for e in elements])
    size = matrices.shape[-1]
    found_parts: list[Irrep] = []
    columns: list[Matrix] = []
    for part in irreps(group):
        small = np.stack([part.at(*e) for e in elements])
        maps = np.einsum("gab,gcd->acbd", matrices, small).reshape(size * part.size, -1) / group.order
        for found in _isometries(maps, size, part):
            found_parts.append(part)
            columns.append(found)
    basis = np.concatenate(columns, axis=1)
    if basis.shape != (size, size) or not np.allclose(basis.T @ basis, np.eye(size), atol=1e-8):
        raise ValueError(f"{name} is not an orthogonal representation of {group}: check its matrices")
    return Representation(group, tuple(found_parts), basis, name)


def _isometries(projector: Matrix, size: int, part: Irrep) -> list[Matrix]:
    """Linearly independent equivariant isometries from an irrep, (size, part.size) each, out of a projector."""
    taken: list[Matrix] = []
    found: list[Matrix] = []
    for column in projector.T:
        rest = column.copy()
        for _ in range(2):  # orthogonalise twice, against rounding
            for vector_ in taken:
                rest -= (vector_ @ rest) * vector_
        norm = np.linalg.norm(rest)
        if norm < 1e-6:
            continue
        isometry = rest.reshape(size, part.size) * (math.sqrt(part.size) / norm)
        found.append(isometry)
        taken.extend((isometry @ e).ravel() / math.sqrt(part.size) for e in part.endomorphisms)
    return found
