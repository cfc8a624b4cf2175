import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, correct_drift, estimate_lattice, measure
from equisym.crystal.drift_correction import _bend, is_straight
from equisym.crystal.operations import repeats_within
from equisym.data import WallpaperDataset
from equisym.data.corruptions import unit_grid, warp


def bent(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """A slow scan whose lines drift by x and y of the half side at the first and last line."""
    u, v = unit_grid(image)
    return warp(image, u + x * v.square(), v + y * v.square())


@pytest.mark.parametrize("family", ["photo", "atom"])
def test_lattices_of_bent_scans_are_found_again(family):
    dataset = WallpaperDataset(family, 17, size=192, seed=3, repeats=(5, 8))
    before, after, shifts = [], [], []
    for i in range(17):
        image, true = bent(dataset[i][0], 0.05, -0.05)[0], dataset.pattern(i).primitive_basis
        straight, shift = correct_drift(image)
        assert straight.shape == image.shape
        for found, to in ((estimate_lattice(image), before), (estimate_lattice(straight), after)):
            index = abs(np.linalg.det(np.rint(np.linalg.solve(true, found.basis))))
            to.append((found.score, abs(index - 1) < 1e-6))
        shifts.append(shift)
    (score_before, right_before), (score, right) = np.array(before).T, np.array(after).T
    assert right.mean() > max(0.7, right_before.mean() - 0.01)
    assert np.median(score) > np.median(score_before) + 0.1
    # what a line through the drift leaves of a parabola of 4.8 pixels in x and y: two thirds, at the ends
    assert np.median(shifts) == pytest.approx(2 / 3 * np.hypot(4.8, 4.8), rel=0.35)


def test_lines_count_by_what_they_show():
    """An image fades towards its last lines: these say less of the drift, but they still say something."""
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")

    def pattern(u, v):
        return torch.cos(2 * torch.pi * u) + torch.cos(2 * torch.pi * v) + 0.5 * torch.cos(2 * torch.pi * (u + v))

    drift = 4 * (y / 79.5 - 1) ** 2
    faded = torch.linspace(1, 0.15, 160)[:, None] * pattern((x + drift) / 12, y / 14)
    part = torch.arange(84) / 84
    lattice = Lattice(np.diag([12.0, 14.0]), np.zeros((2, 2)), 1.0, 150.0)
    expected = drift[:, 0] - drift[:, 0].mean()  # a parabola about the middle has no slope
    off = []
    for seed in range(10):
        image = faded + 0.3 * torch.randn(160, 160, generator=torch.manual_seed(seed))
        found = _bend(image, lattice, pattern(part[None], part[:, None]))[:, 0]
        off.append(np.square(found - found.mean() - expected.numpy()).mean() ** 0.5)
    assert np.mean(off) < 0.035


def test_a_straight_scan_stays_as_it_is():
    image = WallpaperDataset("photo", 17, size=192, seed=3, repeats=(5, 8))[10][0][0]
    straight, shift = correct_drift(image)
    assert shift < 0.5
    assert (straight - image)[8:-8, 8:-8].abs().mean() < 0.02


def test_nothing_is_measured_where_nothing_repeats():
    assert correct_drift(torch.randn(128, 128, generator=torch.Generator().manual_seed(0))) is None


@pytest.mark.parametrize("family", ["noise", "photo", "atom"])
def test_few_cells_show_that_they_are_straight_or_bent(family):
    dataset = WallpaperDataset(family, 17, size=192, seed=4, repeats=(2.6, 3.2))
    straight, found = [], []
    for i in range(0, 17, 2):
        image = dataset[i][0]
        m = measure(image[0])
        assert m.lattice.repeats < 12
        straight.append(is_straight(image[0], m.lattice, m.average.cell[0]))
        found.append(is_straight(bent(image, 0.05, 0.05)[0], m.lattice, m.average.cell[0]))
    assert np.mean(straight) > 0.85
    assert np.mean(found) < 0.15


def test_a_cell_of_several_repeats_within_itself():
    y, x = torch.meshgrid(torch.arange(120.0), torch.arange(120.0), indexing="ij")
    wave = torch.cos(2 * torch.pi * x / 12) + torch.cos(2 * torch.pi * (x + 2 * y) / 24) + torch.sin(torch.pi * x / 6)
    m = measure(wave)
    double = Lattice(m.lattice.basis @ np.diag([2.0, 1.0]), m.lattice.uncertainty, 1.0, m.lattice.repeats / 2)
    once, twice = (float(repeats_within(measure(wave, lattice).spectrum)) for lattice in (m.lattice, double))
    assert once < 0.5
    assert twice > 0.98
