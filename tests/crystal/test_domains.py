import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, estimate_lattice, find_domains, tile
from equisym.data import Degradation, WallpaperDataset, draw_pattern
from equisym.data.pattern import PatternOptions


def cell_and_basis(group, seed, family="noise"):
    pattern = draw_pattern(group, family, seed, 224, PatternOptions(repeats=(8, 10)))
    return np.asarray(pattern.primitive_cell(96))[0], pattern.primitive_basis


def twinned(group, turn, seed=1, noise=0.0, size=224):
    """The pattern on one side of a slanting line, and its image under a mirror or rotation on the other."""
    cell, basis = cell_and_basis(group, seed)
    y, x = np.mgrid[:size, :size].astype(float)
    along = basis[:, 0] / np.linalg.norm(basis[:, 0])
    map_ = 2 * np.outer(along, along) - np.eye(2) if turn == "mirror" else -np.eye(2)
    images = tile(cell, basis, x, y), tile(cell, basis, *np.einsum("ij,jyx->iyx", map_, np.stack((x, y))) + 3.7)
    image = np.where(x + 0.4 * y < 0.65 * size, *images)
    noisy = image + noise * image.std() * np.random.default_rng(seed).standard_normal(image.shape)
    repeats = size**2 / abs(np.linalg.det(basis))
    return torch.from_numpy(noisy).float(), Lattice(basis, np.full((2, 2), 1e-3), 0.5, repeats)


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize(("group", "turn"), [("p6", "mirror"), ("p4", "mirror"), ("p3", "turn"), ("p31m", "turn")])
def test_twins_are_two_domains_and_their_operation_is_found(group, turn, noise):
    image, lattice = twinned(group, turn, noise=noise)
    found = find_domains(image, lattice)
    assert found.kind == "twin"
    assert found.related > 0.97 > found.likeness
    if turn == "mirror":
        assert np.linalg.det(found.operation) < 0
    left, right = found.part[:, found.x < 60], found.part[:, found.x > 170]
    assert (left == left.flat[0]).all()
    assert (right == 1 - left.flat[0]).all()
    assert 0.3 < found.shares[1] < 0.7


def test_two_motifs_that_no_operation_relates_are_two_domains():
    cell, basis = cell_and_basis("p1", 4)
    other, _ = cell_and_basis("p1", 5)
    y, x = np.mgrid[:224, :224].astype(float)
    image = np.where(y < 100, tile(cell, basis, x, y), tile(other, basis, x, y))
    lattice = Lattice(basis, np.full((2, 2), 1e-3), 0.5, 224**2 / abs(np.linalg.det(basis)))
    found = find_domains(torch.from_numpy(image).float(), lattice)
    assert (found.kind, found.operation) == ("two domains", None)
    assert found.part[0, 0] != found.part[-1, 0]


def test_domains_that_only_differ_by_a_shift_are_one():
    cell, basis = cell_and_basis("p3", 2)
    y, x = np.mgrid[:224, :224].astype(float)
    image = np.where(x < 110, tile(cell, basis, x, y), tile(cell, basis, x + 7.3, y - 2.1))
    lattice = Lattice(basis, np.full((2, 2), 1e-3), 0.5, 224**2 / abs(np.linalg.det(basis)))
    assert find_domains(torch.from_numpy(image).float(), lattice).kind == "one"


def test_one_pattern_is_one_domain_with_a_vacancy_shaded_noisy_or_in_few_repeats():
    cell, basis = cell_and_basis("p6", 3)
    y, x = np.mgrid[:224, :224].astype(float)
    clean = torch.from_numpy(tile(cell, basis, x, y)).float()
    clean = (clean - clean.mean()) / clean.std()
    x, y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    vacant = torch.where(torch.hypot(x - 70, y - 60) < 12, clean.min(), clean)
    lattice = Lattice(basis, np.full((2, 2), 1e-3), 1.0, 224**2 / abs(np.linalg.det(basis)))
    for image in (clean, clean + noise, vacant, clean * (1 + x / 224) + y / 50, clean[:70, :80].contiguous()):
        assert find_domains(image, lattice).kind == "one"


@pytest.mark.parametrize("corrupt", [None, Degradation()])
def test_own_families_are_one_domain(corrupt):
    for family in ("noise", "atom"):
        for image, _ in WallpaperDataset(family, 17, size=128, seed=78, corrupt=corrupt):
            lattice = estimate_lattice(image[0])
            assert lattice is None or find_domains(image[0], lattice).kind == "one"


def test_a_very_long_cell_whose_near_isometries_are_no_group_is_judged():
    """Mirrors of a cell of 6 x 212 pixels along many of its diagonals strain it by less than 3 %."""
    rng = np.random.default_rng(0)
    left, right = (torch.from_numpy(rng.standard_normal((4, 6))).float().repeat_interleave(53, 0) for _ in range(2))
    y, x = torch.meshgrid(torch.arange(424), torch.arange(212), indexing="ij")
    image = torch.where(x < 106, left[y % 212, x % 6], right[y % 212, x % 6])
    lattice = Lattice(np.array([[2.0, 6.0], [-212.0, 0.0]]), np.zeros((2, 2)), 1.0, 70.0)
    assert find_domains(image, lattice).kind == "two domains"
