"""Corruptions: deterministic in the seed, the same one by one as in a batch, worse with severity, each as described."""

import pytest
import torch

from equisym.data import CORRUPTIONS, Corruption, WallpaperDataset, render

EACH = pytest.mark.parametrize("name", CORRUPTIONS)
IMAGE = render("p4", "atom", 3, 64)
COLOUR = render("p31m", "noise", 1, 64, colour=True)


@EACH
@pytest.mark.parametrize("severity", [1, 5])
def test_deterministic_in_range_and_effective(name, severity):
    corruption = Corruption(name, severity)
    for image in (IMAGE, COLOUR):
        before = image.clone()
        once, again = corruption(image, seed=7), corruption(image, seed=(7,))
        assert once.shape == image.shape
        assert once.dtype == image.dtype
        assert 0 <= once.min() <= once.max() <= 1
        assert not torch.equal(once, image)
        torch.testing.assert_close(once, again, rtol=0, atol=0)
        torch.testing.assert_close(image, before, rtol=0, atol=0)


@EACH
def test_batches_are_images_one_by_one_with_their_own_seeds(name):
    batch = torch.stack([IMAGE, IMAGE])
    done = Corruption(name, 4)(batch, seed=3)
    torch.testing.assert_close(done[0], Corruption(name, 4)(IMAGE, seed=3), rtol=0, atol=0)
    if name not in ("defocus", "eight_bit", "jpeg", "contrast"):
        assert not torch.equal(done[0], done[1])


@EACH
def test_severity_grows(name):
    """Over several seeds, severity 5 lies further from the image than severity 1."""
    near, far = (
        torch.stack([Corruption(name, s)(IMAGE, seed=k) - IMAGE for k in range(6)]).square().mean() for s in (1, 5)
    )
    assert far > 1.5 * near


def test_noise_has_the_stated_strength():
    grey = torch.full((1, 128, 128), 0.5)
    assert Corruption("gaussian_noise", 3)(grey).std().item() == pytest.approx(0.12, rel=0.03)
    assert Corruption("dose", 3)(grey).var().item() == pytest.approx(0.5 / 40, rel=0.05)


def test_fields_and_levels_as_stated():
    assert (Corruption("partial_field", 3)(torch.ones(1, 129, 129)) > 0).float().mean().item() == pytest.approx(
        0.4, abs=0.02
    )
    ramp = torch.linspace(0, 1, 4096).reshape(1, 64, 64)
    assert len(Corruption("eight_bit", 5)(ramp).unique()) == 5


def test_defocus_keeps_the_mean_and_a_constant():
    torch.testing.assert_close(Corruption("defocus", 5)(torch.full((1, 64, 64), 0.3)), torch.full((1, 64, 64), 0.3))
    sharp, blurred = IMAGE.std(), Corruption("defocus", 5)(IMAGE).std()
    assert blurred < sharp


def test_datasets_take_a_corruption():
    plain = WallpaperDataset("noise", 17, size=32, seed=0)
    noisy = WallpaperDataset("noise", 17, size=32, seed=0, corrupt=Corruption("gaussian_noise", 2))
    assert noisy[4][1] == 4
    residual = noisy[4][0] - plain[4][0]
    assert 0.04 < residual.std() < 0.1
    torch.testing.assert_close(noisy[4][0], noisy[4][0], rtol=0, atol=0)
    assert not torch.equal(residual, noisy[5][0] - plain[5][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rain",), r"corruption must be one of gaussian_noise, .* \(got 'rain'\)"),
        (("dose", 6), r"severity must be a whole number from 1 to 5 \(got 6\)"),
    ],
)
def test_corruptions_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Corruption(*arguments)
    with pytest.raises(ValueError, match=r"images must have shape .* \(got \(3, 3\)\)"):
        Corruption("dose")(torch.zeros(3, 3))
