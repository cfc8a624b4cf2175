"""Fit each of the 17 groups to a cell: best setting, best origin, agreement and residual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.correlation import SHELLS, Spectrum
from equisym.crystal.operation_maps import STRAIN, OperationMaps, Waves, correlate_operations
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.setting import Setting, settings

_STRONG = 1e-3  # of the strongest product of two waves: weaker ones do not move an origin


@dataclass(frozen=True)
class Fit:
    """The best fit of one group to one cell.

    Attributes:
        setting: orientation of the group.
        origin: of the group, in fractions of the cell, (2,).
        agreement: mean correlation of the operations other than the identity, 1 if the cell has the group.
        strain: of the lattice against the nearest one that has the group's point group.
        shells: for each class of operations, correlation power on each shell, (classes, SHELLS).
    """

    setting: Setting
    origin: Tensor
    agreement: float
    strain: float
    shells: Tensor


@lru_cache
def _gathers(grid: int) -> list[Tensor]:
    """For each setting, the flat index of the translation of each operation at every origin; (operations, grid**2)."""
    k = torch.arange(grid, dtype=torch.int32)
    oy, ox = torch.meshgrid(k, k, indexing="ij")
    found = []
    for setting in settings():
        rows = []
        for op in setting.operations[1:]:
            (a, b), (c, d) = op.W
            tx = ox - a * ox - b * oy + int(op.w[0] * grid)
            ty = oy - c * ox - d * oy + int(op.w[1] * grid)
            rows.append(((ty % grid) * grid + tx % grid).flatten())
        found.append(torch.stack(rows) if rows else torch.zeros(0, grid * grid, dtype=torch.int32))
    return found


def fit_groups(
    s: Spectrum, basis: Tensor, *, polish: int = 2, maps: Sequence[OperationMaps] | None = None
) -> list[list[Fit | None]]:
    """Find the best fit of each of the 17 groups to each cell.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        polish: Newton steps on the origin.
        maps: of :func:`correlate_operations`, where they are at hand.

    Returns:
        For each cell, seventeen fits in label order; ``None`` where the lattice would have to be strained too far.
    """
    maps = correlate_operations(s, basis) if maps is None else maps
    return [_fit_one(found, metric, polish) for found, metric in zip(maps, basis.double().cpu().numpy(), strict=True)]


def _fit_one(found: OperationMaps, basis: NDArray[np.float64], polish: int) -> list[Fit | None]:
    grid, place, maps = found.maps.shape[-1], found.place, found.maps.flatten(-2)
    best: dict[str, tuple[float, Setting, int, float]] = {}
    for setting, gather in zip(settings(), _gathers(grid), strict=True):
        strain = setting.strain(basis)
        if strain > STRAIN:
            continue
        total = maps.new_zeros(grid * grid)
        for op, where in zip(setting.operations[1:], gather, strict=True):
            total += maps[place[op.W]].index_select(0, where)
        most, where = total.max(0)
        score = most.item() / found.peak / max(len(setting.operations) - 1, 1) - strain
        if setting.group.name not in best or score > best[setting.group.name][0]:
            best[setting.group.name] = (score, setting, int(where), strain)
    wave = (found.cross.abs() * found.weight).amax(0)
    strong = (wave >= _STRONG * wave.max()).nonzero()[:, 0]
    waves = Waves(found.k), Waves(found.k.index_select(0, strong)), strong
    fits: list[Fit | None] = []
    for group in WALLPAPER_GROUPS:
        if group.name not in best:
            fits.append(None)
            continue
        _, setting, at, strain = best[group.name]
        origin = torch.tensor([at % grid, at // grid], dtype=maps.dtype) / grid
        fits.append(_refined(found, waves, setting, origin, strain, polish))
    return fits


def _refined(
    found: OperationMaps,
    waves: tuple[Waves, Waves, Tensor],
    setting: Setting,
    origin: Tensor,
    strain: float,
    polish: int,
) -> Fit:
    """Refine the origin of a group by strong waves, and measure its operations there by all."""
    every, few, strong = waves
    operations = setting.operations[1:]
    if not operations:
        return Fit(setting, origin, 1.0, strain, found.weight.new_zeros(0, SHELLS))
    W, w = (torch.from_numpy(part[1:]).to(found.weight) for part in (setting.linear, setting.translations))
    chosen = torch.tensor([found.place[m] for m in setting.matrices[1:]])
    cross, weight = (values.index_select(0, chosen) for values in (found.cross, found.weight))
    product = cross.index_select(1, strong) * weight.index_select(1, strong)
    slope = 2 * torch.pi * (few.k - few.k @ W).flatten(0, 1)  # of the phase with the origin, (operations * waves, 2)
    for _ in range(polish):
        turned = product * few.phase(origin - W @ origin + w)
        gradient = -turned.imag.flatten() @ slope
        curve = (slope * turned.real.flatten()[:, None]).T @ slope
        # along some directions the origin is free, as along a mirror: leave it there
        values, vectors = torch.linalg.eigh(curve)
        usable = values > 1e-5 * values.max().clamp(min=1e-30)
        step = vectors @ torch.where(usable, (vectors.T @ gradient) / values, torch.zeros_like(values))
        origin = origin + step.clamp(-0.01, 0.01)
    turned = (cross * every.phase(origin - W @ origin + w)).real
    agreement = ((turned * weight).sum() / (len(operations) * found.power)).nan_to_num(0.0)
    shells = turned.new_zeros(len(operations), SHELLS)
    shells = 2 * shells.scatter_add(1, found.shell.expand(len(operations), -1), turned)
    classes = torch.stack([shells[[i - 1 for i in c]].mean(0) for c in setting.classes])
    return Fit(setting, origin % 1, agreement.item(), strain, classes)


def symmetrise(cell: Tensor, setting: Setting, origin: Tensor) -> Tensor:
    """Project a cell onto a group: the average of its images under all operations about an origin.

    Args:
        cell: row along b and column along a, (N, N).
        setting: the group in the cell's basis.
        origin: of the group, in fractions of the cell, (2,).

    Returns:
        The nearest cell, in the least-squares sense, that has the group exactly; (N, N). Frequencies whose images
        under the group lie beyond the grid are left out.
    """
    size = cell.shape[-1]
    F = torch.fft.fft2(cell).flatten()
    k = torch.fft.fftfreq(size, 1 / size, dtype=cell.dtype)
    ky, kx = (f.flatten() for f in torch.meshgrid(k, k, indexing="ij"))
    W, w = (torch.from_numpy(part).to(cell) for part in (setting.linear, setting.translations))
    images = torch.einsum("oij,ni->onj", W, torch.stack((kx, ky), -1))  # W^T k
    F = F * (images.abs() < size / 2).all(-1).all(0)  # whole orbits only: the others do not fit onto the grid
    total = torch.zeros_like(F)
    for t, to in zip(origin.to(cell) - W @ origin.to(cell) + w, images, strict=True):
        # f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k
        angle = 2 * torch.pi * (kx * t[0] + ky * t[1])
        where = (to[:, 1].long() % size) * size + to[:, 0].long() % size
        total = total.index_add(0, where, F * torch.complex(angle.cos(), angle.sin()))
    return torch.fft.ifft2(total.reshape(size, size) / len(setting.operations)).real


def residual(cell: Tensor, projected: Tensor) -> Tensor:
    """The fraction of a cell's variance that a projection removes, 0 if the cell has the group."""
    centred = cell - cell.mean((-2, -1), keepdim=True)
    return (cell - projected - (cell - projected).mean()).square().sum() / centred.square().sum()
