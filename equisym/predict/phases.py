"""Phase residuals of each group in degrees, as in crystallographic image processing."""

from __future__ import annotations

import torch
from torch import Tensor

from equisym.crystal import Measurement, symmetrise
from equisym.groups import WALLPAPER_GROUPS

_STRONG = 0.02  # of the strongest amplitude: weaker reflections are not counted
_ABOVE = 9.0  # times the noise of their resolution shell: nor are reflections of less power


def phase_residuals(m: Measurement) -> dict[str, float]:
    r"""Mean difference between the phases of the averaged cell and of its symmetrised form, for each admitted group.

    .. math:: \varphi_{res} = \frac{\sum_k |F(k)| \, |\varphi(k) - \varphi_{sym}(k)|}{\sum_k |F(k)|}

    F are the Fourier coefficients of the averaged cell above the noise, and the symmetrised phases are those
    of its projection onto the group at the group's best origin. 0 means that the group holds; phases at random give 45
    degrees with two related reflections, up to 90 with many. p1 is 0 by definition.

    Source: Hovmöller, Ultramicroscopy 41 (1992) 121-135.
    """
    cell = m.average.cell[0].double()
    noise = _noise(m)
    found: dict[str, float] = {}
    for group, fit in zip(WALLPAPER_GROUPS, m.fits, strict=True):
        if fit is not None:
            projected = symmetrise(cell, fit.setting, fit.origin.double())
            found[group.name] = 0.0 if group.name == "p1" else _difference(cell, projected, noise)
    return found


def _difference(cell: Tensor, projected: Tensor, noise: Tensor) -> float:
    F, S = (torch.fft.fft2(c - c.mean()) for c in (cell, projected))
    weight = F.abs()
    counted = (weight > _STRONG * weight.max()) & (weight.square() > _ABOVE * noise) & (S.abs() > 1e-9 * weight.max())
    if not bool(counted.any()):
        return 90.0
    phase = (F * S.conj()).angle().abs()
    return float(torch.rad2deg((weight * phase)[counted].sum() / weight[counted].sum()))


def _noise(m: Measurement) -> Tensor:
    """Power of the noise at each coefficient of the cell: that of the half sets' difference, over its shell; (N, N)."""
    half, shell = m.average.half_sets[0].double(), m.spectrum.shell[0].flatten()
    power = torch.fft.fft2((half[0] - half[1]) / 2).abs().square().flatten()
    shells = int(shell.max()) + 1
    total = power.new_zeros(shells).index_add(0, shell, power)
    count = power.new_zeros(shells).index_add(0, shell, torch.ones_like(power))
    return (total / count.clamp(min=1))[shell].reshape(half.shape[-2:])
