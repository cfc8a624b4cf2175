"""A wave laid over a pattern, as hum of the mains is: the strongest waves of an image, and the image without one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from equisym.crystal.autocorrelate import detrend
from equisym.crystal.correlation import shared_waves
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.crystal.symmetry_features import Measurement
from equisym.crystal.tuned_constants import OverlaidLimits, PeakLimits

LIMITS, BROADEST = OverlaidLimits(), PeakLimits().broadest


def strong_waves(image: Tensor, mask: Tensor | None = None) -> Array:
    """The strongest waves of an image that may be laid over a pattern, in cycles per pixel, (n, 2).

    They hold from edge to edge, and none as strong is as long: those of a quasicrystal, and a pattern's own, have their
    like.
    """
    spectrum = PowerSpectrum(image, mask)
    if spectrum.broadening > BROADEST:
        return np.zeros((0, 2))
    every = spectrum.maxima()[: LIMITS.peaks]
    every = SpectralPeaks(every.position, every.power, spectrum.sharpness(every.position))
    length = np.linalg.norm(every.position, axis=-1)
    near = np.abs(length[:, None] / length - 1) < LIMITS.alike
    likes = (near & (every.power > LIMITS.comparable * every.power[:, None])).sum(1) - 1
    chosen = (every.sharpness > LIMITS.sharp) & (every.power > LIMITS.strong) & (likes == 0)
    return every[chosen].position[: LIMITS.tried]


def without_wave(image: Tensor, q: Array) -> Tensor:
    """Subtract a wave of slowly varying amplitude and phase by least squares.

    Args:
        image: (..., H, W).
        q: its frequency in cycles per pixel, x and y.

    >>> y, x = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
    >>> pattern = torch.cos(2 * torch.pi * x / 8) + torch.cos(2 * torch.pi * y / 10)
    >>> hum = (1 + x / 80) * torch.cos(0.31 * x + 0.17 * y)
    >>> left = without_wave(pattern + hum, np.array([0.31, 0.17]) / (2 * np.pi)) - pattern
    >>> round(float(left.square().mean() / hum.square().mean()), 2)
    0.0
    """
    height, width = image.shape[-2:]
    y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in (height, width))
    phase = 2 * torch.pi * (torch.arange(height)[:, None] * q[1] + torch.arange(width) * q[0])
    slow = torch.stack([torch.ones_like(phase), y[:, None].expand(-1, width), x.expand(height, -1)])
    shapes = torch.cat((slow * torch.cos(phase), slow * torch.sin(phase))).flatten(1)
    flat = detrend(image.double(), 2).reshape(-1, height * width)
    fitted = torch.linalg.solve(shapes @ shapes.T, shapes @ flat.mT)
    return (image - (fitted.mT @ shapes).reshape(image.shape)).to(image.dtype)


def is_dominated(m: Measurement) -> bool:
    """Whether one wave has most of the averaged cell's power."""
    power = _moving(m)[1]
    return 2 * float(power.max(initial=0)) > LIMITS.dominant * float(power.sum())


def has_three_directions(m: Measurement) -> bool:
    """Whether a cell has waves off the lines of its two strongest, as no two gratings have together."""
    index, power = _moving(m)
    left = power
    for _ in range(2):
        strongest = index[left.argmax()]
        left = np.where(index[:, 0] * strongest[1] != index[:, 1] * strongest[0], left, 0.0)
    return float(left.sum()) > LIMITS.directions * float(power.sum())


def _moving(m: Measurement) -> tuple[Array, Array]:
    """The averaged cell's waves but for its mean: their indices (n, 2), and their power without noise."""
    index, shared = shared_waves(m.spectrum)
    moving = index.any(1)
    return index[moving].astype(float), np.maximum(shared.real[moving], 0.0)
