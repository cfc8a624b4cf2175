"""Input transforms: what each keeps and loses of the symmetry, as its documentation states."""

import pytest
import torch

from equisym.data import TRANSFORMS, Inputs
from equisym.data.transforms import Autocorrelation, LogMagnitude, LogPolar, Phase, Radon

X = torch.rand(2, 1, 33, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def turned(x):
    return torch.rot90(x, 1, (-2, -1))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_shape_and_gradient(name):
    x = X.clone().requires_grad_()
    y = TRANSFORMS[name]()(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    (y * X).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("transform", [LogMagnitude(), Autocorrelation()])
def test_invariant_to_translation_and_turning_along(transform):
    y = transform(X)
    torch.testing.assert_close(transform(torch.roll(X, (5, -3), (-2, -1))), y)
    torch.testing.assert_close(transform(turned(X)), turned(y))
    torch.testing.assert_close(transform(X.flip(-1)), y.flip(-1))


@pytest.mark.parametrize("transform", [LogMagnitude(), Autocorrelation()])
def test_always_two_fold(transform):
    """Why neither tells p1 from p2 nor p3 from p6: the value at k is the value at -k whatever the image."""
    y = transform(X)
    torch.testing.assert_close(torch.rot90(y, 2, (-2, -1)), y)
    assert not torch.allclose(torch.rot90(X, 2, (-2, -1)), X)


def test_magnitude_cannot_tell_a_mirror_from_a_glide():
    half = torch.rand(1, 1, 16, 32, generator=torch.Generator().manual_seed(1))
    glide = torch.cat([half, half.flip(-1)], -2)  # the lower half is the mirrored upper half
    y = LogMagnitude()(glide)[..., 1:, 1:]
    torch.testing.assert_close(y, y.flip(-1), rtol=0, atol=1e-5)
    assert not torch.allclose(glide, glide.flip(-1))


def test_phase_and_magnitude_together_are_the_image():
    spectrum = torch.fft.fftshift(torch.fft.fft2(X), dim=(-2, -1))
    whole = torch.polar(spectrum.abs(), torch.pi * Phase()(X))
    torch.testing.assert_close(whole, spectrum)


def test_radon_sums_lines():
    y = Radon()(X)
    s = torch.linspace(-1, 1, 33, dtype=torch.float64)
    inside = (s.square() + s[:, None].square() <= 1).double()
    centred = X - X.mean((-2, -1), keepdim=True)
    torch.testing.assert_close(y[..., 0, :], (centred * inside).sum(-2) / 33)


def test_radon_of_turned_and_mirrored_images():
    """A quarter turn shifts the angles by half of them, those past 180 degrees reversed; a mirror turns them about."""
    x = torch.rand(1, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = Radon()(x)
    torch.testing.assert_close(Radon()(turned(x)), torch.cat([y[..., 16:, :], y[..., :16, :].flip(-1)], -2))
    torch.testing.assert_close(Radon()(x.flip(-1)), torch.cat([y[..., :1, :].flip(-1), y[..., 1:, :].flip(-2)], -2))


def test_log_polar_turns_into_a_shift_of_angles():
    x = torch.rand(1, 1, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(LogPolar()(turned(x)), LogPolar()(x).roll(-16, -2))


def test_inputs_stack_and_refuse():
    stacked = Inputs("image,fft,radon")
    assert repr(stacked).startswith("Inputs(\n  image,fft,radon")
    y = stacked(X)
    torch.testing.assert_close(y[:, :1], X)
    torch.testing.assert_close(y[:, 1:2], LogMagnitude()(X))
    with pytest.raises(ValueError, match=r"inputs must be chosen from image, fft, .* \(got 'wavelet'\)"):
        Inputs(["image", "wavelet"])
