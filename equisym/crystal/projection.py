"""Fit each of the 17 groups to a cell: best setting, best origin, agreement and residual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from equisym.crystal.correlation import (
    SHELLS,
    Spectrum,
    matrix_index,
    over_translations,
    pair_weight,
    products,
)
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.setting import Setting, settings

STRAIN = 0.25  # settings that strain the lattice by more are not tried


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


def search_weight(s: Spectrum, whitening: float = 0.0) -> Tensor:
    """Weight of the coefficients: reliable ones count, and strong shells are damped by a power; (B, N, N)."""
    mean = s.signal.clamp(min=0) / s.count.clamp(min=1)
    strongest = mean.amax(-1, keepdim=True).clamp(min=torch.finfo(mean.dtype).tiny)
    level = (mean / strongest).clamp(min=1e-6)
    weight = s.reliability**2 * level ** (-whitening) * (s.count > 0)
    weight = torch.cat((weight, weight.new_zeros(len(weight), 1)), -1)
    return weight.gather(-1, s.shell.flatten(1)).reshape(s.shell.shape)


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


def fit_groups(s: Spectrum, basis: Tensor, *, polish: int = 2) -> list[list[Fit | None]]:
    """Find the best fit of each of the 17 groups to each cell.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        polish: Newton steps on the origin.

    Returns:
        For each cell, seventeen fits in label order; ``None`` where the lattice would have to be strained too far.
    """
    weight = search_weight(s)
    return [_fit_one(s.select(i), weight[i : i + 1], basis[i], polish) for i in range(len(basis))]


def _fit_one(s: Spectrum, weight: Tensor, basis: Tensor, polish: int) -> list[Fit | None]:
    metric = basis.detach().double().cpu().numpy()
    strains = [setting.strain(metric) for setting in settings()]
    index = matrix_index()
    needed = sorted({index[m] for t, e in zip(settings(), strains, strict=True) if e <= STRAIN for m in t.matrices})
    which = torch.tensor(needed)
    place = {m: needed.index(i) for m, i in index.items() if i in needed}
    pairs = _Pairs(s, weight, which)
    maps = pairs.maps.flatten(-2)
    grid = pairs.maps.shape[-1]
    power = maps[place[IDENTITY], 0].item() or torch.finfo(maps.dtype).tiny  # 0 where no wave is reliable
    best: dict[str, tuple[float, Setting, int, float]] = {}
    for setting, strain, gather in zip(settings(), strains, _gathers(grid), strict=True):
        if strain > STRAIN:
            continue
        total = maps.new_zeros(grid * grid)
        for op, where in zip(setting.operations[1:], gather, strict=True):
            total += maps[place[op.W]].index_select(0, where)
        most, where = total.max(0)
        at = int(where)
        score = most.item() / power / max(len(setting.operations) - 1, 1) - strain
        if setting.group.name not in best or score > best[setting.group.name][0]:
            best[setting.group.name] = (score, setting, at, strain)
    fits: list[Fit | None] = []
    for group in WALLPAPER_GROUPS:
        if group.name not in best:
            fits.append(None)
            continue
        _, setting, at, strain = best[group.name]
        origin = torch.tensor([at % grid, at // grid], dtype=maps.dtype) / grid
        chosen = torch.tensor([place[m] for m in setting.matrices[1:]], dtype=torch.long)
        fits.append(pairs.measure(setting, chosen, origin, strain, polish))
    return fits


IDENTITY = ((1, 0), (0, 1))


class _Pairs:
    """The products F(k) conj F(W^T k) of one cell over half the frequencies, ready to be summed at any translation."""

    def __init__(self, s: Spectrum, weight: Tensor, which: Tensor) -> None:
        size = s.full.shape[-1]
        k = torch.fft.fftfreq(size, 1 / size)
        ky, kx = (f.flatten() for f in torch.meshgrid(k, k, indexing="ij"))
        half = (kx > 0) | ((kx == 0) & (ky > 0))
        keep = half & (kx.abs() < size // 2) & (ky.abs() < size // 2) & (s.shell[0].flatten() < SHELLS)
        self.k = torch.stack((kx[keep], ky[keep]), -1).to(weight)
        self.shell = s.shell[0].flatten()[keep]
        cross, pair = products(s, which), pair_weight(weight, which)
        self.maps = over_translations(cross * pair, size)[0]
        self.cross, self.weight = cross[0][:, keep], pair[0][:, keep]
        own = (s.half[0, 0] * s.half[0, 1].conj()).real.sum(0).flatten()[keep]
        self.power = (own * weight.flatten()[keep]).sum()

    def measure(self, setting: Setting, chosen: Tensor, origin: Tensor, strain: float, polish: int) -> Fit:
        """Refine the origin and measure the operations there."""
        if not len(chosen):
            return Fit(setting, origin, 1.0, strain, self.weight.new_zeros(0, SHELLS))
        operations = setting.operations[1:]
        W = torch.tensor([op.W for op in operations]).to(self.weight)
        w = torch.tensor([[float(t) for t in op.w] for op in operations]).to(self.weight)
        cross, weight = self.cross[chosen], self.weight[chosen]
        slope = 2 * torch.pi * (self.k - self.k @ W).flatten(0, 1)  # of the phase with the origin, (operations * K, 2)
        for _ in range(polish):
            turned = cross * self._phase(origin - W @ origin + w)
            gradient = -(turned.imag * weight).flatten() @ slope
            curve = (slope * (turned.real * weight).flatten()[:, None]).T @ slope
            # along some directions the origin is free, as along a mirror: leave it there
            values, vectors = torch.linalg.eigh(curve)
            usable = values > 1e-5 * values.max().clamp(min=1e-30)
            step = vectors @ torch.where(usable, (vectors.T @ gradient) / values, torch.zeros_like(values))
            origin = origin + step.clamp(-0.01, 0.01)
        turned = (cross * self._phase(origin - W @ origin + w)).real
        agreement = ((turned * weight).sum() / (len(operations) * self.power)).nan_to_num(0.0)
        shells = turned.new_zeros(len(operations), SHELLS)
        shells = 2 * shells.scatter_add(1, self.shell.expand(len(operations), -1), turned)
        classes = torch.stack([shells[[i - 1 for i in c]].mean(0) for c in setting.classes])
        return Fit(setting, origin % 1, agreement.item(), strain, classes)

    def _phase(self, t: Tensor) -> Tensor:
        angle = 2 * torch.pi * (t @ self.k.T)
        return torch.complex(angle.cos(), angle.sin())


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
    W = torch.tensor(setting.matrices).to(cell)
    images = torch.einsum("oij,ni->onj", W, torch.stack((kx, ky), -1))  # W^T k
    F = F * (images.abs() < size / 2).all(-1).all(0)  # whole orbits only: the others do not fit onto the grid
    total = torch.zeros_like(F)
    for op, linear, to in zip(setting.operations, W, images, strict=True):
        # f(W u + t) has the coefficient F(k) exp(2 pi i k t) at W^T k
        t = origin.to(cell) - linear @ origin.to(cell) + torch.from_numpy(op.translation).to(cell)
        angle = 2 * torch.pi * (kx * t[0] + ky * t[1])
        where = (to[:, 1].long() % size) * size + to[:, 0].long() % size
        total = total.index_add(0, where, F * torch.complex(angle.cos(), angle.sin()))
    return torch.fft.ifft2(total.reshape(size, size) / len(setting.operations)).real


def residual(cell: Tensor, projected: Tensor) -> Tensor:
    """The fraction of a cell's variance that a projection removes, 0 if the cell has the group."""
    centred = cell - cell.mean((-2, -1), keepdim=True)
    return (cell - projected - (cell - projected).mean()).square().sum() / centred.square().sum()
