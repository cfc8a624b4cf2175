"""Modulation: satellites of a lattice that no multiple of it repeats, though a large cell comes near by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from equisym.crystal.indexing import Indexing, fitted, offsets
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum
from equisym.crystal.tuned_constants import ModulationLimits
from equisym.crystal.unindexed_peaks import exact_peaks

LIMITS = ModulationLimits()


@dataclass(frozen=True)
class Modulation:
    """Waves beside those of a lattice.

    Attributes:
        period: of the strongest, in pixels.
        slips: periods by which they and the large cell drift apart over the image.
    """

    period: float
    slips: float


def find_modulation(image: Tensor, lattice: Lattice, basis: Array, *, mask: Tensor | None = None) -> Modulation | None:
    r"""Whether the waves that a lattice has beyond those of a smaller cell are off their places.

    The wave of a satellite at q lies m bins from the nearest point of the lattice, which is fitted to the waves of the
    smaller cell alone. It slips by m periods over the image, and an average over the large cells leaves

    .. math:: \operatorname{sinc}^2 m \approx 1 - (2 \pi m)^2 / 12

    of its power: the large cell is no period of it.

    Args:
        image: grey image, (H, W).
        lattice: that of the large cell.
        basis: of the smaller cell, columns in pixels.
        mask: which pixels to look at, (H, W); all if not given.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    >>> square = torch.cos(2 * torch.pi * x / 10) + torch.cos(2 * torch.pi * y / 10)
    >>> large = Lattice(np.diag([30.0, 10.0]), np.zeros((2, 2)), 1.0, 85.0)
    >>> find_modulation(square + 0.4 * torch.cos(2 * torch.pi * x / 14.4), large, np.diag([10.0, 10.0])) is None
    False
    >>> find_modulation(square + 0.4 * torch.cos(2 * torch.pi * x / 15), large, np.diag([10.0, 10.0])) is None
    True
    """
    spectrum = PowerSpectrum(image, mask)
    every = spectrum.maxima()
    index = Indexing(lattice, spectrum, every)
    strong = exact_peaks(spectrum, every[index.holds(every.position)])
    own = np.linalg.norm(offsets(strong.position, basis) * index.size, axis=-1) < LIMITS.own
    basic, beside = strong[own], strong[~own]
    if len(basic) < 2 or not len(beside):
        return None
    base = fitted(index.basis, basic)
    bent, slips = (peaks.median(index.bins(peaks.position, base)) for peaks in (basic, beside))
    known = beside.median(beside.sharpness**-0.5)
    if slips < LIMITS.slips + LIMITS.bent * bent + LIMITS.known * known:
        return None
    wave = offsets(beside.position[:1], fitted(basis, basic))[0]
    return Modulation(1 / float(np.linalg.norm(wave)), slips)
