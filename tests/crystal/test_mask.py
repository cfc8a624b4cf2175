import numpy as np
import pytest
import torch

from equisym.crystal import autocorrelation, average_cell, detrend, field_mask, measure, measure_scan
from equisym.data import Corruption, Degradation, WallpaperDataset


def disc(height: int, width: int, radius: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.hypot(x - width / 2 + 3, y - height / 2 - 2) < radius


def test_autocorrelation_in_a_field_is_the_correlation_of_the_pixels_in_common():
    image = torch.rand(24, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = disc(24, 20, 8)
    rho, overlap = autocorrelation(image[None], 0.05, mask)
    for dy, dx in ((0, 0), (3, -2), (-5, 4), (0, 7)):
        rows, columns = np.indices(image.shape)
        y, x = rows + dy, columns + dx
        inside = (y >= 0) & (y < 24) & (x >= 0) & (x < 20)
        both = inside & mask.numpy()
        both[both] &= mask.numpy()[y[both], x[both]]
        first, second = image.numpy()[both], image.numpy()[y[both], x[both]]
        assert rho[0, 23 + dy, 19 + dx].item() == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-7)
        assert overlap[23 + dy, 19 + dx].item() == pytest.approx(both.sum() / int(mask.sum()), abs=1e-12)


def test_a_field_of_all_pixels_changes_nothing():
    image = torch.rand(2, 30, 25, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    everything = torch.ones(30, 25, dtype=torch.bool)
    basis = torch.tensor([[[7.0, 1.0], [0.0, 6.0]]], dtype=torch.float64).expand(2, 2, 2)
    assert (detrend(image, 2, everything) - detrend(image, 2)).abs().max() < 1e-12
    for a, b in zip(autocorrelation(image, 0.05, everything), autocorrelation(image, 0.05), strict=True):
        assert (a - b).abs().max() < 1e-10
    masked, plain = (average_cell(image, basis, size=24, mask=f) for f in (everything, None))
    assert (masked.half_sets - plain.half_sets).abs().max() < 1e-10


def test_what_is_outside_of_the_field_does_not_matter():
    tile = torch.rand(1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    image, mask = tile.repeat(1, 6, 6), disc(48, 48, 20)
    basis = torch.eye(2, dtype=torch.float64)[None] * 8
    average = average_cell(image.where(mask, 9.0), basis, size=8, width=0, mask=mask, sharpen=8)
    assert (average.cell - (tile - tile.mean())).abs().max() < 1e-3  # up to the background that is fitted along
    first, _ = autocorrelation(image.where(mask, 0.0), 0.05, mask)
    second, _ = autocorrelation(image.where(mask, 9.0), 0.05, mask)
    assert (first - second).abs().max() < 1e-10


@pytest.mark.parametrize("family", ["noise", "photo", "atom"])
def test_a_disc_on_black_is_measured_within_the_disc(family):
    dataset = WallpaperDataset(family, 17, size=192, seed=3, repeats=(5, 8), corrupt=Corruption("partial_field", 3))
    right = []
    for i in range(17):
        m = measure_scan(dataset[i][0][0]).measurement
        assert m is not None
        assert m.mask is not None
        assert 0.3 < m.mask.double().mean() < 0.4  # of 0.4, less the margin
        steps = np.linalg.solve(dataset.pattern(i).primitive_basis, m.lattice.basis)
        right.append(abs(abs(np.linalg.det(steps)) - 1) < 0.05)
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("family", ["noise", "photo", "atom"])
def test_images_that_fill_the_frame_are_measured_whole(family):
    for corrupt in (None, Degradation()):
        dataset = WallpaperDataset(family, 17, size=128, seed=4, corrupt=corrupt)
        found = [measure(dataset[i][0][0]) for i in range(17)]
        assert all(m is None or m.mask is None for m in found)


def test_spots_on_an_even_ground_are_measured_whole():
    y, x = torch.meshgrid(torch.arange(120.0), torch.arange(120.0), indexing="ij")
    spots = torch.exp(-((x % 40 - 20).square() + (y % 40 - 20).square()) / 40)
    spots = spots.where(spots > 0.01, 0.0)  # nothing at all between them
    assert field_mask(spots) is not None  # their hull looks like a mask
    m = measure(spots)
    assert m is not None
    assert m.mask is None
    assert np.linalg.norm(m.lattice.basis, axis=0) == pytest.approx([40, 40], abs=0.1)
