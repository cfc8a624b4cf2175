"""Offsets of the lines of a scan: seen in the spectrum, and told from the pattern by its averaged cell."""

from __future__ import annotations

import torch
from torch import Tensor

from equisym.crystal.autocorrelate import detrend, squared_modulus
from equisym.crystal.cell_average import average_cell
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import LOWEST
from equisym.crystal.tuned_constants import LineOffsetLimits

LIMITS = LineOffsetLimits()


def has_line_offsets(image: Tensor) -> bool:
    """Whether a good part of a scan's variance, (H, W), is that its lines lie higher or lower by chance.

    All frequencies along y, and none along x, then have power beyond their neighbours; a pattern has it at few.

    >>> y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    >>> pattern = torch.cos(x / 2) + torch.cos(y / 2)
    >>> offsets = torch.randn(96, 1, generator=torch.Generator().manual_seed(0))
    >>> has_line_offsets(pattern), has_line_offsets(pattern + offsets)
    (False, True)
    """
    height, width = image.shape
    first, last = int(LOWEST), height // 2
    if last <= first or width < 2 * LIMITS.beside[1]:
        return False
    rows, columns = (torch.hann_window(n + 2, periodic=False)[1:-1].to(image) for n in image.shape)
    power = squared_modulus(torch.fft.rfft2(detrend(image, 2) * torch.outer(rows, columns)))
    axis, beside = power[first:last, 0].median(), power[first:last, slice(*LIMITS.beside)].median()
    share = height * (axis - beside) / (2 * power.sum() - power[:, 0].sum())
    return bool(share > LIMITS.share and axis > LIMITS.beyond * beside)


def without_line_offsets(image: Tensor, basis: Array | None = None) -> Tensor:
    """Take the offset of each line off a scan, (H, W): its median, or that of what the averaged cell leaves of it.

    Medians of lines take with them what a pattern has in whole rows; with a lattice, offsets and cell are found in
    turn.

    Args:
        image: the scan.
        basis: of its lattice, columns in pixels, if it is known.
    """
    if basis is None:
        return image - image.median(1, keepdim=True).values
    level, lattice = image, torch.from_numpy(basis)[None].to(image)
    for _ in range(LIMITS.turns):
        average = average_cell(level[None], lattice)
        left = image - average.tiled[0] - average.trend[0]
        level = image - left.median(1, keepdim=True).values
    return level
