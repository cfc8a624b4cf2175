"""The refined lattice is right to within its own errors, with and without noise; it stays where nothing can be said."""

import numpy as np
import pytest
import torch

from equisym.crystal import estimate_lattice
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.wave_refinement import refine_to_waves

Y, X = np.mgrid[:256, :256]


def pattern(period, angle=0.2, noise=0.0, seed=0):
    x, y = X * np.cos(angle) + Y * np.sin(angle), Y * np.cos(angle) - X * np.sin(angle)
    terms = [(1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.4), (2, 0, 0.3), (0, 2, 0.3), (1, -1, 0.4)]
    image = sum(a * np.cos(2 * np.pi * (h * x + k * y) / period) for h, k, a in terms)
    return torch.from_numpy(image + noise * np.random.default_rng(seed).normal(size=image.shape)).float()


@pytest.mark.parametrize("period", [19.525, 18.7, 31.7])
def test_the_borders_of_an_image_do_not_pull(period):
    image = pattern(period)
    rough = estimate_lattice(image)
    fine = refine_to_waves(image, rough)
    lengths = np.linalg.norm(fine.basis, axis=0)
    np.testing.assert_allclose(lengths, period, rtol=2e-5)
    assert abs(np.linalg.norm(rough.basis, axis=0) - period).max() > 10 * abs(lengths - period).max()
    cosine = fine.basis[:, 0] @ fine.basis[:, 1] / lengths.prod()
    assert cosine == pytest.approx(0, abs=2e-5)


def test_errors_are_those_that_are_made():
    period, off = 19.525, []
    for seed in range(12):
        image = pattern(period, noise=1.0, seed=seed)
        fine = refine_to_waves(image, estimate_lattice(image))
        lengths = np.linalg.norm(fine.basis, axis=0)
        off += list((lengths - period) / np.linalg.norm(fine.uncertainty, axis=0))
    assert 0.3 < np.sqrt(np.mean(np.square(off))) < 2.5


def test_few_repeats_are_left_as_they_are():
    image = pattern(90.0)
    rough = estimate_lattice(image)
    assert refine_to_waves(image, rough) is rough


def test_waves_along_one_line_leave_a_lattice_as_it_is():
    x = torch.arange(160.0).expand(160, 160)
    stripes = sum((torch.cos(2 * torch.pi * n * (x * 0.91 + x.T * 0.41) / 19) for n in (1, 2, 3, 4)), torch.zeros(1))
    rough = Lattice(np.array([[17.3, 7.8], [7.8, -17.3]]), np.zeros((2, 2)), 1.0, 70.0)
    assert np.allclose(refine_to_waves(stripes, rough).basis, rough.basis)


def test_only_the_waves_within_the_mask_count():
    period = 19.525
    mask = torch.from_numpy(np.hypot(X - 110, Y - 120) < 100)
    rough = estimate_lattice(pattern(period))
    image = torch.where(mask, pattern(period), 2 * pattern(period * 1.004))
    fine = refine_to_waves(image, rough, mask)
    np.testing.assert_allclose(np.linalg.norm(fine.basis, axis=0), period, rtol=5e-4)
