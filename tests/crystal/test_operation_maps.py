"""Correlations of a cell with its images, and phases of waves, against sums written out."""

import numpy as np
import pytest
import torch

from equisym.crystal import measure, operation_scores
from equisym.crystal.operation_maps import IDENTITY, Waves, correlate_operations
from equisym.data import render


def measured(group="p31m", size=120):
    image = render(group, "noise", seed=4, size=size)[0]
    return measure((image - image.mean()) / image.std())


def test_phases_by_factors_are_those_of_each_wave():
    rng = np.random.default_rng(0)
    k = torch.from_numpy(rng.integers(-20, 21, (50, 2))).double()
    t = torch.from_numpy(rng.random((4, 2)))
    assert torch.allclose(Waves(k).phase(t), torch.exp(2j * torch.pi * (t @ k.T)), atol=1e-12)


def test_a_map_is_the_sum_over_all_waves():
    m = measured()
    maps, s = m.maps, m.spectrum
    size, grid = s.full.shape[-1], maps.maps.shape[-1]
    W = next(w for w in maps.strains if w != IDENTITY and (w[0][0] * w[1][1] - w[0][1] * w[1][0]) > 0)
    index = np.rint(np.fft.fftfreq(size, 1 / size)).astype(int)
    ky, kx = (f.ravel() for f in np.meshgrid(index, index, indexing="ij"))
    inside = (np.abs(kx) < size // 2) & (np.abs(ky) < size // 2)
    tx, ty = W[0][0] * kx + W[1][0] * ky, W[0][1] * kx + W[1][1] * ky
    F, shell = s.full[0, 0].numpy(), s.shell[0].numpy()
    reliability = np.append(s.reliability[0].numpy(), 0.0) ** 2
    weight = np.sqrt(reliability[shell[ky, kx]] * reliability[shell[ty % size, tx % size]])
    pair = F[ky, kx] * F[ty % size, tx % size].conj()
    own = (tx == kx) & (ty == ky)
    shared = (s.half[0, 0, 0] * s.half[0, 1, 0].conj()).real.numpy()
    pair[own] = shared[ky, kx][own]
    for x, y in ((0, 0), (17, 90)):
        phase = np.exp(2j * np.pi * (kx * x + ky * y) / grid)
        right = (inside * weight * pair * phase).sum().real
        assert maps.maps[maps.place[W], y, x].item() == pytest.approx(right, rel=1e-3, abs=1e-4 * abs(maps.peak))


def test_scores_are_the_same_from_maps_at_hand():
    m = measured("pgg")
    basis = torch.from_numpy(m.lattice.basis)[None]
    again = operation_scores(m.spectrum, basis)[0]
    shared = operation_scores(m.spectrum, basis, maps=[m.maps])[0]
    assert [(o.W, o.kind) for o in again] == [(o.W, o.kind) for o in shared]
    assert np.allclose([o.score for o in again], [o.score for o in shared], atol=1e-6)


def test_maps_cover_what_the_lattice_admits():
    square, oblique = torch.eye(2)[None] * 20.0, torch.tensor([[[20.0, 6.0], [0.0, 31.0]]])
    s = measured().spectrum
    assert len(correlate_operations(s, oblique)[0].strains) < len(correlate_operations(s, square)[0].strains)
