"""Representations on the cosets of a subgroup: regular, quotient and induced ones, and their parts."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from equisym.groups.continuous import O2, SO2, Group, is_subgroup
from equisym.groups.point_group import PointGroup
from equisym.groups.representation import (
    Matrix,
    Representation,
    decompose,
    generating,
    irrep,
    trivial,
)


@lru_cache(maxsize=256)
def regular(group: PointGroup) -> Representation:
    """The group acting on functions on itself: ``(g f)(h) = f(g^-1 h)``, of size ``group.order``."""
    return _on_cosets(group, trivial(PointGroup(1)), f"regular({group!r})")


@lru_cache(maxsize=256)
def quotient(group: PointGroup, subgroup: PointGroup) -> Representation:
    """The group acting on functions on the cosets g H of a subgroup H, each coset at its first element.

    Raises:
        ValueError: if ``subgroup`` is not a subgroup.

    >>> from equisym.groups import C, D
    >>> quotient(D(4), C(4)).size, quotient(D(4), D(1)).size
    (2, 4)
    """
    if not is_subgroup(subgroup, group):
        raise ValueError(f"{subgroup} is not a subgroup of {group}: its cosets are not defined")
    return _on_cosets(group, trivial(subgroup), f"quotient({group!r}, {subgroup!r})")


@lru_cache(maxsize=256)
def induced(group: Group, inner: Representation) -> Representation:
    r"""The group acting on vectors at the cosets g H of a subgroup H, which has a representation of its own on each.

    .. math:: (g f)(t_{c'}) = \rho(h)\, f(t_c) \quad\text{where } g\, t_c = t_{c'}\, h

    t_c is the first element of coset c. The parts of a field, one vector of ``inner.size`` for each coset, are permuted
    and turned; :func:`regular` and :func:`quotient` are the cases of scalars.

    Args:
        group: the group of the result.
        inner: rho, a representation of the subgroup H; of SO(2) if the group is O(2).

    Raises:
        ValueError: if H is not a subgroup, or has infinitely many cosets.

    >>> from equisym.groups import C, D, irrep
    >>> induced(D(4), irrep(C(4), 1))
    induced(D(4), irrep(C(4), 1))
    >>> induced(O2, irrep(SO2, 3)).irreps
    (Irrep(group=O2, frequency=3, odd=False), Irrep(group=O2, frequency=3, odd=False))
    """
    if not is_subgroup(inner.group, group):
        raise ValueError(f"{inner.group} is not a subgroup of {group}: nothing can be induced")
    name = f"induced({group!r}, {inner})"
    if isinstance(group, PointGroup):
        return _on_cosets(group, inner, name)
    if inner.group != SO2 or group != O2:
        raise ValueError(f"{inner.group} has too many cosets in {group}: induce from SO2 to O2, or to a finite group")

    def at(angle: float, flip: bool) -> Matrix:
        there, back = inner.at(angle), inner.at(-angle)
        blocks = np.zeros((2, inner.size, 2, inner.size))
        blocks[0, :, int(flip)], blocks[1, :, 1 - int(flip)] = there, back
        return blocks.reshape(2 * inner.size, -1)

    return decompose(group, at, name, max(i.frequency for i in inner.irreps))


@lru_cache(maxsize=256)
def on_parts(representation: Representation, size: int) -> Representation:
    """How a group permutes the parts of a vector, each of ``size`` consecutive components, as of an induced one.

    Raises:
        ValueError: if the group mixes the parts.

    >>> from equisym.groups import C, D, irrep
    >>> on_parts(induced(D(4), irrep(C(4), 1)), 2) == quotient(D(4), C(4))
    True
    """
    group = representation.group
    count, rest = divmod(representation.size, size)
    found = [representation.at(*element) for element in generating(group)]
    if rest or any(not _keeps_parts(matrix, count, size) for matrix in found):
        raise ValueError(f"{representation} does not permute parts of {size} components: give the size of its parts")
    if count == 1:
        return trivial(group)

    def at(angle: float, flip: bool) -> Matrix:
        blocks = representation.at(angle, flip).reshape(count, size, count, size)
        return np.sqrt((blocks**2).sum((1, 3)) / size).round()

    return decompose(group, at, f"on_parts({representation}, {size})", 0)


def recognised(representation: Representation) -> Representation:
    """The trivial, an irreducible or the regular representation itself where one with the same matrices is given."""
    group, parts = representation.group, representation.irreps
    if len(parts) == 1:
        known = trivial(group) if representation.is_trivial else irrep(group, parts[0].frequency, odd=parts[0].odd)
    elif isinstance(group, PointGroup) and representation.size == group.order:
        known = regular(group)
    else:
        return representation
    same = all(np.allclose(known.at(*e), representation.at(*e), atol=1e-5) for e in generating(group))
    return known if same else representation


def _keeps_parts(matrix: Matrix, count: int, size: int) -> bool:
    blocks = (matrix.reshape(count, size, count, size) ** 2).sum((1, 3)) > 1e-9
    return bool((blocks.sum(0) == 1).all() and (blocks.sum(1) == 1).all())


def _on_cosets(group: PointGroup, inner: Representation, name: str) -> Representation:
    assert isinstance(inner.group, PointGroup)
    members = inner.group.elements_in(group)
    coset = group.product_table[:, members].min(axis=1)  # each coset by its first element
    first = np.unique(coset)
    place = np.searchsorted(first, coset)
    number = {int(g): h for h, g in enumerate(members)}

    def at(angle: float, flip: bool) -> Matrix:
        axis = math.radians(2 * group.axis) if flip else 0.0
        g = round((angle - axis) * group.n / (2 * math.pi)) % group.n + (group.n if flip else 0)
        blocks = np.zeros((len(first), inner.size, len(first), inner.size))
        for c, t in enumerate(first):
            moved = group.product(g, int(t))
            to = int(place[moved])
            h = number[group.product(group.inverse(int(first[to])), moved)]
            blocks[to, :, c] = inner.matrix(h)
        return blocks.reshape(len(first) * inner.size, -1)

    return decompose(group, at, name, group.n)
