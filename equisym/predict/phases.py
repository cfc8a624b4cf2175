"""Phase residuals of each group in degrees, as in crystallographic image processing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.autocorrelate import squared_modulus
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
    fits = {group.name: fit for group, fit in zip(WALLPAPER_GROUPS, m.fits, strict=True) if fit is not None}
    if not len(k):
        return {name: 0.0 if name == "p1" else 90.0 for name in fits}
    others = [name for name in fits if name != "p1"]
    residuals = _differences(k, F, [fits[name] for name in others]) if others else []
    return dict.fromkeys(fits, 0.0) | dict(zip(others, residuals, strict=True))


def _reflections(m: Measurement) -> tuple[Tensor, Tensor]:
    """The reflections that count, (n, 2), and all coefficients of the averaged cell, (N, N)."""
    cell, size = m.average.cell[0].double(), m.average.size
    F = torch.fft.fft2(cell - cell.mean())
    weight = F.abs()
    counted = (weight > _STRONG * weight.max()) & (weight.square() > _ABOVE * _noise(m))
    row, column = counted[:, : size // 2].nonzero().unbind(1)
    k = torch.stack((column, torch.where(row > size // 2, row - size, row)), -1)
    return k[(k[:, 0] > 0) | (k[:, 1] > 0)].double(), F  # the other half of the plane holds the same


def _differences(k: Tensor, F: Tensor, fits: list[Fit]) -> list[float]:
    """The residual of each of several groups, in degrees.

    f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k: the symmetrised coefficient at k is the mean of those
    that come to k. Reflections whose images lie beyond the grid are left out.
    """
    counts = [len(fit.setting.operations) for fit in fits]
    of = torch.arange(len(fits)).repeat_interleave(torch.tensor(counts))
    W, w = (torch.from_numpy(np.concatenate(part)) for part in zip(*map(_operations, fits), strict=True))
    origin = torch.stack([fit.origin.double() for fit in fits])[of]
    inverse = torch.linalg.inv(W).round()
    source = k @ inverse  # W^-T k, (operations, n, 2)
    t = (inverse @ (origin - (W @ origin[..., None])[..., 0] + w)[..., None])[..., 0]
    F = F.to(torch.complex64)  # of phases in degrees, a few decimals are enough
    images = _at(F, source) * Waves(k).phase(t, F.dtype)
    beyond = (2 * source.abs() >= len(F)).any(-1)
    total = images.new_zeros(len(fits), len(k)).index_add(0, of, images)
    outside = torch.zeros(total.shape).index_add(0, of, beyond.float())
    own = _at(F, k)
    weight = own.abs()
    counted = (outside == 0) & (total.abs() > 1e-9 * weight.max())
    weight = weight * counted
    phase = (own * total.conj()).angle().abs()
    mean = torch.rad2deg((weight * phase).sum(-1) / weight.sum(-1))
    return torch.where(counted.any(-1), mean, 90.0).tolist()


def _operations(fit: Fit) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear parts and translations."""
    return fit.setting.linear, fit.setting.translations


def _at(F: Tensor, k: Tensor) -> Tensor:
    """Coefficients (N, N) at whole frequencies (..., 2)."""
    x, y = k.long().remainder(len(F)).unbind(-1)
    return F.flatten().index_select(0, (y * len(F) + x).flatten()).reshape(x.shape)


def _noise(m: Measurement) -> Tensor:
    """Power of the noise at each coefficient of the cell: that of the half sets' difference, over its shell; (N, N)."""
    half, shell = m.average.half_sets[0].double(), m.spectrum.shell[0].flatten()
    power = squared_modulus(torch.fft.fft2((half[0] - half[1]) / 2)).flatten()
    shells = int(shell.max()) + 1
    total = power.new_zeros(shells).index_add(0, shell, power)
    count = torch.bincount(shell)
    return (total / count.clamp(min=1))[shell].reshape(half.shape[-2:])
