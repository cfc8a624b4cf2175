import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, displacement_field, local_phase, tile, unbend
from equisym.data import draw_pattern
from equisym.data.pattern import PatternOptions


def bent(field, size=240, noise=0.0, seed=3):
    """A pattern seen through a displacement field u: what is at x without it is at x + u(x)."""
    pattern = draw_pattern("p3", "atom", seed, size, PatternOptions(repeats=(16, 18)))
    cell, basis = np.asarray(pattern.primitive_cell(96))[0], pattern.primitive_basis
    at = np.mgrid[:size, :size].astype(float)[::-1]
    back = at.copy()
    for _ in range(20):
        back = at - field(*back, size)
    image, flat = tile(cell, basis, *back), tile(cell, basis, *at)
    rng = np.random.default_rng(seed)
    noisy = image + noise * image.std() * rng.standard_normal(image.shape)
    lattice = Lattice(basis, np.full((2, 2), 1e-3), 0.5, size**2 / abs(np.linalg.det(basis)))
    return torch.from_numpy(noisy).float(), torch.from_numpy(flat).float(), lattice, field(*at, size)


def waves(x, y, size):
    return np.stack((3 * np.sin(2 * np.pi * y / size), 2 * np.cos(np.pi * (x + y) / size)))


def creep(x, y, size):
    return np.stack((12 * (y / size) ** 2 - 6 * y / size, 3 * np.exp(-3 * y / size)))


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("field", [waves, creep])
def test_smooth_fields_are_recovered_to_a_tenth_of_a_pixel(field, noise):
    image, _, lattice, true = bent(field, noise=noise)
    found = displacement_field(image, lattice).numpy()
    inside = (slice(None), slice(30, -30), slice(30, -30))
    error = found[inside] - true[inside]
    error -= error.mean((1, 2), keepdims=True)
    assert np.sqrt((error**2).mean()) < 0.1


def test_unbending_gives_the_image_that_was_bent():
    image, flat, _, true = bent(waves)
    straight = unbend(image, torch.from_numpy(true).float())
    assert (
        np.corrcoef(straight[20:-20, 20:-20].ravel(), flat[20:-20, 20:-20].ravel())[0, 1]
        > 0.99
        > np.corrcoef(image.ravel(), flat.ravel())[0, 1]
    )


def test_phases_are_constant_on_a_lattice_and_turn_with_a_shift():
    y, x = torch.meshgrid(torch.arange(120.0), torch.arange(120.0), indexing="ij")
    lattice = Lattice(np.eye(2) * 10, np.zeros((2, 2)), 1.0, 144.0)
    before, k, *places = local_phase(torch.cos(torch.pi * x / 5) + torch.cos(torch.pi * y / 5), lattice)
    after, _, _, _ = local_phase(torch.cos(torch.pi * (x - 1) / 5) + torch.cos(torch.pi * y / 5), lattice)
    turn = np.angle(after * before.conj())
    along = [k.tolist().index([1, 0]), k.tolist().index([0, 1])]
    assert np.abs(np.ptp(np.angle(before), axis=(1, 2))).max() < 0.2
    assert turn[along[0]].mean() == pytest.approx(-0.2 * np.pi, abs=0.02)
    assert turn[along[1]].mean() == pytest.approx(0, abs=0.02)
    for at in places:  # 0.6 of the window's two cells apart, or a little more, from the first pixel to the last
        assert (at[0], at[-1]) == (0, 119)
        np.testing.assert_allclose(np.diff(at), 12, atol=3)


def test_stripes_have_no_displacement_along_them():
    stripes = torch.cos(torch.arange(120.0) / 2).expand(120, 120)
    with pytest.raises(ValueError, match="two directions"):
        displacement_field(stripes, Lattice(np.eye(2) * 4 * np.pi, np.zeros((2, 2)), 1.0, 90.0))
