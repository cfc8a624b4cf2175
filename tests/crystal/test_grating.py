import numpy as np
import pytest
import torch

from equisym.crystal import find_grating


def stripes(size, period, degrees, duty):
    y, x = np.mgrid[:size, :size]
    turn = np.radians(degrees)
    return (((np.cos(turn) * x + np.sin(turn) * y) / period + 0.3) % 1 < duty).astype(float)


@pytest.mark.parametrize(
    ("period", "degrees", "duty"), [(7.3, 17, 0.5), (11.7, 63, 0.25), (23.1, 141, 0.7), (16, 0, 0.5)]
)
def test_hard_edged_stripes_are_stripes_at_any_angle(period, degrees, duty):
    found = find_grating(torch.from_numpy(stripes(192, period, degrees, duty)))
    assert found.period == pytest.approx(period, rel=0.01)
    assert abs((found.angle - degrees) % 180 - 90) < 1


@pytest.mark.parametrize("degrees", [0, 31])
def test_a_weak_second_direction_is_seen(degrees):
    image = stripes(192, 13.7, degrees, 0.4) + 0.15 * stripes(192, 13.7, degrees + 90, 0.4)
    assert find_grating(torch.from_numpy(image)) is None


def test_noise_has_no_stripes_and_hides_none():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((192, 192))
    assert find_grating(torch.from_numpy(noise)) is None
    assert find_grating(torch.from_numpy(stripes(192, 9.1, 40, 0.5) + 0.3 * noise)).period == pytest.approx(
        9.1, rel=0.01
    )
