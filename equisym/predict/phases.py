"""Phase residuals of each group in degrees, as in crystallographic image processing."""

from __future__ import annotations

import torch
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.operation_maps import Waves
from equisym.crystal.projection import Fit
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
    k, F = _reflections(m)
    found = {group.name: 0.0 for group, fit in zip(WALLPAPER_GROUPS, m.fits, strict=True) if fit is not None}
    if not len(k):
        return {name: 0.0 if name == "p1" else 90.0 for name in found}
    waves = Waves(k)
    for group, fit in zip(WALLPAPER_GROUPS, m.fits, strict=True):
        if fit is not None and group.name != "p1":
            found[group.name] = _difference(waves, F, fit)
    return found


def _reflections(m: Measurement) -> tuple[Tensor, Tensor]:
    """The reflections that count, (n, 2), and all coefficients of the averaged cell, (N, N)."""
    cell, size = m.average.cell[0].double(), m.average.size
    F = torch.fft.fft2(cell - cell.mean())
    weight = F.abs()
    counted = (weight > _STRONG * weight.max()) & (weight.square() > _ABOVE * _noise(m))
    row, column = counted[:, : size // 2].nonzero().unbind(1)
    k = torch.stack((column, torch.where(row > size // 2, row - size, row)), -1)
    return k[(k[:, 0] > 0) | (k[:, 1] > 0)].double(), F  # the other half of the plane holds the same


def _difference(waves: Waves, F: Tensor, fit: Fit) -> float:
    """The residual of one group, in degrees.

    f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k: the symmetrised coefficient at k is the mean of those
    that come to k. Reflections whose images lie beyond the grid are left out.
    """
    size, origin = len(F), fit.origin.double()
    W, w = (torch.from_numpy(part) for part in (fit.setting.linear, fit.setting.translations))
    inverse = torch.linalg.inv(W).round()
    source = torch.einsum("oij,ni->onj", inverse, waves.k)
    t = torch.einsum("oij,oj->oi", inverse, origin - W @ origin + w)
    symmetrised = (_at(F, source) * waves.phase(t)).mean(0)
    own = _at(F, waves.k)
    weight = own.abs()
    counted = (2 * source.abs() < size).all(-1).all(0) & (symmetrised.abs() > 1e-9 * weight.max())
    if not bool(counted.any()):
        return 90.0
    phase = (own * symmetrised.conj()).angle().abs()
    return float(torch.rad2deg((weight * phase)[counted].sum() / weight[counted].sum()))


def _at(F: Tensor, k: Tensor) -> Tensor:
    """Coefficients (N, N) at whole frequencies (..., 2)."""
    x, y = k.long().remainder(len(F)).unbind(-1)
    return F.flatten().index_select(0, (y * len(F) + x).flatten()).reshape(x.shape)


def _noise(m: Measurement) -> Tensor:
    """Power of the noise at each coefficient of the cell: that of the half sets' difference, over its shell; (N, N)."""
    half, shell = m.average.half_sets[0].double(), m.spectrum.shell[0].flatten()
    power = torch.fft.fft2((half[0] - half[1]) / 2).abs().square().flatten()
    shells = int(shell.max()) + 1
    total = power.new_zeros(shells).index_add(0, shell, power)
    count = power.new_zeros(shells).index_add(0, shell, torch.ones_like(power))
    return (total / count.clamp(min=1))[shell].reshape(half.shape[-2:])
