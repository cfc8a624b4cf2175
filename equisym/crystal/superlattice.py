"""Superlattices: the multiple of a lattice that indexes given waves, and its name in terms of the lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from equisym.crystal.indexing import Indexing
from equisym.crystal.lattice_search import SHORTEST
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import SpectralPeaks
from equisym.crystal.tuned_constants import OverlaidLimits
from equisym.groups.lattice import finite_order_matrices, reduce_basis

LIMITS = OverlaidLimits()
_LARGEST = 50  # cells of the lattice in one of a superlattice, at most: 7 x 7 are 49
_ANY = 9  # cells: larger superlattices are looked for only if the lattice is stretched, turned, or centred
_FEWEST = 4  # cells of the superlattice in the image
_CHANCE = 0.05  # probability that so many peaks are on a superlattice by accident
_SATELLITES = 4  # peaks, at least, that one wave vector accounts for
_MAY_BE_FOLDED = 0.4  # cycles per pixel, from which a wave may be one from beyond Nyquist
_LARGEST_PSEUDO, _STRONGEST = 16, 256  # cells in one of a superstructure, and waves that are looked at, at most
_LEAST_BEYOND, _MOST_BEYOND = 2e-3, 0.08  # of a cell's power, that makes it a superstructure of a smaller one
# the same for each of many cells, and for any number: a cell of n leaves 1 - 1/n to one of them by chance. Photographs
# of paving and fences that were repeated leave 8 to 16 % to one of nine or six; of ten pictures whose cell is one
# motif, none leaves less than 20 % to one of four or more
_MOST_EACH, _MOST_OF_MANY = 0.04, 0.2
_LONGEST = 2.5  # times the shorter side of a small cell of many, or the image is nearly of stripes
_FINEST = 0.12  # bins: no distance of a peak says more than this


def find_superlattice(found: SpectralPeaks, index: Indexing, repeats: float) -> Array | None:
    """The smallest superlattice that indexes all of some peaks, if that can hardly be by chance.

    The fewer its cells are in the image, the nearer to any peak one of its reciprocal points lies.

    Args:
        found: peaks that the lattice does not index.
        index: of the lattice.
        repeats: cells of the lattice in the image.

    Returns:
        Its vectors as columns, in terms of the lattice's; integers.
    """
    reach = index.reach(found.position)
    group = np.array(_alike(found.position @ index.basis))
    tried = 0
    for cells in range(2, min(_LARGEST, int(repeats / _FEWEST)) + 1):
        forms = np.array(hermite_forms(cells))
        tried += len(forms)
        away = index.offsets(found.position, index.basis @ forms)
        worst = (np.linalg.norm(away, axis=-1) - reach).max(-1)
        best = int(worst.argmin())
        if worst[best] > 0:
            continue
        # of those that differ by waves of the lattice, the mean is nearer; three of the rest are enough evidence
        means = [np.average(away[best][group == g], axis=0, weights=found.power[group == g]) for g in np.unique(group)]
        covered = np.pi * np.maximum((np.array(means) ** 2).sum(-1), _FINEST**2) * cells / repeats
        tried_for = tried * cells / 2  # small ones are likelier from the start
        if tried_for * np.sort(covered)[-3:].prod() < _CHANCE:
            named = cells <= _ANY or not wood(index.basis, forms[best]).startswith("(")
            return forms[best] if named else None
    return None


def find_wave_vector(found: SpectralPeaks, index: Indexing, repeats: float) -> Array | None:
    """The one wave vector by which, or by twice which, all of some peaks are beside the lattice's, if hardly by chance.

    Lines of a scan that hum displaces have such satellites, and so has any modulation by one wave. A second lattice
    and a quasicrystal need two vectors.

    Args:
        found: peaks that the lattice does not index, the strongest first.
        index: of the lattice.
        repeats: cells of the lattice in the image.

    Returns:
        The shortest such vector, in cycles per pixel.
    """
    if len(found) < _SATELLITES:
        return None
    first = index.offsets(found.position[:1])[0] / index.size
    orders = np.array([-2, -1, 1, 2])
    folded = np.where(np.abs(found.position) > _MAY_BE_FOLDED, np.sign(found.position), 0.0)
    places = found.position[:, None] - folded[:, None] * [(0, 0), (0, 1), (1, 0), (1, 1)]
    away = index.bins(places[:, :, None] - orders[:, None] * first).min((1, 2))
    reach = index.reach(found.position)
    tried = len(orders) * 2.0 ** (folded != 0).sum(1)
    covered = np.minimum(1, tried * np.pi * reach**2 / repeats)
    if (away > reach).any() or np.sort(covered[1:])[: _SATELLITES - 1].prod() > _CHANCE**2:
        return None
    return first


@dataclass(frozen=True)
class Pseudocell:
    """A smaller cell that an image nearly has.

    Attributes:
        basis: of its lattice, columns in pixels.
        period: of the true lattice in terms of this one, such as "2 x 1".
        beyond: share of the true cell's power that it leaves unexplained.
        wave: period in pixels of the one wave that makes the difference, as hum does; 0 if more do.
        fits: cells that hold one period of that wave, where they are few and it is exact; else 0.
        modulation: period in pixels of the waves that make the difference where the larger cell is none of theirs.
    """

    basis: Array
    period: str
    beyond: float
    wave: float = 0.0
    fits: int = 0
    modulation: float = 0.0


def find_pseudocell(basis: Array, index: Array, power: Array, *, laid_over: bool = True) -> Pseudocell | None:
    """The smallest cell that explains nearly all of an image's, if there is one: that image has a superstructure.

    Or the smallest that explains all but one wave, of whatever power: a wave that is laid over a pattern, such as hum
    of the mains, nearly repeats with some large cell.

    Args:
        basis: of the lattice, columns in pixels.
        index: of its waves, (n, 2) integers.
        power: of each, (n,), free of noise bias.
        laid_over: whether one wave may be laid over the pattern.

    >>> index = np.array([[1, 0], [2, 0], [0, 1]])
    >>> find_pseudocell(np.diag([20.0, 10.0]), index, np.array([0.05, 1.0, 1.0])).period
    '2 x 1'
    """
    moving = index.any(1)
    index, power = index[moving], power[moving]
    least = np.partition(power, -_STRONGEST)[-_STRONGEST] if len(power) > _STRONGEST else -np.inf
    strong = np.flatnonzero(power >= least)  # few of many: only these are sorted
    strong = strong[np.argsort(-power[strong], kind="stable")][:_STRONGEST]
    whole, power = index[strong].round().astype(np.int32), power[strong]
    total = float(power.sum())
    forms, starts = whole_forms(_LARGEST_PSEUDO)
    kept = waves_of_smaller(forms, whole)  # a whole number of waves of the smaller cell: k inverse(form transposed)
    beyond = 1 - kept.astype(float) @ power / max(total, 1e-30)
    for k in _lose_one_wave(whole, power, kept[: starts[1 - LIMITS.fewest]])[: int(laid_over)]:
        small = reduce_basis(basis @ np.linalg.inv(forms[k].T))
        wave = whole[np.where(kept[k], 0, power).argmax()] @ np.linalg.inv(basis)
        period = wood(small, np.rint(np.linalg.inv(small) @ basis))
        return Pseudocell(small, period, float(beyond[k]), 1 / float(np.linalg.norm(wave)))
    for start, stop in pairwise(starts):
        best = start + int(beyond[start:stop].argmin())
        count = round(float(np.linalg.det(forms[best])))
        if _LEAST_BEYOND < beyond[best] < max(_MOST_BEYOND, min(_MOST_EACH * count, _MOST_OF_MANY)):
            small = reduce_basis(basis @ np.linalg.inv(forms[best].T))
            short, long = sorted(np.linalg.norm(small, axis=0))
            if short < SHORTEST or (beyond[best] >= _MOST_BEYOND and long > _LONGEST * short):
                continue
            return Pseudocell(small, wood(small, np.rint(np.linalg.inv(small) @ basis)), float(beyond[best]))
    return None


def _lose_one_wave(index: NDArray[np.int32], power: Array, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which smaller cells, by the waves that each keeps, lose one alone, and keep others in two more directions."""
    lost = power - kept * power
    total = lost.sum(1)
    alone = 2 * lost.max(1, initial=0) > LIMITS.alone * total  # a wave and its twin
    found = np.flatnonzero(alone & (total > _LEAST_BEYOND * power.sum()))
    wave, held = index[lost[found].argmax(1), None], kept[found] * power
    beside = np.where(_across(index, wave) != 0, lost[found], 0.0).max(1, initial=0)  # a pattern's own wave has others
    few = beside < LIMITS.significant * lost[found].max(1, initial=0)
    found, wave, held = found[few], wave[few], held[few]
    rest = np.where(_across(index, wave) != 0, held, 0.0)
    other = np.where(_across(index, index[rest.argmax(1), None]) != 0, rest, 0.0)
    return found[other.sum(1) > LIMITS.across * held.sum(1)]


