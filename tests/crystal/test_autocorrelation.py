import pytest
import torch

from equisym.crystal.autocorrelate import autocorrelation, detrend, normalise_contrast, polynomials, smooth


def test_matches_correlation_coefficients_computed_shift_by_shift():
    image = torch.randn(9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rho, overlap = autocorrelation(image[None], min_overlap=0.1)
    for dy, dx in ((0, 0), (2, 1), (-3, 4), (5, -2)):
        here = image[max(-dy, 0) : 9 - max(dy, 0), max(-dx, 0) : 7 - max(dx, 0)]
        there = image[max(dy, 0) : 9 + min(dy, 0), max(dx, 0) : 7 + min(dx, 0)]
        expected = torch.corrcoef(torch.stack((here.flatten(), there.flatten())))[0, 1]
        assert rho[0, 8 + dy, 6 + dx].item() == pytest.approx(expected.item(), abs=1e-12)
        assert overlap[8 + dy, 6 + dx].item() == pytest.approx(here.numel() / 63)


def test_is_one_at_every_lattice_translation_whatever_the_border_cuts():
    tile = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    image = tile.repeat(4, 4)[:18, :23]
    rho, _ = autocorrelation(image[None], min_overlap=0.1)
    at_lattice = rho[0, 17 - 10 : 18 + 10 : 5, 22 - 12 : 23 + 12 : 6]
    assert (at_lattice - 1).abs().max() < 1e-9


def test_constant_image_has_no_correlation():
    rho, _ = autocorrelation(torch.full((1, 8, 8), 3.0, dtype=torch.float64))
    assert rho.isfinite().all()
    assert rho.abs().max() < 1e-6


def test_trend_of_its_own_order_vanishes_and_is_orthogonal_to_what_remains():
    image = polynomials(11, 13, 2, torch.zeros((), dtype=torch.float64)).sum(0)
    assert detrend(image, 2).abs().max() < 1e-12
    left = detrend(image, 1)
    assert (left * polynomials(11, 13, 1, image)).sum((1, 2)).abs().max() < 1e-10
    assert left.abs().max() > 0.1


def test_smoothing_keeps_constants_and_dampens_a_wave_by_the_gaussian_transfer_function():
    x = torch.arange(96, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * x / 8).expand(96, 96)
    smoothed = smooth((wave + 2)[None], 1.3)[0]
    inner = smoothed[30:66, 24:72] - 2
    expected = torch.exp(torch.tensor(-2 * (torch.pi * 1.3 / 8) ** 2))
    assert inner.max().item() == pytest.approx(expected.item(), rel=1e-3)


def test_gradient_reaches_the_image():
    image = torch.randn(1, 12, 12, dtype=torch.float64, requires_grad=True)
    autocorrelation(image)[0][0, 11, 15].backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (7, 4)])
def test_images_of_few_pixels(shape):
    image = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(shape, dtype=torch.bool)
    for order in (1, 2):
        shapes = polynomials(*shape, order, image).flatten(1).T  # of few pixels not independent
        fitted = shapes @ torch.linalg.pinv(shapes, rtol=1e-10) @ image.flatten()
        assert (detrend(image, order).flatten() - image.flatten() + fitted).abs().max() < 1e-10
    rho, overlap = autocorrelation(image[None], 0.0)
    assert rho.shape[1:] == overlap.shape == (2 * shape[0] - 1, 2 * shape[1] - 1)
    assert (rho - autocorrelation(image[None], 0.0, everywhere)[0]).abs().max() < 1e-6


def test_what_is_far_out_is_judged_by_the_pixels_of_the_mask():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(64, 64, generator=generator)
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[:, :24] = True
    image[30, 10] = 300.0
    alone = normalise_contrast(image[:, :24])
    image[:, 32:] *= 100
    found = normalise_contrast(image, mask)
    assert (found[:, 28:] == 0).all()
    assert found[30, 10].item() == pytest.approx(alone[30, 10].item(), rel=0.5)
