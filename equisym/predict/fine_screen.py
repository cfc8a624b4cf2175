"""A look without a fine screen over the pattern: that of a print, a dither, a display or a colour sensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from equisym.crystal.indexing import offsets
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.predict.look import Look, plain_look
from equisym.predict.refusal import RefusalCode
from equisym.predict.rejection import DOZEN
from equisym.predict.view import View

# set on 34 drawn patterns behind a halftone of 6 pixels and a dither of 4, and on situations to be refused
_PERHAPS_SCREENED = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.FEW_REPEATS)
_COARSEST, _SHARP, _STRONG = 8.5, 30.0, 0.1  # pixels; over the background; of the strongest wave that is so fine
_KEPT, _LOST = 0.6, 0.85  # of the screen's frequency: to the one, waves are kept; beyond the other they are gone
_OWN = 0.8  # bins from a wave of the pattern's lattice
_FINER = 3.0  # times as long as the screen's period the cell's sides are
_HOLDS, _SHARE = 0.8, 0.03  # of the smooth image explained; of the whole image's variance, at least


def without_screen(view: View, look: Look) -> Look:
    """A look at a smoothed image, where fine waves of a screen hide a pattern of larger cells; else the one given."""
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_SCREENED
    if not (refused or look.leaves_much) or view.window or view.mask is not None or view.expected is not None:
        return look
    screen = screen_waves(view)
    if not len(screen):
        return look
    length = np.linalg.norm(screen.position, axis=-1)
    period = float(1 / length.min())
    smooth = without_fine_waves(view.channels.double(), 1 / period)
    spread = float(smooth[0].std())
    if spread**2 < _SHARE:
        return look
    seen = plain_look(replace(view, channels=(smooth / spread).float(), spread=view.spread * spread))
    m = seen.measurement
    if m is None or seen.refusal is not None or seen.rest is None or m.lattice.repeats < DOZEN:
        return look
    if seen.rest.explained < max(_HOLDS, _SHARE / spread**2):
        return look
    off = np.linalg.norm(offsets(screen.position, m.lattice.basis) * view.grey.shape[::-1], axis=-1)
    foreign = off > _OWN  # the others are fine detail of the pattern
    own = screen.power[foreign].sum() < screen.power.sum() / 4
    if own or np.linalg.norm(m.lattice.basis, axis=0).min() < _FINER * period:
        return look
    shown = view.scale / float(length[foreign][0])  # the strongest comes first
    return seen.noting(f"a fine screen with a period of {shown:.1f} pixels was smoothed away")


def without_fine_waves(channels: Tensor, screen: float) -> Tensor:
    """Images (C, H, W) without waves as fine as a screen's and finer; ``screen`` in cycles per pixel."""
    margin = min(round(4 / screen), *(n - 1 for n in channels.shape[1:]))
    padded = pad(channels[None], (margin,) * 4, mode="reflect")[0]
    q = torch.hypot(torch.fft.fftfreq(padded.shape[1])[:, None], torch.fft.rfftfreq(padded.shape[2]))
    fall = ((q / screen - _KEPT) / (_LOST - _KEPT)).clamp(0, 1)
    spectrum = torch.fft.rfft2(padded) * (0.5 + 0.5 * torch.cos(torch.pi * fall))
    smooth = torch.fft.irfft2(spectrum, s=padded.shape[1:])
    return smooth[:, margin : margin + channels.shape[1], margin : margin + channels.shape[2]]


def screen_waves(view: View) -> SpectralPeaks:
    """Strong and sharp waves that are as fine as a screen's."""
    spectrum = PowerSpectrum(view.grey)
    peaks = spectrum.maxima()
    length = np.linalg.norm(peaks.position, axis=-1)
    peaks = peaks[length > 1 / _COARSEST]
    peaks = peaks[peaks.power > _STRONG * peaks.power.max(initial=0)]
    sharp = spectrum.sharpness(peaks.position) > _SHARP
    return peaks[sharp]
