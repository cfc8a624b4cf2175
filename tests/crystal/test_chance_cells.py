"""Disordered lattices, of which a larger cell may seem to repeat better by chance."""

import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, find_lattice, measure
from equisym.crystal.chance_cells import cell_that_is_shown

SIDE = 320


def dots(basis, shift, seed, *, heights=None):
    """Gaussian dots on a lattice, each out of place by a normal deviate in parts of the shorter vector."""
    rng = np.random.default_rng(seed)
    steps = np.stack(np.meshgrid(np.arange(-40, 41), np.arange(-40, 41)), -1).reshape(-1, 2)
    centres = steps @ basis.T + SIDE / 2
    height = np.ones(len(steps)) if heights is None else heights(steps)
    near = ((centres > -30) & (centres < SIDE + 30)).all(1)
    centres, height = centres[near], height[near]
    centres = centres + shift * np.linalg.norm(basis, axis=0).min() * rng.normal(size=centres.shape)
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((SIDE, SIDE))
    for (cx, cy), h in zip(centres, height, strict=True):
        image += h * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18)
    return torch.from_numpy(image + 0.02 * rng.normal(size=image.shape)).float()


HEXAGONAL = 24 * np.array([[1.0, 0.5], [0.0, 3**0.5 / 2]])
SQUARE = 22 * np.array([[0.96, 0.28], [-0.28, 0.96]])


@pytest.mark.parametrize(
    ("basis", "seed"),
    [(HEXAGONAL, seed) for seed in (7, 10, 12, 24)] + [(SQUARE, seed) for seed in (5, 15, 16, 19)],
)
def test_motifs_out_of_place_keep_their_cell(basis, seed):
    image = dots(basis, 0.13, seed)
    first = find_lattice(image)  # by the autocorrelation alone: 3 to 14 cells
    assert first is not None
    assert np.linalg.det(first.basis) > 2.5 * np.linalg.det(basis)
    m = measure(image)
    assert m is not None
    assert np.linalg.det(m.lattice.basis) == pytest.approx(np.linalg.det(basis), rel=0.08)


@pytest.mark.parametrize("matrix", [[[3, -1], [1, 4]], [[2, 1], [-1, 3]], [[2, 0], [0, 1]]])
def test_the_smaller_cell_of_disorder_is_found_within_a_larger(matrix):
    image = dots(HEXAGONAL, 0.12, 3)
    basis = HEXAGONAL @ np.array(matrix, dtype=float)
    m = measure(image, Lattice(basis, np.zeros((2, 2)), 0.3, SIDE**2 / np.linalg.det(basis)))
    assert m is not None
    small = cell_that_is_shown(image, basis, m.spectrum)
    assert small is not None
    assert abs(np.linalg.det(small)) == pytest.approx(np.linalg.det(HEXAGONAL))


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_superstructure_under_the_same_noise_is_kept(share):
    """Every second row is lower."""
    image = dots(SQUARE, 0.05, 1, heights=lambda steps: 1 - share * (steps[:, 0] % 2))
    image = image + image.std() * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    m = measure(image)
    assert m is not None
    assert np.linalg.det(m.lattice.basis) == pytest.approx(2 * np.linalg.det(SQUARE), rel=0.03)
