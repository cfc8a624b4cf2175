"""How a cell correlates with its own image under each operation that its lattice admits, at every translation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from equisym.crystal.correlation import (
    SHELLS,
    Spectrum,
    half_plane,
    matrix_index,
    over_translations,
    pair_weight,
    products,
)
from equisym.groups.lattice import finite_order_matrices, strains_to
from equisym.groups.operation import Matrix, Operation

STRAIN = 0.25  # operations that strain the lattice by more are not tried
IDENTITY: Matrix = ((1, 0), (0, 1))


@dataclass(frozen=True)
class OperationMaps:
    """Products F(k) conj F(W^T k) of one cell, and their sums over k at all translations.

    Attributes:
        strains: of the lattice against the nearest one that has each operation, by its linear part, the identity first.
        maps: correlations, not normalised, (M, G, G); row along b, column along a.
        k: frequencies of half the plane that count, (K, 2).
        shell: the shell of each, (K,).
        cross: products at those, (M, K) complex.
        weight: of those, (M, K).
        power: the sum of what the half sets share at those, weighted.
    """

    strains: dict[Matrix, float]
    maps: Tensor
    k: Tensor
    shell: Tensor
    cross: Tensor
    weight: Tensor
    power: Tensor

    @property
    def place(self) -> dict[Matrix, int]:
        """Row of each operation."""
        return {m: i for i, m in enumerate(self.strains)}

    @property
    def peak(self) -> float:
        """The correlation of the cell with itself; not 0 where no wave is reliable."""
        return self.maps[0, 0, 0].item() or torch.finfo(self.maps.dtype).tiny


def correlate_operations(s: Spectrum, basis: Tensor, *, whitening: float = 0.0) -> list[OperationMaps]:
    """Correlate each of several cells with itself under all operations that its lattice admits within a strain.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        whitening: exponent that damps strong frequencies; 0 is the plain correlation of the signal.
    """
    weight = search_weight(s, whitening)
    return [_maps(s.select(i), weight[i : i + 1], basis[i]) for i in range(len(basis))]


def search_weight(s: Spectrum, whitening: float = 0.0) -> Tensor:
    """Weight of the coefficients: reliable ones count, and strong shells are damped by a power; (B, N, N)."""
    mean = s.signal.clamp(min=0) / s.count.clamp(min=1)
    strongest = mean.amax(-1, keepdim=True).clamp(min=torch.finfo(mean.dtype).tiny)
    level = (mean / strongest).clamp(min=1e-6)
    weight = s.reliability**2 * level ** (-whitening) * (s.count > 0)
    weight = torch.cat((weight, weight.new_zeros(len(weight), 1)), -1)
    return weight.gather(-1, s.shell.flatten(1)).reshape(s.shell.shape)


def _maps(s: Spectrum, weight: Tensor, basis: Tensor) -> OperationMaps:
    metric = basis.detach().double().cpu().numpy()
    matrices = finite_order_matrices()
    strains = dict(zip(matrices, strains_to(metric, tuple(map(_powers, matrices))).tolist(), strict=True))
    strains = {m: strain for m, strain in strains.items() if strain <= STRAIN}
    which = torch.tensor([matrix_index()[m] for m in strains])
    size = s.full.shape[-1]
    k = torch.fft.fftfreq(size, 1 / size)
    ky, kx = (half_plane(f) for f in torch.meshgrid(k, k, indexing="ij"))
    shell = half_plane(s.shell[0])
    half = (kx > 0) | ((kx == 0) & (ky > 0))
    keep = (half & (kx.abs() < size // 2) & (ky.abs() < size // 2) & (shell < SHELLS)).nonzero()[:, 0]
    cross, pair = products(s, which), pair_weight(weight, which)
    maps = over_translations(cross * pair, size)[0]
    own = half_plane((s.half[0, 0] * s.half[0, 1].conj()).real.sum(0))
    power = (own * half_plane(weight[0])).index_select(0, keep).sum()
    k = torch.stack((kx, ky), -1).to(weight).index_select(0, keep)
    cross, pair = (found[0].index_select(1, keep) for found in (cross, pair))
    return OperationMaps(strains, maps, k, shell.index_select(0, keep), cross, pair, power)


@lru_cache
def _powers(m: Matrix) -> tuple[Matrix, ...]:
    """The powers of a matrix."""
    powers = [IDENTITY]
    op = step = Operation(m, (0, 0))  # pyright: ignore[reportArgumentType]
    while op.W != IDENTITY:
        powers.append(op.W)
        op = op @ step
    return tuple(powers)


class Waves:
    """Waves of whole frequencies (K, 2), ready for their phases at any translation."""

    def __init__(self, k: Tensor) -> None:
        self.k = k
        self.sides = [
            (line - (least := int(line.min())), torch.arange(least, int(line.max()) + 1).to(k))
            for line in k.long().unbind(1)
        ]

    def phase(self, t: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """exp(2 pi i k t) for translations t (M, 2), by factors of either direction; (M, K)."""
        factors = []
        for (place, values), part in zip(self.sides, t.unbind(1), strict=True):
            angle = 2 * torch.pi * part[:, None] * values
            factors.append(torch.complex(angle.cos(), angle.sin()).to(dtype).index_select(1, place))
        return factors[0] * factors[1]
