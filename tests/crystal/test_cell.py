import pytest
import torch

from equisym.crystal import average_cell, estimate_lattice
from equisym.data import WallpaperDataset


def torus(size=12, seed=0):
    return torch.randn(1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_is_exact_where_the_lattice_meets_the_grid():
    tile = torus()
    average = average_cell(
        tile.repeat(1, 3, 4)[:, :34, :41], torch.eye(2, dtype=torch.float64)[None] * 12, size=12, width=0
    )
    tile = tile - tile.mean()
    assert (average.cell - tile).abs().max() < 1e-9
    assert (average.half_sets - tile[:, None]).abs().max() < 1e-9
    assert average.trend.abs().max() < 1e-9


def test_takes_a_background_off():
    tile = torus()
    y, x = torch.meshgrid(torch.linspace(-1, 1, 60).double(), torch.linspace(-1, 1, 60).double(), indexing="ij")
    image = tile.repeat(1, 5, 5) + 3 * x - 2 * y + x * y
    basis = torch.eye(2, dtype=torch.float64)[None] * 12
    error = [
        (average_cell(image, basis, size=12, width=0, trend_order=order, sharpen=6).cell - tile + tile.mean()).std()
        for order in (0, 2)
    ]
    assert error[1] < 0.05 * error[0]


def test_a_real_image_is_explained_by_its_cell():
    pattern = WallpaperDataset("photo", 17, size=128, seed=2, repeats=(4, 6)).pattern(13)
    image = pattern.image(128)
    lattice = estimate_lattice(image[0])
    average = average_cell(image, torch.from_numpy(lattice.basis).float()[None])
    half = average.half_sets[0].flatten(1)
    assert torch.corrcoef(half)[0, 1] > 0.98
    assert average.cell.var() == pytest.approx(image.var().item(), rel=0.1)


def test_halves_of_pure_noise_have_nothing_in_common():
    noise = torch.randn(1, 120, 120, generator=torch.Generator().manual_seed(3))
    average = average_cell(noise, torch.eye(2)[None] * 20.0, size=48)
    assert torch.corrcoef(average.half_sets[0].flatten(1))[0, 1].abs() < 0.15


@pytest.mark.parametrize("off", [-0.1, 0.1])
def test_lattice_can_be_learned_through_the_average(off):
    """The gradient of the cell's power points from a slightly wrong lattice back to the right one."""
    x = torch.arange(90, dtype=torch.float64)
    image = (torch.cos(2 * torch.pi * x / 10) + torch.cos(2 * torch.pi * x / 10)[:, None])[None]
    basis = torch.tensor([[[10 + off, 0.0], [0.0, 10.0]]], dtype=torch.float64, requires_grad=True)
    average_cell(image, basis, size=24, trend_order=0).cell.square().mean().backward()
    assert basis.grad[0, 0, 0] * off < 0


def test_the_half_sets_are_the_squares_of_a_chessboard():
    """Cells of two kinds, black and white: each half set is the average of one kind."""
    black, white = torus(seed=1), torus(seed=2)
    i, j = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    odd = ((i + j) % 2).double().repeat_interleave(12, 0).repeat_interleave(12, 1)
    image = torch.where(odd > 0, white.repeat(1, 4, 6), black.repeat(1, 4, 6))
    basis = torch.eye(2, dtype=torch.float64)[None] * 12
    average = average_cell(image, basis, size=12, width=0, trend_order=0)
    for half, kind in zip(average.half_sets[0], (black, white), strict=True):
        assert torch.allclose(half, kind[0] - kind.mean(), atol=1e-9)


def test_gradients_of_image_and_lattice():
    image = torch.randn(1, 14, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    basis = torch.tensor([[[5.3, 0.4], [-0.2, 4.7]]], dtype=torch.float64, requires_grad=True)

    def average(image, basis):
        found = average_cell(image, basis, size=6)
        return found.cell, found.tiled

    assert torch.autograd.gradcheck(average, (image, basis))
