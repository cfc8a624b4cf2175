"""How operations act on frequencies, against cells that are turned point by point."""

import numpy as np
import pytest

from equisym.groups.lattice import finite_order_matrices
from equisym.groups.reciprocal import turned_frequencies

CELL = np.random.default_rng(0).normal(size=(7, 7))


def turned(cell, matrix):
    """f(W^-1 u) at each point u of the grid, row along b and column along a."""
    size, inverse = len(cell), np.rint(np.linalg.inv(matrix)).astype(int)
    v, u = np.mgrid[:size, :size]
    x, y = (inverse @ np.stack((u, v)).reshape(2, -1)) % size
    return cell[y, x].reshape(size, size)


@pytest.mark.parametrize("matrix", finite_order_matrices())
@pytest.mark.parametrize("size", [6, 7])
def test_a_gather_of_the_spectrum_turns_the_cell(matrix, size):
    cell = CELL[:size, :size]
    (index,) = turned_frequencies((matrix,), size)
    gathered = np.fft.fft2(cell).ravel()[index].reshape(size, size)
    assert np.fft.ifft2(gathered) == pytest.approx(turned(cell, matrix), abs=1e-12)


def test_half_of_the_frequencies_are_the_first_columns():
    matrices = finite_order_matrices()
    whole, half = turned_frequencies(matrices, 6), turned_frequencies(matrices, 6, 4)
    assert (whole.reshape(24, 6, 6)[:, :, :4].reshape(24, -1) == half).all()


def test_the_correlation_over_all_translations_is_one_transform():
    matrix, size = ((0, -1), (1, 0)), len(CELL)
    spectrum = np.fft.fft2(CELL)
    product = spectrum * spectrum.ravel()[turned_frequencies((matrix,), size)[0]].reshape(size, size).conj()
    image = turned(CELL, matrix)
    for t in ((0, 0), (1, 3), (5, 2)):
        there = (CELL * np.roll(image, t, (0, 1))).sum()
        assert np.fft.ifft2(product)[t] == pytest.approx(there, abs=1e-10)
