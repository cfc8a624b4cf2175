import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, average_cell, estimate_lattice, find_unindexed
from equisym.crystal.indexing import Indexing
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.data import Degradation, WallpaperDataset

HEXAGONAL = np.array([[1, -0.5], [0, 3**0.5 / 2]])


def turned(degrees):
    a = np.radians(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def spots(basis, size, places=((0, 0),), heights=(1,), width=0.16, noise=0.0, seed=0):
    """Round spots on a lattice, their width as a part of the cell's side."""
    y, x = np.mgrid[:size, :size].astype(float)
    k = np.einsum("ij,jyx->iyx", np.linalg.inv(basis), np.stack((x, y)))
    image = np.zeros((size, size))
    for place, height in zip(places, heights, strict=True):
        d = k - np.array(place)[:, None, None]
        d = np.einsum("ij,jyx->iyx", basis, d - np.rint(d))
        image += height * np.exp(-0.5 * (d**2).sum(0) / (width**2 * abs(np.linalg.det(basis)) / len(places)))
    return torch.from_numpy(image + noise * np.random.default_rng(seed).standard_normal(image.shape)).float()


def known(basis, size):
    return Lattice(np.array(basis, float), np.full((2, 2), 1e-3), 1.0, size**2 / abs(np.linalg.det(basis)))


def look(image, lattice=None):
    """As the classifier does: with the averaged cell."""
    lattice = lattice or estimate_lattice(image)
    average = average_cell(image[None], torch.from_numpy(lattice.basis).float()[None])
    return find_unindexed(image, lattice, tiled=average.tiled[0] + average.trend[0])


@pytest.mark.parametrize("count", [5, 8, 10, 12])
def test_quasicrystals_have_no_lattice_whatever_is_laid_into_them(count):
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    angles = 0.3 + torch.arange(count if count % 2 else count // 2) * 2 * torch.pi / count
    image = sum(torch.cos((x * a.cos() + y * a.sin()) * 2 * torch.pi / 9.7) for a in angles)
    found = look(image)
    assert found.kind in (("second lattice", "not periodic") if count in (8, 12) else ("not periodic",))
    assert found.strength > 0.2


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_two_lattices_are_both_named(noise):
    first, second = turned(11) @ np.diag([13.0, 15.5]), turned(52) @ HEXAGONAL * 17.3
    image = spots(first, 256) + 0.8 * spots(second, 256, noise=noise)
    for found in (look(image), look(image, known(first, 256))):
        assert found.kind == "second lattice"
        areas = sorted(abs(np.linalg.det(basis)) for basis in found.bases)
        assert areas == pytest.approx([13 * 15.5, 17.3**2 * 3**0.5 / 2], rel=0.02)


def test_a_turned_bilayer_has_two_lattices_unless_the_turn_is_commensurate():
    layer = turned(7) @ HEXAGONAL * 12.3
    places, heights = [(1 / 3, 2 / 3), (2 / 3, 1 / 3)], (1, 1)
    image = spots(layer, 256, places, heights) + spots(turned(10) @ layer, 256, places, heights)
    assert look(image, known(layer, 256)).kind == "second lattice"
    image = spots(layer, 256, places, heights) + spots(turned(21.7868) @ layer, 256, places, heights)
    found = look(image, known(layer, 256))
    assert (found.kind, found.period) == ("superstructure", "√7 x √7 R19°")
    assert look(image, known(found.bases[0], 256)).kind == "none"


@pytest.mark.parametrize(
    ("matrix", "period"),
    [
        ([[2, 0], [0, 1]], "2 x 1"),
        ([[1, 0], [0, 3]], "1 x 3"),
        ([[2, -1], [1, 1]], "√3 x √3 R30°"),
        ([[7, 0], [0, 7]], "7 x 7"),
        ([[3, 1], [0, 3]], "(3 0 | 1 3)"),
    ],
)
def test_a_superstructure_is_named_with_its_share(matrix, period):
    small = turned(19) @ HEXAGONAL * (8.3 if period == "7 x 7" else 13.1)
    inverse = np.linalg.inv(np.array(matrix, float).T)
    places = np.unique(np.round(np.mgrid[-8:9, -8:9].reshape(2, -1).T @ inverse % 1, 6) % 1, axis=0)
    heights = np.random.default_rng(3).uniform(0.4, 1.6, len(places))
    image = spots(small @ np.array(matrix), 288, places, heights, noise=0.05)
    found = look(image, known(small, 288))
    assert (found.kind, found.period) == ("superstructure", period)
    assert 0.002 < found.strength < 0.3
    assert abs(np.linalg.det(found.bases[0])) == pytest.approx(len(places) * abs(np.linalg.det(small)), rel=0.01)


def test_a_lattice_three_times_too_fine_is_told_its_period():
    y, x = np.mgrid[:256, :256]
    grid = torch.from_numpy(1.0 - ((x % 32 < 3) | (y % 32 < 3))).float()
    found = look(grid, known(np.diag([32 / 3, 32.0]), 256))
    assert (found.kind, found.period) == ("superstructure", "3 x 1")
    assert np.abs(np.linalg.norm(found.bases[0], axis=0) - 32).max() < 0.1


def test_hum_of_the_mains_is_a_single_wave():
    y, _ = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    image = spots(turned(5) @ np.diag([17.0, 19.0]), 256)
    found = look(image + 0.1 * torch.cos(2 * torch.pi * 0.143 * y), known(turned(5) @ np.diag([17.0, 19.0]), 256))
    assert found.kind == "single wave"
    assert found.peaks.position[0] == pytest.approx([0, 0.143], abs=1e-3)


@pytest.mark.parametrize("period", [6.37, 9.31, 14.77])
def test_folded_harmonics_of_hard_edges_are_no_second_lattice(period):
    basis = turned(23) @ HEXAGONAL * period
    smooth = spots(basis, 256)
    image = (smooth > smooth.median()).float()
    assert look(image, known(basis, 256)).kind == "none"


def test_bent_scans_vacancies_shading_and_few_repeats_keep_their_one_lattice():
    basis = turned(8) @ np.diag([21.0, 24.0])
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    clean = spots(basis, 256)
    vacant = torch.where(torch.hypot(x - 100, y - 140) < 12, torch.zeros(()), clean)
    shaded = clean * (1 + (x / 256) ** 2) + y / 128
    for image in (clean, vacant, shaded, clean[:96, :110].contiguous()):
        assert look(image).kind == "none"
    bent = torch.cos(2 * torch.pi * (x + 4 * torch.sin(torch.pi * y / 256)) / 14) + torch.cos(2 * torch.pi * y / 17)
    assert look(bent, known(np.diag([14.0, 17.0]), 256)).kind == "none"


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_waves_of_a_few_large_cells_that_overlap_in_the_spectrum_are_on_the_lattice(noise):
    """The third to the sixth wave across a long cell lie two bins apart and draw each other's peaks aside."""
    basis = np.array([[-82.5, 45.9], [-72.1, -52.5]])
    y, x = np.mgrid[:256, :256]
    u = np.einsum("ij,jyx->iyx", np.linalg.inv(basis), np.stack((x, y)))
    waves = {(3, 0): 1.0, (4, 0): 1.0, (5, 0): 0.33, (6, 0): 0.13, (5, 3): 0.08, (6, -3): 0.05, (1, 1): 0.04}
    image = sum(height * np.cos(2 * np.pi * (h * u[0] + k * u[1])) for (h, k), height in waves.items())
    image = image + noise * image.std() * np.random.default_rng(0).standard_normal(image.shape)
    image = torch.from_numpy(image).float()
    assert look(image, known(basis, 256)).kind == "none"
    assert find_unindexed(image, known(basis, 256)).kind != "none"  # with no averaged cell to compare with


@pytest.mark.parametrize("corrupt", [None, Degradation()])
def test_own_families_have_one_lattice(corrupt):
    for family in ("noise", "photo"):
        for image, _ in WallpaperDataset(family, 17, size=160, seed=77, corrupt=corrupt):
            lattice = estimate_lattice(image[0])
            if lattice is not None:
                assert look(image[0], lattice).kind in ("none", "single wave")


@pytest.mark.parametrize(("rank", "counts"), [(40, True), (41, False)])
def test_the_lattice_is_fitted_to_the_forty_strongest_peaks(rank, counts):
    """As the page on decisions says: weaker ones only add noise."""
    k = np.array([(h, j) for h in range(1, 8) for j in range(-3, 4)], float)[:45]
    position = k / 20
    position[rank - 1] += 0.3 / 200  # a third of a bin beside its point
    peaks = SpectralPeaks(position, np.ones(len(k)), np.full(len(k), 99.0))
    basis = Indexing(known(20 * np.eye(2), 200), PowerSpectrum(torch.eye(200)), peaks).basis
    assert np.allclose(basis, 20 * np.eye(2), rtol=0, atol=1e-9) != counts


@pytest.mark.parametrize(("noise", "kind"), [(0.02, "not periodic"), (2.0, "none")])
def test_one_stray_peak_counts_only_where_its_place_is_sure(noise, kind):
    """A wave half a bin off the lattice, as the blocks of a JPEG file make one beside a wave of the lattice."""
    y, x = np.mgrid[:240, :240] / 240
    waves = ((1.0, 12, 0), (0.9, 0, 12), (0.6, 12, 12), (0.4, 24, 0), (0.4, 12, -12), (0.55, 12.48, 24.0))
    image = sum(a * np.cos(2 * np.pi * (h * x + k * y)) for a, h, k in waves)
    image = image + noise * np.random.default_rng(0).normal(size=image.shape)
    lattice = Lattice(np.eye(2) * 20, np.zeros((2, 2)), 1.0, 144.0)
    assert find_unindexed(torch.from_numpy(image).float(), lattice).kind == kind
