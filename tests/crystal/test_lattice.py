import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter

from equisym.crystal import estimate_lattice, find_lattice, lattice_choice
from equisym.crystal.lattice_choice import twice, without_rows
from equisym.crystal.lattice_search import _local_maxima
from equisym.data import WallpaperDataset
from equisym.groups import WALLPAPER_GROUPS


def same_lattice(found, true, tolerance=0.1):
    k = np.linalg.solve(true, found.basis)
    whole = np.rint(k)
    return abs(abs(np.linalg.det(whole)) - 1) < 1e-6 and np.abs(k - whole).max() < tolerance


@pytest.mark.parametrize("family", ["noise", "photo", "atom"])
def test_finds_the_primitive_lattice_of_every_group(family):
    dataset = WallpaperDataset(family, 17, size=160, seed=5)
    wrong = []
    for i in range(17):
        pattern = dataset.pattern(i)
        found = estimate_lattice(pattern.image(160)[0])
        if found is None or not same_lattice(found, pattern.primitive_basis):
            wrong.append(WALLPAPER_GROUPS[i].name)
    assert not wrong


def test_error_is_a_few_hundredths_of_a_pixel_and_of_the_stated_size():
    dataset = WallpaperDataset("noise", 12, size=192, seed=6, repeats=(5, 9))
    errors, stated = [], []
    for i in range(12):
        pattern = dataset.pattern(i)
        found = estimate_lattice(pattern.image(192)[0])
        whole = np.rint(np.linalg.solve(pattern.primitive_basis, found.basis))
        errors.append(np.abs(found.basis - pattern.primitive_basis @ whole).max())
        stated.append(found.uncertainty.max())
    assert np.median(errors) < 0.03
    assert 0.1 < np.median(errors) / np.median(stated) < 10


def test_stated_errors_are_those_that_noise_makes():
    dataset, off, stated = WallpaperDataset("noise", 12, size=192, seed=6, repeats=(5, 9)), [], []
    for i in range(12):
        pattern = dataset.pattern(i)
        image = pattern.image(192)[0]
        found = estimate_lattice(image + 0.3 * image.std() * torch.randn(192, 192, generator=torch.manual_seed(i)))
        whole = np.rint(np.linalg.solve(pattern.primitive_basis, found.basis))
        off.append(np.abs(found.basis - pattern.primitive_basis @ whole).mean())
        stated.append(found.uncertainty.mean())
    assert 0.8 < np.median(off) / np.median(stated) < 1.4


def test_survives_noise_and_a_background():
    pattern = WallpaperDataset("photo", 17, size=160, seed=7, repeats=(4, 8)).pattern(10)
    image = pattern.image(160)[0]
    ramp = torch.linspace(-0.5, 0.5, 160)
    noise = 0.3 * torch.randn(160, 160, generator=torch.Generator().manual_seed(0))
    assert same_lattice(estimate_lattice(image + ramp), pattern.primitive_basis)
    assert same_lattice(estimate_lattice(image + noise), pattern.primitive_basis)
    assert estimate_lattice(image + noise).score < 0.8 < estimate_lattice(image).score


def test_a_superstructure_of_a_tenth_of_the_power_is_kept():
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    coarse = torch.cos(2 * torch.pi * x / 16) + torch.cos(2 * torch.pi * y / 16) + torch.cos(torch.pi * (x + y) / 8)
    fine = torch.cos(2 * torch.pi * x / 32) * 0.6
    assert abs(np.linalg.det(estimate_lattice(coarse).basis)) == pytest.approx(256, rel=0.01)
    assert abs(np.linalg.det(estimate_lattice(coarse + fine).basis)) == pytest.approx(512, rel=0.01)


@pytest.mark.parametrize("image", [torch.zeros(64, 64), torch.arange(64.0).expand(64, 64)])
def test_nothing_that_repeats_gives_no_lattice(image):
    assert estimate_lattice(image) is None


@pytest.mark.parametrize("angle", [0.0, 5.0, 33.0])
def test_rows_that_slant_are_removed_and_what_is_on_them_stays(angle):
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    t = np.radians(angle)
    across, along = np.cos(t) * y - np.sin(t) * x, np.cos(t) * x + np.sin(t) * y
    rows = torch.exp(-((across / 33 - (across / 33).round()) * 33).square() / 18)
    beads = 0.1 * torch.cos(2 * torch.pi * along / 25) * rows
    left = without_rows(rows + beads)
    assert left is not None
    assert float((left - left.mean() - beads).std()) < 0.25 * float(beads.std())


def noisy_grid(period, noise, size=128, seed=0):
    x = torch.arange(size, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * x / period) + 0.5 * torch.cos(4 * torch.pi * x / period + 1)
    generator = torch.Generator().manual_seed(seed)
    return (wave[:, None] + wave + noise * torch.randn(size, size, generator=generator, dtype=torch.float64)).float()


def test_an_expected_lattice_spares_the_search(monkeypatch):
    image, true = noisy_grid(12.4, 3.0), np.eye(2) * 12.4
    looks = []
    looked = lattice_choice.look_at
    monkeypatch.setattr(lattice_choice, "look_at", lambda *a, **k: looks.append(a) or looked(*a, **k))
    found = find_lattice(image, expected=true + np.array([[0.3, -0.1], [0.1, -0.2]]))
    assert len(looks) == 1
    assert same_lattice(found, true, 0.02)


@pytest.mark.parametrize("wrong", [np.eye(2) * 17.0, np.array([[12.4, 3.0], [0.0, 12.4]]), np.eye(2) * 6.2])
def test_an_expected_lattice_that_is_not_there_is_not_taken(wrong):
    image = noisy_grid(12.4, 3.0)
    assert np.allclose(find_lattice(image, expected=wrong).basis, find_lattice(image).basis)


def test_local_maxima_are_those_of_a_maximum_filter():
    rho = np.random.default_rng(3).random((40, 61)).round(2)  # with ties
    y, x = np.nonzero((rho == maximum_filter(rho, 5, mode="nearest")) & (rho > 0.3))
    found = _local_maxima(rho, 0.3)
    assert np.array_equal(found[0], y)
    assert np.array_equal(found[1], x)


@pytest.mark.parametrize("height", [68, 70])
def test_two_repeats_are_seen_along_columns_as_along_rows(height):
    across, down = np.array([[35.0, 0.0], [0.0, 9.0]]), np.array([[9.0, 0.0], [0.0, 35.0]])
    assert twice(across, (40, height)) == twice(down, (height, 40)) == (height == 70)
