"""The correlations of a field with itself under a group: their classes, and their forms as sums of squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equisym.groups import PointGroup


def correlation_classes(group: PointGroup) -> tuple[tuple[int, ...], ...]:
    """Sets of elements that are conjugate to each other or to each other's inverses, but for the identity."""
    table, inverse = group.product_table, group.inverse_table
    found: list[tuple[int, ...]] = []
    for h in range(1, group.order):
        if not any(h in members for members in found):
            conjugates = {int(table[table[inverse[k], h], k]) for k in range(group.order)}
            found.append(tuple(sorted(conjugates | {int(inverse[g]) for g in conjugates})))
    return tuple(found)


class Measured(NamedTuple):
    """Where the elements of a group that are measured move a field, flat, as the GPU kernels take it.

    Attributes:
        moved: where each h g lies, for each measured element h, the identity first, and each g.
        back: where each h^-1 g lies.
        starts: the measured elements of class k are those from ``1 + starts[k]`` to ``starts[k + 1]``.
        order: elements of the group.
    """

    moved: tuple[int, ...]
    back: tuple[int, ...]
    starts: tuple[int, ...]
    order: int

    @classmethod
    def of(cls, group: PointGroup, elements: Sequence[int], starts: tuple[int, ...]) -> Measured:
        """The tables of these elements behind the identity."""
        table = group.product_table
        rows = np.array([0, *elements])
        moved, back = table[rows], table[group.inverse_table[rows]]
        return cls(tuple(moved.ravel().tolist()), tuple(back.ravel().tolist()), starts, group.order)


def sums_of_squares(group: PointGroup, elements: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear forms of a field and weights such that c(h) is the weighted sum of the forms' squares.

    Fourier transforms over the rotations, of a_i = d(r^i) and b_i = d(r^i s): the c of rotations are sums of power
    spectra, those of reflections products of two spectra, and a product is a difference of two squares.

    Args:
        group: the point group.
        elements: the h.

    Returns:
        Arrays (forms, order) and (elements, forms).
    """
    n, order = group.n, group.order
    k, mirror = np.array(elements) % n, np.array(elements) >= n
    forms: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []

    def add(form: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        forms.append(form)
        weights.append(weight)

    def pair(p: NDArray[np.float64], q: NDArray[np.float64], power: NDArray, product: NDArray) -> None:
        """(p.a + q.b)^2 and (p.a - q.b)^2, for power (p.a)^2 + power (q.b)^2 + product (p.a) (q.b)."""
        add(np.concatenate([p, q]), power / 2 + product / 4)
        add(np.concatenate([p, -q]), power / 2 - product / 4)

    if group.mirrors:
        add(np.repeat([1.0, -1.0], n) / math.sqrt(order), np.where(mirror, -1.0, 1.0))
    if n % 2 == 0:
        signs = np.asarray((-1.0) ** np.arange(n) / math.sqrt(n), np.float64)
        if group.mirrors:
            pair(signs, signs, np.where(mirror, 0.0, (-1.0) ** k), np.where(mirror, 2 * (-1.0) ** k, 0.0))
        else:
            add(signs, (-1.0) ** k)
    for m in range(1, (n - 1) // 2 + 1):
        angles = 2 * math.pi * m * np.arange(n) / n
        cos, sin = (math.sqrt(2 / n) * f(angles) for f in (np.cos, np.sin))
        c, s = np.cos(2 * math.pi * m * k / n), np.sin(2 * math.pi * m * k / n)
        if not group.mirrors:
            add(cos, c)
            add(sin, c)
            continue
        power = np.where(mirror, 0.0, c)
        pair(cos, cos, power, np.where(mirror, 2 * c, 0.0))
        pair(sin, sin, power, np.where(mirror, -2 * c, 0.0))
        for p, q in ((cos, sin), (sin, cos)):
            pair(p, q, 0 * power, np.where(mirror, 2 * s, 0.0))
    return np.array(forms), np.array(weights).T
