"""How well a cell agrees with each of the 17 groups: best setting, best origin, and what each operation says there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from equisym.crystal.correlation import (
    RINGS,
    Spectrum,
    by_ring,
    correlation_maps,
    matrix_index,
    products,
    transposed_frequencies,
)
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.setting import Setting, settings

STRAIN = 0.25  # no setting that strains the lattice by more is looked at


@dataclass(frozen=True)
class Fit:
    """The best way to lay one group into one cell.

    Attributes:
        setting: orientation of the group.
        origin: of the group, in fractions of the cell, (2,).
        agreement: mean correlation of the operations other than the identity, 1 if the cell has the group.
        strain: of the lattice against the nearest one that has the group's point group.
        rings: for each class of operations, correlation power on each ring, (classes, RINGS).
    """

    setting: Setting
    origin: Tensor
    agreement: float
    strain: float
    rings: Tensor


def search_weight(s: Spectrum, whitening: float = 0.5) -> Tensor:
    """Weight on the coefficients: reliable ones count, and strong rings are held back by a power; (B, N, N)."""
    mean = s.signal.clamp(min=0) / s.count.clamp(min=1)
    strongest = mean.amax(-1, keepdim=True).clamp(min=torch.finfo(mean.dtype).tiny)
    level = (mean / strongest).clamp(min=1e-6)
    weight = s.reliability**2 * level ** (-whitening) * (s.count > 0)
    weight = torch.cat((weight, weight.new_zeros(len(weight), 1)), -1)
    return weight.gather(-1, s.ring.flatten(1)).reshape(s.ring.shape)


@lru_cache
def _gathers(grid: int) -> list[Tensor]:
    """For each setting, the flat index of the translation of each operation at every origin; (operations, grid**2)."""
    k = torch.arange(grid)
    oy, ox = torch.meshgrid(k, k, indexing="ij")
    found = []
    for setting in settings():
        rows = []
        for op in setting.operations:
            (a, b), (c, d) = op.W
            tx = ox - a * ox - b * oy + int(op.w[0] * grid)
            ty = oy - c * ox - d * oy + int(op.w[1] * grid)
            rows.append(((ty % grid) * grid + tx % grid).flatten())
        found.append(torch.stack(rows))
    return found


def fit_groups(s: Spectrum, basis: Tensor, *, polish: int = 3) -> list[list[Fit | None]]:
    """Lay each of the 17 groups into each cell as well as it will go.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        polish: Newton steps on the origin.

    Returns:
        For each cell, seventeen fits in label order; ``None`` where the lattice would be strained too far.
    """
    weight = search_weight(s)
    maps = correlation_maps(s, weight)
    batch, _, grid, _ = maps.shape
    flat = maps.flatten(-2)
    index = matrix_index()
    power = flat[:, 0, 0]
    out = []
    for image in range(batch):
        metric = basis[image].detach().double().cpu().numpy()
        best: dict[str, tuple[float, Setting, int, float]] = {}
        for setting, gather in zip(settings(), _gathers(grid), strict=True):
            strain = setting.strain(metric)
            if strain > STRAIN:
                continue
            if len(setting.operations) == 1:
                best["p1"] = (1.0, setting, 0, strain)
                continue
            total = torch.zeros(grid * grid, dtype=flat.dtype, device=flat.device)
            for op, where in zip(setting.operations[1:], gather[1:], strict=True):
                total += flat[image, index[op.W]][where]
            at = int(total.argmax())
            score = (total[at] / power[image]).item() / (len(setting.operations) - 1)
            if setting.group.name not in best or score - strain > best[setting.group.name][0] - best[setting.group.name][3]:
                best[setting.group.name] = (score, setting, at, strain)
        fits = []
        one = _select(s, image)
        for group in WALLPAPER_GROUPS:
            if group.name not in best:
                fits.append(None)
                continue
            score, setting, at, strain = best[group.name]
            origin = torch.tensor([at % grid, at // grid], dtype=flat.dtype) / grid
            fits.append(_measure(one, weight[image], setting, origin, strain, polish))
        out.append(fits)
    return out


def _select(s: Spectrum, i: int) -> Spectrum:
    return Spectrum(*(getattr(s, name)[i : i + 1] for name in ("full", "half", "ring", "signal", "total", "count")))


@lru_cache
def _frequencies(size: int) -> Tensor:
    k = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    ky, kx = torch.meshgrid(k, k, indexing="ij")
    return torch.stack((kx, ky), -1).reshape(-1, 2)


def _measure(s: Spectrum, weight: Tensor, setting: Setting, origin: Tensor, strain: float, polish: int) -> Fit:
    if len(setting.operations) == 1:
        return Fit(setting, origin, 1.0, strain, torch.zeros(0, RINGS, dtype=weight.dtype))
    size = s.full.shape[-1]
    operations = setting.operations[1:]
    which = torch.tensor([matrix_index()[op.W] for op in operations])
    cross = products(s, which)[0]
    k = _frequencies(size).to(weight)
    inside = (k.abs().amax(-1) < size // 2) & (weight.flatten() > 0)
    W = torch.tensor([op.W for op in operations]).to(weight)
    w = torch.tensor([[float(t) for t in op.w] for op in operations]).to(weight)
    index, _ = transposed_frequencies(size)
    flat = weight.flatten()
    both = (flat * flat[index[which]]).sqrt()[:, inside]
    cross, k = cross[:, inside], k[inside]
    slope = 2 * torch.pi * (k - k @ W)  # d(phase)/d(origin): k (1 - W) for each operation, (ops, K, 2)
    for _ in range(polish):
        t = origin - W @ origin + w
        turned = cross * torch.exp(2j * torch.pi * (t @ k.T))
        value, change = turned.real * both, turned.imag * both
        gradient = -(change[..., None] * slope).sum((0, 1))
        hessian = -torch.einsum("ok,oki,okj->ij", value, slope, slope)
        # p1's and a mirror's origin is free along some direction: leave it there
        values, vectors = torch.linalg.eigh(-hessian)
        usable = values > 1e-6 * values.max().clamp(min=1e-30)
        step = vectors @ torch.where(usable, (vectors.T @ gradient) / values, torch.zeros_like(values))
        limit = 1.0 / size
        origin = origin + step.clamp(-limit, limit)
    t = origin - W @ origin + w
    turned = (cross * torch.exp(2j * torch.pi * (t @ k.T))).real
    agreement = (turned * both).sum() / (len(operations) * (flat[inside] * s_power(s)[inside]).sum())
    rings = s.ring.flatten()[inside]
    profile = torch.zeros(len(operations), RINGS + 1, dtype=weight.dtype)
    profile = profile.scatter_add(1, rings.expand(len(operations), -1), turned)[:, :RINGS]
    classes = torch.stack([profile[[i - 1 for i in c]].mean(0) for c in setting.classes])
    return Fit(setting, origin % 1, agreement.item(), strain, classes)


def s_power(s: Spectrum) -> Tensor:
    """Signal power of each coefficient as the halves share it, (N*N,)."""
    return (s.half[0, 0] * s.half[0, 1].conj()).real.flatten()
