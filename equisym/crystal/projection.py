"""Fit each of the 17 groups to a cell: best setting, best origin, agreement and residual."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.correlation import SHELLS, Spectrum
from equisym.crystal.operation_maps import STRAIN, OperationMaps, Waves, correlate_operations
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.lattice import strains_to
from equisym.groups.operation import Matrix, Operation
from equisym.groups.reciprocal import turned_frequencies
from equisym.groups.setting import Setting, settings

_REACH = 0.75  # points of the grid of origins, on either side of the best one
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


@functools.lru_cache
def _places(grid: int) -> tuple[list[tuple[Matrix, NDArray[np.intp]]], list[list[int]]]:
    """Where the translation of an operation lies at every origin, and the operations of each setting among these.

    Operations that settings share are listed once. The places are flat indices, (grid**2,).
    """
    oy, ox = np.indices((grid, grid))
    known: dict[Operation, int] = {}
    places: list[tuple[Matrix, NDArray[np.intp]]] = []
    members = []
    for setting in settings():
        for op in setting.operations[1:]:
            if op not in known:
                known[op] = len(places)
                (a, b), (c, d) = op.W
                tx = ox - a * ox - b * oy + int(op.w[0] * grid)
                ty = oy - c * ox - d * oy + int(op.w[1] * grid)
                places.append((op.W, ((ty % grid) * grid + tx % grid).ravel()))
        members.append([known[op] for op in setting.operations[1:]])
    return places, members


def fit_groups(
    s: Spectrum, basis: Tensor, *, polish: int = 3, maps: Sequence[OperationMaps] | None = None
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
    grid, place, maps = found.maps.shape[-1], found.place, found.maps.flatten(-2).cpu().numpy()
    places, members = _places(grid)
    at_origins: dict[int, NDArray[np.floating]] = {}
    best: dict[str, tuple[float, Setting, int, float]] = {}
    strains = strains_to(basis, tuple(setting.matrices for setting in settings())).tolist()
    for setting, strain, operations in zip(settings(), strains, members, strict=True):
        if strain > STRAIN:
            continue
        for n in operations:
            if n not in at_origins:
                W, where = places[n]
                at_origins[n] = maps[place[W]].take(where)
        total = functools.reduce(np.add, [at_origins[n] for n in operations], np.zeros(1, maps.dtype))
        where = int(total.argmax())
        score = float(total[where]) / found.peak / max(len(operations), 1) - strain
        if setting.group.name not in best or score > best[setting.group.name][0]:
            best[setting.group.name] = (score, setting, where, strain)
    chosen = [best[group.name] for group in WALLPAPER_GROUPS if group.name in best]
    starts = found.maps.new_tensor([(at % grid, at // grid) for _, _, at, _ in chosen]) / grid
    fits = _refined(found, [setting for _, setting, _, _ in chosen], starts, [s for *_, s in chosen], polish)
    named = {fit.setting.group.name: fit for fit in fits}
    return [named.get(group.name) for group in WALLPAPER_GROUPS]


def _refined(
    found: OperationMaps, chosen: Sequence[Setting], origins: Tensor, strains: Sequence[float], polish: int
) -> list[Fit]:
    """Refine the origins of several groups by strong waves, and measure their operations there by all."""
    counts = [len(setting.operations) - 1 for setting in chosen]
    of = torch.tensor([i for i, count in enumerate(counts) for _ in range(count)], dtype=torch.long)
    row = torch.tensor([found.place[W] for setting in chosen for W in setting.matrices[1:]], dtype=torch.long)
    parts = zip(*((setting.linear[1:], setting.translations[1:]) for setting in chosen), strict=True)
    W, w = (torch.from_numpy(np.concatenate(part)).to(found.weight) for part in parts)

    def translations() -> Tensor:
        own = origins.index_select(0, of)
        return own - (W @ own[..., None])[..., 0] + w

    def by_group(values: Tensor) -> Tensor:
        return values.new_zeros(len(chosen), *values.shape[1:]).index_add(0, of, values)

    power = found.cross * found.weight
    wave = power.abs().amax(0)
    strong = (wave >= _STRONG * wave.max()).nonzero()[:, 0]
    few, every = Waves(found.k.index_select(0, strong)), Waves(found.k)
    product = power.index_select(1, strong).index_select(0, row)
    slope = 2 * torch.pi * (few.k - few.k @ W)  # of the phase with the origin, (operations, waves, 2)
    reach = _REACH / found.maps.shape[-1]
    for _ in range(polish):
        turned = product * few.phase(translations())
        gradient = -by_group((turned.imag[:, None] @ slope)[:, 0])
        curve = by_group((slope * turned.real[..., None]).mT @ slope)
        # along some directions the origin is free, as along a mirror: leave it there
        values, vectors = torch.linalg.eigh(curve)
        bent = values.abs()  # uphill also where the slope still grows, as between two points of the grid
        usable = bent > 1e-5 * bent.amax(-1, keepdim=True).clamp(min=1e-30)
        step = torch.where(usable, (vectors.mT @ gradient[..., None])[..., 0] / bent, torch.zeros_like(values))
        origins = origins + (vectors @ step[..., None])[..., 0].clamp(-reach, reach)
    turned = (found.cross.index_select(0, row) * every.phase(translations())).real
    total = by_group((turned * found.weight.index_select(0, row)).sum(-1))
    shells = 2 * turned.new_zeros(len(row), SHELLS).scatter_add(1, found.shell.expand(len(row), -1), turned)
    number = torch.tensor([count or 1 for count in counts])
    agreement = (total / (number * found.power)).nan_to_num(0.0).tolist()
    start, every_member, sizes = 0, [], []
    for setting, count in zip(chosen, counts, strict=True):
        every_member += [start + i - 1 for members in setting.classes for i in members]
        sizes.append([len(members) for members in setting.classes])
        start += count
    size = torch.tensor([n for part in sizes for n in part], dtype=torch.long)
    classes = shells.new_zeros(len(size), SHELLS).index_add(
        0, torch.arange(len(size)).repeat_interleave(size), shells[every_member]
    )
    parts = (classes / size[:, None]).split([len(part) for part in sizes])
    return [
        Fit(setting, origin, own if count else 1.0, strain, part)
        for setting, origin, own, strain, part, count in zip(
            chosen, origins % 1, agreement, strains, parts, counts, strict=True
        )
    ]


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
    W, w = (torch.from_numpy(part).to(cell) for part in (setting.linear, setting.translations))
    places, fits = _orbits(setting.matrices, size)
    F = F * fits  # whole orbits only: the others do not fit onto the grid
    total = torch.zeros_like(F)
    for t, where in zip(origin.to(cell) - W @ origin.to(cell) + w, places, strict=True):
        # f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k
        x, y = (torch.polar(torch.ones_like(k), 2 * torch.pi * k * part) for part in t)
        total = total.index_add(0, where, F * torch.outer(y, x).flatten())
    return torch.fft.ifft2(total.reshape(size, size) / len(setting.operations)).real


@functools.lru_cache(maxsize=64)
def _orbits(matrices: tuple[Matrix, ...], size: int) -> tuple[Tensor, Tensor]:
    """Where each matrix takes the frequencies of a cell, and which of these all of them keep on the grid."""
    k = np.fft.fftfreq(size, 1 / size)
    pairs = np.stack(np.meshgrid(k, k), -1).reshape(-1, 2)
    fits = (np.abs(pairs @ np.array(matrices, dtype=float)) < size / 2).all((0, 2))  # W^T k
    return torch.from_numpy(turned_frequencies(matrices, size)), torch.from_numpy(fits)


def residual(cell: Tensor, projected: Tensor) -> Tensor:
    """The fraction of a cell's variance that a projection removes, 0 if the cell has the group."""
    centred = cell - cell.mean((-2, -1), keepdim=True)
    return (cell - projected - (cell - projected).mean()).square().sum() / centred.square().sum()
