"""Phase residuals of each group in degrees, as in crystallographic image processing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement
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
    for group, fit in zip(WALLPAPER_GROUPS, m.fits, strict=True):
        if fit is not None and group.name != "p1":
            found[group.name] = _difference(k, F, fit, m.average.size)
    return found


def _reflections(m: Measurement) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """The reflections that count, (n, 2), and all coefficients of the averaged cell, (N, N)."""
    cell = m.average.cell[0].double()
    F = torch.fft.fft2(cell - cell.mean()).numpy()
    weight = np.abs(F)
    counted = (weight > _STRONG * weight.max()) & (weight**2 > _ABOVE * _noise(m).numpy())
    row, column = np.nonzero(counted[:, : m.average.size // 2])
    row = np.where(row > m.average.size // 2, row - m.average.size, row)
    half = (column > 0) | (row > 0)  # the other half of the plane holds the same
    return np.stack((column, row), -1)[half], F


def _difference(k: NDArray[np.int64], F: NDArray[np.complex128], fit: Fit, size: int) -> float:
    """The residual of one group, in degrees.

    f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k: the symmetrised coefficient at k is the mean of those
    that come to k. Reflections whose images lie beyond the grid are left out.
    """
    setting, origin = fit.setting, fit.origin.double().numpy()
    W = np.array(setting.matrices)
    source = np.einsum("oij,nj->oni", np.rint(np.linalg.inv(W)).astype(int).transpose(0, 2, 1), k)
    t = origin - W @ origin + np.array([op.translation for op in setting.operations])
    turned = F[source[..., 1] % size, source[..., 0] % size] * np.exp(2j * np.pi * np.einsum("oni,oi->on", source, t))
    own, mean = F[k[:, 1], k[:, 0]], turned.mean(0)
    weight = np.abs(own)
    counted = (2 * np.abs(source) < size).all((0, 2)) & (np.abs(mean) > 1e-9 * weight.max(initial=0.0))
    if not counted.any():
        return 90.0
    phase = np.abs(np.angle(own * mean.conj()))
    return float(np.degrees((weight * phase)[counted].sum() / weight[counted].sum()))


def _noise(m: Measurement) -> Tensor:
    """Power of the noise at each coefficient of the cell: that of the half sets' difference, over its shell; (N, N)."""
    half, shell = m.average.half_sets[0].double(), m.spectrum.shell[0].flatten()
    power = torch.fft.fft2((half[0] - half[1]) / 2).abs().square().flatten()
    shells = int(shell.max()) + 1
    total = power.new_zeros(shells).index_add(0, shell, power)
    count = power.new_zeros(shells).index_add(0, shell, torch.ones_like(power))
    return (total / count.clamp(min=1))[shell].reshape(half.shape[-2:])
