"""Superstructures whose waves are each too weak to be a peak."""

import re

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from equisym import SymmetryClassifier
from equisym.crystal.cell_average import tile
from equisym.crystal.weak_superstructure import find_weak_superstructure

BASIS = np.array([[19.3, 4.1], [-2.7, 16.2]])


def textured(basis, shape, seed, smooth=6.0):
    """A picture that repeats with a lattice, of variance 1, whose cell is full of detail."""
    cell = gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), smooth, mode="wrap")
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = tile(cell, basis, x, y)
    return torch.from_numpy((picture - picture.mean()) / picture.std())


def between(matrix, share, shape=(230, 260), seed=3, noise=0.0):
    """Many waves of a superlattice, all between those of the lattice, as a part of a picture's variance; and noise."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    first = np.linalg.inv(BASIS @ matrix)[0]
    own = textured(BASIS, shape, seed) * torch.from_numpy(np.cos(2 * np.pi * (first[0] * x + first[1] * y))).float()
    return own / own.std() * share**0.5 + noise * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("share", "noise"), [(0.012, 0.0), (0.02, 0.4), (0.05, 0.7)])
@pytest.mark.parametrize(
    ("matrix", "period"),
    [
        (np.array([[2.0, 0.0], [0.0, 1.0]]), "2 x 1"),
        (np.array([[3.0, 0.0], [0.0, 1.0]]), "3 x 1"),
        (np.array([[2.0, 1.0], [0.0, 1.0]]), "c(2 x 2)"),
    ],
)
def test_many_weak_waves_together_are_a_superstructure(matrix, period, share, noise):
    left = between(matrix, share, noise=noise)
    found = find_weak_superstructure(left, BASIS, 1 - float(left.var()) / (1 + noise**2))
    assert found is not None
    assert abs(np.linalg.det(found.basis)) == pytest.approx(abs(np.linalg.det(BASIS @ matrix)))
    assert found.period in (period, period[::-1])
    assert found.share * (1 + noise**2) == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_none(seed):
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(190, 240, generator=g)
    blurred = torch.from_numpy(gaussian_filter(noise.numpy(), 2))
    assert find_weak_superstructure(noise, BASIS, 0.5) is None
    assert find_weak_superstructure(blurred, BASIS, 0.5) is None


def test_the_answer_notes_it():
    picture = textured(BASIS, (256, 256), 5, 9.0) + between(np.diag([2.0, 1.0]), 0.02, (256, 256))
    notes = SymmetryClassifier().predict(picture).notes
    assert any(re.match(r"a superstructure of (2 x 1|1 x 2) cells holds (1.9|2.0) %", note) for note in notes)
    plain = SymmetryClassifier().predict(textured(BASIS, (256, 256), 5, 9.0)).notes
    assert not any("superstructure" in note for note in plain)
