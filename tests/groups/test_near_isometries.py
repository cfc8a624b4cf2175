"""Which matrices nearly keep a lattice, and how far from symmetric it is, on lattices stretched by a known factor."""

import math
from itertools import product

import numpy as np
import pytest

from equisym.groups.lattice import finite_order_matrices, near_isometries, strain_to

QUARTER_TURN = ((0, -1), (1, 0))


def stretched(factor, angle=0.3):
    """A square lattice, longer by a factor along a line that is no axis."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([factor, 1.0]) @ turn.T


@pytest.mark.parametrize("strain", [0.02, 0.1])
def test_a_matrix_stays_until_a_length_changes_by_more_than_the_strain(strain):
    kept = near_isometries(np.diag([1.0, 1 + 0.99 * strain]), strain)
    lost = near_isometries(np.diag([1.0, 1 + 1.01 * strain]), strain)
    assert QUARTER_TURN in kept
    assert QUARTER_TURN not in lost
    assert set(lost) == {m for m in kept if m[0][1] == 0}  # both turns and both diagonal mirrors go


def test_near_isometries_of_a_hexagonal_lattice_are_its_twelve():
    kept = near_isometries(np.array([[1.0, 0.5], [0.0, math.sqrt(3) / 2]]), 0.01)
    assert len(kept) == 12
    assert ((0, -1), (1, 1)) in kept


def test_matrices_of_finite_order_are_counted_by_brute_force():
    """Those with entries of at most two of which some power up to six is 1."""
    expected = set()
    for a, b, c, d in product(range(-2, 3), repeat=4):
        m = np.array([[a, b], [c, d]])
        if any((np.linalg.matrix_power(m, k) == np.eye(2)).all() for k in range(1, 7)):
            expected.add(((a, b), (c, d)))
    assert set(finite_order_matrices(2)) == expected


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.05, 1.3])
@pytest.mark.parametrize("lattice", [np.eye(2), np.array([[1.0, 0.5], [0.0, math.sqrt(3) / 2]])])
def test_the_strain_is_half_the_logarithm_of_the_stretch(factor, lattice):
    turn = QUARTER_TURN if lattice[0, 1] == 0 else ((0, -1), (1, 1))
    group = tuple(tuple(map(tuple, np.linalg.matrix_power(np.array(turn), k).tolist())) for k in range(12))
    assert strain_to(stretched(factor) @ lattice, group) == pytest.approx(abs(math.log(factor)) / 2, abs=1e-9)
