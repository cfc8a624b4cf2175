"""Operation scores: how well each rotation, mirror and glide holds in a cell, at its best translation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equisym.crystal.correlation import Spectrum, correlation_maps, matrix_index
from equisym.crystal.projection import IDENTITY, STRAIN, search_weight
from equisym.groups.lattice import finite_order_matrices, strain_to
from equisym.groups.operation import Matrix, Operation

_PEAK = 4  # grid points: a peak is the highest so far around


@dataclass(frozen=True)
class OperationScore:
    """One operation of the lattice at its best translation.

    Attributes:
        W: linear part in the cell's basis.
        kind: rotation, mirror or glide; ``both`` where mirrors and glides alternate, as on a centred lattice.
        order: of a rotation: 2, 3, 4 or 6; 2 for reflections.
        score: correlation of the cell with its image under the operation, 1 if it holds.
        translation: in fractions of the cell, shape (2,).
        strain: of the lattice against the nearest one that has the operation.
    """

    W: Matrix
    kind: str
    order: int
    score: float
    translation: NDArray[np.float64]
    strain: float


def operation_scores(s: Spectrum, basis: Tensor, *, whitening: float = 0.0) -> list[list[OperationScore]]:
    """Score every operation that the lattice allows within a strain, in each of several cells.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        whitening: exponent that damps strong frequencies; 0 is the plain correlation of the signal.

    Returns:
        For each cell its operations, best first.
    """
    weight = search_weight(s, whitening)
    out = []
    for i in range(len(basis)):
        metric = basis[i].detach().double().cpu().numpy()
        strains = {m: strain_to(metric, _cyclic(m)) for m in finite_order_matrices() if m != IDENTITY}
        chosen = [m for m, strain in strains.items() if strain <= STRAIN]
        which = torch.tensor([matrix_index()[m] for m in (IDENTITY, *chosen)])
        maps = correlation_maps(s.select(i), weight[i : i + 1], which)[0]
        power = maps[0, 0, 0].item() or torch.finfo(maps.dtype).tiny
        scores = []
        for m, values in zip(chosen, maps[1:], strict=True):
            for kind, order, allowed in _kinds(m, values.shape[-1]):
                highest, where = values.flatten().masked_fill(~allowed, -np.inf).max(0)
                at = int(where)
                t = np.array([at % values.shape[-1], at // values.shape[-1]]) / values.shape[-1]
                scores.append(OperationScore(m, kind, order, highest.item() / power, t, strains[m]))
        out.append(sorted(scores, key=lambda o: -o.score))
    return out


def repeats_within(s: Spectrum, *, whitening: float = 0.5) -> Tensor:
    """How nearly each cell is periodic in itself: the highest peak of its autocorrelation on the torus, (B,).

    Near 1, the cell is a multiple of a smaller one, or of one that the image shows bent.
    """
    which = torch.tensor([matrix_index()[IDENTITY]])
    maps = correlation_maps(s, search_weight(s, whitening), which, refine=1)[:, 0]
    around = functional.max_pool2d(functional.pad(maps[:, None], (_PEAK,) * 4, mode="circular"), 2 * _PEAK + 1, 1)[:, 0]
    peaks = maps.masked_fill(maps != around, 0)
    peaks[:, 0, 0] = 0
    return peaks.amax((-2, -1)) / maps[:, 0, 0]


@lru_cache
def _cyclic(m: Matrix) -> tuple[Matrix, ...]:
    """The powers of a matrix."""
    powers = [IDENTITY]
    op = step = Operation(m, (0, 0))  # pyright: ignore[reportArgumentType]
    while op.W != IDENTITY:
        powers.append(op.W)
        op = op @ step
    return tuple(powers)


@lru_cache
def _kinds(m: Matrix, grid: int) -> tuple[tuple[str, int, Tensor], ...]:
    """Kind of an operation at each translation of a grid: tuples of kind, order and mask."""
    op = Operation(m, (0, 0))  # pyright: ignore[reportArgumentType]
    if op.determinant > 0:
        return (("rotation", op.rotation_order, torch.ones(grid * grid, dtype=torch.bool)),)
    (a, b), (c, d) = m
    k = torch.arange(grid)
    y, x = (t.flatten() for t in torch.meshgrid(k, k, indexing="ij"))
    twice = torch.stack((x + a * x + b * y, y + c * x + d * y), -1)  # the operation applied twice: a translation
    closes = (twice % grid == 0).all(-1)
    # (1 + W) of the lattice vectors: what a change of the translation by a lattice vector adds
    steps = {(1 + a, c), (b, 1 + d)} - {(0, 0)}
    along = next(iter(steps))
    g = int(np.gcd(*along))
    direction = (along[0] // g, along[1] // g)
    multiples = {s[0] // direction[0] if direction[0] else s[1] // direction[1] for s in steps}
    coordinate = twice[:, 0] // direction[0] if direction[0] else twice[:, 1] // direction[1]
    if np.gcd.reduce([abs(n) for n in multiples]) == 1:
        return (("both", 2, closes),)
    odd = (coordinate // grid) % 2 == 1
    return ("mirror", 2, closes & ~odd), ("glide", 2, closes & odd)
