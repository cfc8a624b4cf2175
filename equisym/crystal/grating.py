"""Gratings: images that vary in one direction only, including slanted ones whose edges are staircases of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import LOWEST, PowerSpectrum, SpectralPeaks

_CANDIDATES = 6  # of the strongest peaks, one is the first harmonic
_LOWEST = 2.5  # bins: a coarser grating repeats too seldom
_HARMONICS = 160
_BINS = 0.6  # within which a peak is at a harmonic
_SHARP, _LEAST = 100.0, 1e-3  # over the median bin, and of the strongest peak: weaker ones are noise, or of no account
_LOOKED_AT = 128
_ENVELOPE = 4.0  # times that a folded harmonic may exceed an edge's
_HIDDEN = 0.02  # of the strongest peak, in the strongest that is none of its harmonics, noise or not
_ACROSS = 2e-3  # of the power in other peaks: with more, the image has a second direction


@dataclass(frozen=True)
class Grating:
    """Stripes.

    Attributes:
        wave: frequency of the first harmonic in cycles per pixel, x and y, (2,).
        harmonics: how many of them stand out.
    """

    wave: Array
    harmonics: int

    @property
    def period(self) -> float:
        """Distance from stripe to stripe in pixels."""
        return float(1 / np.linalg.norm(self.wave))

    @property
    def angle(self) -> float:
        """Direction of the stripes in degrees, 0 along x, from x to y, below 180."""
        return float(np.degrees(np.arctan2(-self.wave[0], self.wave[1])) % 180)


def find_grating(image: Tensor, mask: Tensor | None = None, *, spectrum: PowerSpectrum | None = None) -> Grating | None:
    """Whether an image is of stripes: every peak of its spectrum is a harmonic of one wave.

    Slanting edges without grey steps have harmonics beyond Nyquist. Pixels fold them back by whole cycles per pixel,
    all over the spectrum; they are recognised by their positions and by their power, which falls off like that of those
    below Nyquist.

    Args:
        image: grey image, (H, W).
        mask: which pixels to look at, (H, W); all if not given.
        spectrum: of the image, if known.

    Returns:
        The stripes, or ``None`` if the image varies along a second direction as well, or shows no wave.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> stripes = torch.sign(torch.sin(0.31 * x + 0.11 * y))
    >>> found = find_grating(stripes)
    >>> round(found.period, 1), round(found.angle)
    (19.1, 110)
    >>> find_grating(stripes + 0.2 * torch.sin(0.31 * y - 0.11 * x)) is None
    True
    """
    spectrum = PowerSpectrum(image, mask) if spectrum is None else spectrum
    every = peaks = spectrum.maxima(_LOWEST)[:_LOOKED_AT]
    if not len(peaks):
        return None
    peaks = peaks[(peaks.power > _LEAST * peaks.power[0]) & (peaks.power > _SHARP * np.median(spectrum.power))]
    size = np.array([spectrum.width, spectrum.height])
    for wave in sorted(peaks.position[:_CANDIDATES], key=np.linalg.norm):
        wave, on = _harmonics(wave, peaks, size)
        off = ~on & (np.linalg.norm(peaks.position * size, axis=-1) >= LOWEST)
        if peaks.power[off].sum() > _ACROSS * peaks.power.sum():
            continue
        _, hidden = _harmonics(wave, every, size)  # a second direction that noise may hide
        hidden = ~hidden & (np.linalg.norm(every.position * size, axis=-1) >= LOWEST)
        if every.power[hidden].max(initial=0.0) <= _HIDDEN * every.power[0]:
            return Grating(wave, int(on.sum()))
    return None


def _harmonics(wave: Array, peaks: SpectralPeaks, size: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The wave after a fit to its harmonics from the first on, and which peaks are harmonics."""
    on = np.zeros(len(peaks), bool)
    for most in (1, 3, 10, 40, _HARMONICS):
        n = np.concatenate((np.arange(-most, 0), np.arange(1, most + 1)))
        at = n[:, None] * wave
        apart = peaks.position[:, None] - at
        folds = np.rint(apart)
        near = np.linalg.norm((apart - folds) * size, axis=-1) < _BINS
        below = near & (folds == 0).all(-1)
        promised = (peaks.power[:, None] * n**2 * below).max()
        folded = near & (peaks.power[:, None] * n**2 <= _ENVELOPE * promised)
        fits = below | folded
        on = fits.any(-1)
        if not on.any():
            break
        order = np.where(fits, np.abs(n), 10 * _HARMONICS).argmin(1)[on]  # the lowest harmonic that fits
        to = peaks.position[on] - folds[on, order]
        weight = peaks.power[on] * n[order]
        wave = (weight[:, None] * to).sum(0) / (weight * n[order]).sum()
    return wave, on
