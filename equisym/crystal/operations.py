"""Operation scores: how well each rotation, mirror and glide holds in a cell, at its best translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equisym.crystal.correlation import Spectrum, correlation_maps, matrix_index
from equisym.crystal.operation_maps import IDENTITY, OperationMaps, correlate_operations, search_weight
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


def operation_scores(
    s: Spectrum, basis: Tensor, *, whitening: float = 0.0, maps: Sequence[OperationMaps] | None = None
) -> list[list[OperationScore]]:
    """Score every operation that the lattice allows within a strain, in each of several cells.

    Args:
        s: spectrum of the cells.
        basis: their lattices, (B, 2, 2).
        whitening: exponent that damps strong frequencies; 0 is the plain correlation of the signal.
        maps: of :func:`correlate_operations` with that whitening, where they are at hand.

    Returns:
        For each cell its operations, best first.
    """
    maps = correlate_operations(s, basis, whitening=whitening) if maps is None else maps
    return [_scores(found) for found in maps]


def _scores(found: OperationMaps) -> list[OperationScore]:
    scores = []
    for m, values in zip(found.strains, found.maps.cpu().numpy(), strict=True):
        if m == IDENTITY:
            continue
        for kind, order, allowed in _kinds(m, values.shape[-1]):
            some = values.ravel() if allowed is None else values.ravel()[allowed]
            best = int(some.argmax())
            at = best if allowed is None else int(allowed[best])
            t = np.array([at % values.shape[-1], at // values.shape[-1]]) / values.shape[-1]
            scores.append(OperationScore(m, kind, order, float(some[best]) / found.peak, t, found.strains[m]))
    return sorted(scores, key=lambda o: -o.score)


def repeats_within(s: Spectrum, *, whitening: float = 0.5) -> Tensor:
    """How nearly each cell is periodic in itself: the highest peak of its autocorrelation on the torus, (B,).

    Near 1, the cell is a multiple of a smaller one, or of one that the image shows bent.
    """
    which = torch.tensor([matrix_index()[IDENTITY]])
    maps = correlation_maps(s, search_weight(s, whitening), which, refine=1)[:, 0]
    around = functional.pad(maps[:, None], (_PEAK,) * 4, mode="circular")
    for window in ((2 * _PEAK + 1, 1), (1, 2 * _PEAK + 1)):
        around = functional.max_pool2d(around, window, 1)
    around = around[:, 0]
    peaks = maps.masked_fill(maps != around, 0)
    peaks[:, 0, 0] = 0
    return peaks.amax((-2, -1)) / maps[:, 0, 0]


@lru_cache
def _kinds(m: Matrix, grid: int) -> tuple[tuple[str, int, NDArray[np.intp] | None], ...]:
    """Kinds of an operation: kind, order, and the translations of a grid where it is of that kind, ``None`` for all."""
    op = Operation(m, (0, 0))  # pyright: ignore[reportArgumentType]
    if op.determinant > 0:
        return (("rotation", op.rotation_order, None),)
    (a, b), (c, d) = m
    y, x = (t.ravel() for t in np.indices((grid, grid)))
    twice = np.stack((x + a * x + b * y, y + c * x + d * y), -1)  # the operation applied twice: a translation
    closes = (twice % grid == 0).all(-1)
    # (1 + W) of the lattice vectors: what a change of the translation by a lattice vector adds
    steps = {(1 + a, c), (b, 1 + d)} - {(0, 0)}
    along = next(iter(steps))
    g = int(np.gcd(*along))
    direction = (along[0] // g, along[1] // g)
    multiples = {s[0] // direction[0] if direction[0] else s[1] // direction[1] for s in steps}
    coordinate = twice[:, 0] // direction[0] if direction[0] else twice[:, 1] // direction[1]
    if np.gcd.reduce([abs(n) for n in multiples]) == 1:
        return (("both", 2, np.flatnonzero(closes)),)
    odd = (coordinate // grid) % 2 == 1
    return ("mirror", 2, np.flatnonzero(closes & ~odd)), ("glide", 2, np.flatnonzero(closes & odd))