def _across(index: NDArray[np.int32], wave: NDArray[np.int32]) -> NDArray[np.int32]:
    """0 where waves are along another."""
    return index[:, 0] * wave[..., 1] - index[:, 1] * wave[..., 0]


def _alike(k: Array) -> list[int]:
    """A number for each of several waves, in units of the reciprocal lattice: the same where they differ by its points.

    A wave and its twin are one.
    """
    seen: list[Array] = []
    out = []
    for one in k:
        same = [
            n for n, other in enumerate(seen) for d in (one - other, one + other) if np.abs(d - np.rint(d)).max() < 0.1
        ]
        out.append(same[0] if same else len(seen))
        if not same:
            seen.append(one)
    return out


@lru_cache
def hermite_forms(index: int) -> tuple[Array, ...]:
    """All sublattices of an index, as integer matrices whose columns are their vectors in the lattice's.

    >>> len(hermite_forms(2)), len(hermite_forms(6))
    (3, 12)
    """
    divisors = [d for d in range(1, index + 1) if index % d == 0]
    return tuple(np.array([[d, s], [0.0, index // d]]) for d in divisors for s in range(d))


@lru_cache
def whole_forms(largest: int) -> tuple[NDArray[np.int32], list[int]]:
    """The same of all indices from the largest down to 2, as integers (n, 2, 2), and where those of each begin."""
    found = [np.array(hermite_forms(index), dtype=np.int32) for index in range(largest, 1, -1)]
    return np.concatenate(found), np.cumsum([0, *map(len, found)]).tolist()


def waves_of_smaller(forms: NDArray[np.int32], index: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which waves (n, 2) of a cell those have of which it is a sublattice, by Hermite forms (m, 2, 2); (m, n)."""
    d, s, rest = forms[:, 0, :1], forms[:, 0, 1:], forms[:, 1, 1:]
    steps, left = np.divmod(index[:, 1], rest)
    return (left == 0) & ((index[:, 0] - steps * s) % d == 0)


def wood(basis: Array, matrix: Array) -> str:
    """A superlattice in terms of the lattice, after Wood where both vectors turn by one angle; else its matrix.

    Args:
        basis: of the lattice, columns in pixels.
        matrix: whose columns are the superlattice's vectors in the lattice's.

    >>> hexagonal = np.array([[2.0, -1.0], [0.0, 3**0.5]])
    >>> wood(hexagonal, np.diag([2.0, 1.0])), wood(hexagonal, np.array([[3.0, 2.0], [0.0, 1.0]]))
    ('2 x 1', '√3 x √3 R30°')
    """
    inverse = np.linalg.inv(matrix)
    cells = round(abs(np.linalg.det(matrix)))

    def holds(vector: tuple[float, float]) -> bool:
        k = inverse @ vector
        return bool(np.abs(k - np.rint(k)).max() < 1e-6)

    p = next(n for n in range(1, cells + 1) if holds((n, 0)))
    q = next(n for n in range(1, cells + 1) if holds((0, n)))
    if p * q == cells:
        return f"{p} x {q}"
    turns = [reduce_basis(basis @ matrix) @ np.array(g) @ np.linalg.inv(basis) for g in finite_order_matrices()]
    turns = [t for t in turns if np.linalg.det(t) > 0 and np.abs(t.T @ t / cells - np.eye(2)).max() < 0.1]
    if turns:  # one turn and stretch for both vectors
        angle = min(round(abs(float(np.degrees(np.arctan2(t[1, 0], t[0, 0]))))) for t in turns)
        side = f"{math.isqrt(cells)}" if math.isqrt(cells) ** 2 == cells else f"√{cells}"
        return f"{side} x {side}" + (f" R{angle}°" if angle else "")
    if p * q == 2 * cells and holds((p / 2, q / 2)):
        return f"c({p} x {q})"
    (a, b), (c, d) = matrix.T.astype(int).tolist()
    return f"({a} {b} | {c} {d})"
