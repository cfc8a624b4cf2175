"""Lattices of the plane: reduced bases, and the finite-order integer matrices that may act on them."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from equisym.groups.operation import Matrix


@lru_cache
def finite_order_matrices(largest: int = 1) -> tuple[Matrix, ...]:
    """All 2x2 integer matrices of finite order with entries up to ``largest``, the identity first.

    On a reduced basis every isometry of a lattice has entries -1, 0 or 1.

    >>> len(finite_order_matrices())  # 12 rotations and 12 reflections
    24
    """
    found: list[Matrix] = []
    for a, b, c, d in product(range(-largest, largest + 1), repeat=4):
        m = np.array([[a, b], [c, d]])
        if abs(a * d - b * c) == 1 and np.array_equal(np.linalg.matrix_power(m, 12), np.eye(2)):
            found.append(((a, b), (c, d)))
    return tuple(sorted(found, key=lambda m: m != ((1, 0), (0, 1))))


def reduce_basis(basis: NDArray[np.floating]) -> NDArray[np.float64]:
    """The shortest basis of a lattice, after Gauss: the two shortest vectors, at an angle of 90 to 120 degrees.

    Args:
        basis: columns a and b, shape (2, 2); any basis of the lattice.

    Returns:
        The reduced basis, with positive determinant. Either column may be the shorter one.

    Raises:
        ValueError: if the two vectors are parallel.

    >>> reduce_basis(np.array([[3.0, 7.0], [0.0, 2.0]]))
    array([[ 2.,  1.],
           [-2.,  2.]])
    """
    # plain Python numbers: for so few, numpy is ten times slower
    (ax, bx), (ay, by) = np.asarray(basis, dtype=float).tolist()
    if abs(ax * by - ay * bx) < 1e-12 * (ax * ax + ay * ay + bx * bx + by * by):
        raise ValueError(f"basis must have two independent columns (got {basis!r}): give two lattice vectors")
    while True:
        aa, bb = ax * ax + ay * ay, bx * bx + by * by
        if aa > bb:
            ax, ay, bx, by, aa, bb = bx, by, ax, ay, bb, aa
        steps = round((ax * bx + ay * by) / aa)
        cx, cy = bx - steps * ax, by - steps * ay
        if steps == 0 or cx * cx + cy * cy >= bb * (1 - 1e-12):
            break
        bx, by = cx, cy
    if ax * bx + ay * by > 0:
        bx, by = -bx, -by
    if ax * by - ay * bx < 0:  # swap the vectors: (a, b) and (b, a) span the same lattice
        ax, ay, bx, by = bx, by, ax, ay
    return np.array([[ax, bx], [ay, by]])


_NEAR = finite_order_matrices(2)
_AS_ARRAY = np.array(_NEAR)


def near_isometries(basis: NDArray[np.floating], strain: float = 0.1) -> tuple[Matrix, ...]:
    """The finite-order integer matrices that keep the lattice's metric to within a strain.

    Complete for bases with angles from 53 to 127 degrees and side ratios up to 2: an entry of such a matrix is at most
    1.1 * 2 / sin(angle) < 2.8.

    Args:
        basis: columns a and b, shape (2, 2).
        strain: largest relative change of a length that is allowed.
    """
    metric = np.asarray(basis).T @ basis
    # for a map of determinant +-1 the two stretches s and 1/s are bounded by the trace s^2 + 1/s^2 alone
    traces = np.einsum("ij,nkj,kl,nli->n", np.linalg.inv(metric), _AS_ARRAY, metric, _AS_ARRAY)
    limit = (1 + strain) ** 2 + (1 + strain) ** -2
    return tuple(_NEAR[index] for index in np.flatnonzero(traces < limit))


def strain_to(basis: NDArray[np.floating], matrices: tuple[Matrix, ...]) -> float:
    """The strain between a lattice and the nearest one that a group of matrices keeps: zero if they are isometries.

    The metric is averaged over the group; the strain is half the difference between the greatest and the least
    logarithmic stretch that leads from the averaged to the given metric.

    >>> strain_to(np.diag([1.0, 1.1]), finite_order_matrices()[:1])
    0.0
    >>> round(strain_to(np.diag([1.0, 1.1]), (((1, 0), (0, 1)), ((0, -1), (1, 0)))), 3)
    0.048
    """
    return float(strains_to(basis, (matrices,))[0])


def strains_to(basis: NDArray[np.floating], groups: tuple[tuple[Matrix, ...], ...]) -> NDArray[np.float64]:
    """:func:`strain_to` of several groups of matrices."""
    metric = np.asarray(basis).T @ basis
    aa, ab, bb = metric[0, 0], metric[0, 1], metric[1, 1]
    xx, xy, yy = (_averagings(groups) @ (aa, ab, bb)).T
    # the squared stretches are proportional to the eigenvalues of adjugate(averaged metric) @ given metric
    p, q, r, s = yy * aa - xy * ab, yy * ab - xy * bb, xx * ab - xy * aa, xx * bb - xy * ab
    greatest = (p + s) / 2 + np.sqrt(np.maximum((p - s) ** 2 / 4 + q * r, 0.0))
    return np.abs(np.log(greatest**2 / ((aa * bb - ab * ab) * (xx * yy - xy * xy)))) / 4


@lru_cache
def _averagings(groups: tuple[tuple[Matrix, ...], ...]) -> NDArray[np.float64]:
    return np.stack([_averaging(matrices) for matrices in groups])


def _averaging(matrices: tuple[Matrix, ...]) -> NDArray[np.float64]:
    """The linear map that averages a metric (aa, ab, bb) over a group, (3, 3)."""
    rows = [
        [(a * a, 2 * a * c, c * c), (a * b, a * d + b * c, c * d), (b * b, 2 * b * d, d * d)]
        for (a, b), (c, d) in matrices
    ]
    return np.mean(rows, 0)
