"""Cells that are nearly several smaller ones, and their names."""

import numpy as np
import pytest

from equisym.crystal.superlattice import find_pseudocell, hermite_forms, wood
from equisym.groups.lattice import reduce_basis

HEXAGONAL = np.array([[20.0, -10.0], [0.0, 10 * 3**0.5]])


def waves(matrix, beyond, reach=6):
    """Indices of a superlattice's waves, and powers of which a share is on none of the small lattice's."""
    k = np.arange(-reach, reach + 1)
    index = np.stack(np.meshgrid(k, k), -1).reshape(-1, 2)
    at = index @ np.linalg.inv(matrix)
    own = (np.abs(at - np.rint(at)) < 1e-9).all(-1) & index.any(1)
    power = np.where(own, (1 - beyond) / own.sum(), beyond / (~own & index.any(1)).sum())
    return index, power


@pytest.mark.parametrize(
    ("matrix", "name"),
    [
        ([[2, 0], [0, 1]], "2 x 1"),
        ([[3, 0], [0, 3]], "3 x 3"),
        ([[2, -1], [1, 1]], "\u221a3 x \u221a3 R30\u00b0"),
    ],
)
def test_a_superstructure_is_recognised_and_named(matrix, name):
    matrix = np.array(matrix, float)
    basis = HEXAGONAL @ matrix
    found = find_pseudocell(basis, *waves(matrix, 0.04))
    assert found.period == name
    assert found.beyond == pytest.approx(0.04)
    assert np.allclose(np.linalg.norm(found.basis, axis=0), 20)


@pytest.mark.parametrize("beyond", [0.0, 0.3])
def test_a_cell_that_is_exactly_or_hardly_several_is_no_superstructure(beyond):
    matrix = np.diag([2.0, 1.0])
    index, power = waves(matrix, beyond)
    assert find_pseudocell(HEXAGONAL @ matrix, index, power) is None


@pytest.mark.parametrize(("matrix", "named"), [([3, 3], True), ([3, 1], False), ([2, 2], True), ([2, 1], False)])
def test_the_more_copies_the_more_a_cell_may_leave(matrix, named):
    matrix = np.diag(np.array(matrix, float))
    found = find_pseudocell(HEXAGONAL @ matrix, *waves(matrix, 0.14))
    assert (found is not None) == named


def test_a_row_of_thin_cells_leaves_no_more_than_any():
    matrix = np.diag([5.0, 1.0])
    thin = np.diag([8.0, 40.0]) @ matrix
    assert find_pseudocell(thin, *waves(matrix, 0.07)).period == "5 x 1"
    assert find_pseudocell(thin, *waves(matrix, 0.14)) is None


def test_every_sublattice_of_an_index_is_tried():
    assert [len(hermite_forms(n)) for n in (1, 2, 3, 4, 6)] == [1, 3, 4, 7, 12]
    c2x2 = np.array([[1.0, 1.0], [-1.0, 1.0]])
    assert wood(reduce_basis(np.eye(2) * 9), c2x2) == "\u221a2 x \u221a2 R45\u00b0"
