"""Phase residuals: zero for what a group has, brute force for a small cell, large for what it has not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equisym.crystal import measure
from equisym.data import PatternOptions, draw_pattern
from equisym.predict import phase_residuals
from equisym.predict.phases import _noise

OPTIONS = PatternOptions(repeats=(3, 4.5), correlation=(3, 6), independent=0)


@pytest.mark.parametrize("name", ["p2", "pg", "p4", "p31m"])
def test_the_group_itself_has_small_residuals_and_others_large(name):
    m = measure(torch.as_tensor(draw_pattern(name, "noise", 3, 128, OPTIONS).image(128))[0])
    found = phase_residuals(m)
    assert found["p1"] == 0
    assert found[name] < 8
    supergroup = {"p2": "pmm", "pg": "pmg", "p4": "p4m", "p31m": "p6m"}[name]
    assert found.get(supergroup, 90) > 20


def test_two_fold_phases_by_brute_force():
    """About a 2-fold centre every phase is 0 or 180 degrees; the residual is the weighted mean distance to these."""
    m = measure(torch.as_tensor(draw_pattern("p2", "noise", 5, 128, OPTIONS).image(128))[0])
    cell = m.average.cell[0].double().numpy()
    F = np.fft.fft2(cell - cell.mean())
    k = np.fft.fftfreq(len(cell), 1 / len(cell))
    ky, kx = np.meshgrid(k, k, indexing="ij")
    x, y = m.fits[1].origin.double().numpy()
    phase = np.degrees(np.angle(F * np.exp(2j * np.pi * (kx * x + ky * y)))) % 180
    distance = np.minimum(phase, 180 - phase)
    strong = (
        (abs(F) > 0.02 * abs(F).max())
        & (abs(F) ** 2 > 9 * _noise(m).numpy())
        & (abs(kx) < len(cell) // 2)
        & (abs(ky) < len(cell) // 2)
    )
    expected = (abs(F) * distance)[strong].sum() / abs(F)[strong].sum()
    assert phase_residuals(m)["p2"] == pytest.approx(expected, rel=1e-3)


def test_noise_is_half_of_the_difference_of_the_half_sets():
    m = measure(torch.as_tensor(draw_pattern("p2", "noise", 5, 128, OPTIONS).image(128))[0])
    noise = 0.1 * torch.randn(m.average.cell.shape, generator=torch.Generator().manual_seed(0)).to(m.average.cell)
    halves = torch.stack((m.average.cell + noise, m.average.cell - noise), 1)
    found = _noise(replace(m, average=replace(m.average, half_sets=halves)))
    assert float(found.mean()) == pytest.approx(float(noise.square().sum()), rel=1e-3)  # Parseval
