"""Superstructures of many weak waves, none of which is a peak: seen in averages over two or three cells."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.autocorrelate import squared_modulus
from equisym.crystal.cell_average import SIZE, average_cell
from equisym.crystal.shifts import Array
from equisym.crystal.superlattice import hermite_forms, wood
from equisym.crystal.tuned_constants import WeakLimits
from equisym.groups.lattice import reduce_basis

LIMITS = WeakLimits()
_RING = 4  # bins: waves of about one length


@dataclass(frozen=True)
class WeakSuperstructure:
    """A superlattice, and what its cell explains beyond that of the lattice.

    Attributes:
        basis: of the superlattice, columns in pixels.
        period: in terms of the lattice, such as "2 x 1".
        share: of the image's variance.
    """

    basis: Array
    period: str
    share: float


def find_weak_superstructure(
    left: Tensor, basis: Array, explained: float, mask: Tensor | None = None
) -> WeakSuperstructure | None:
    """The cell of two to nine cells of a lattice that explains more of an image, if one does.

    All waves that the larger cell adds count together, where :func:`find_unindexed` asks of each whether it is a peak.
    The even and the odd repeats of the larger cell are averaged apart, and only what both share counts, so that noise
    does not; what their waves differ by in phase says how much noise is left.

    Args:
        left: an image without its averaged cell and background, (H, W).
        basis: of the lattice, columns in pixels.
        explained: share of the image's variance that the averaged cell explains.
        mask: which pixels count, (H, W); all if not given.

    Returns:
        The superlattice; ``None`` if no larger cell explains 0.5 % of the variance more.

    >>> y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    >>> comb = sum(torch.cos(2 * torch.pi * (k + 0.5) * x / 12) for k in range(5))
    >>> found = find_weak_superstructure(comb, np.diag([12.0, 12.0]), 0.9)
    >>> found.period, round(found.share, 1)
    ('2 x 1', 0.1)
    """
    within = left if mask is None else left[mask]
    if 1 - explained < LIMITS.least:
        return None
    least = LIMITS.least / (1 - explained)  # of what is left
    variance = float(within.var())
    for n in (2, 3):
        few = within.numel() < 2 * LIMITS.fewest * n * n * abs(float(np.linalg.det(basis)))
        if few or _between(left, basis, n) < LIMITS.worth * least:
            continue
        powers = _added(left, basis, n, mask)
        seen = {k: (p, error) for k, (p, error) in powers.items() if not _may_be_folded(k, basis, n, left.shape)}
        whole = sum(p for p, error in seen.values() if p > LIMITS.certain * error)
        if whole < least * variance:
            continue
        for count in (n, n * n):
            found = [(sum(seen.get(k, (0.0, 0.0))[0] for k in _points(form, n)), form) for form in hermite_forms(count)]
            power, form = max(found, key=lambda pair: pair[0])
            if power > LIMITS.within * whole:
                share = power / variance * (1 - explained)
                return WeakSuperstructure(reduce_basis(basis @ form), wood(basis, form), share)
    return None


def stands_out(left: NDArray[np.float64], basis: Array, larger: Array) -> bool:
    r"""Whether waves of a superlattice stand out of all others that an image has beside those of its lattice.

    The power of what the cell leaves is folded modulo the reciprocal lattice, so that each fraction of a wave has one
    number, and those of the superlattice are compared with the spread of the rest. Disorder, and motifs that differ,
    make a speckle that any superlattice has a part of: the highest of n is ln n times its mean. Waves as long as the
    lattice's longest are left out, which blotches and uneven light have as well; or else they are compared with others
    as long, and must stand out ten times farther.

    Args:
        left: an image without its averaged cell and background, (H, W).
        basis: of the lattice, columns in pixels.
        larger: of the superlattice.

    >>> y, x = np.mgrid[:120, :120]
    >>> weak = sum(0.2 * np.cos(2 * np.pi * (k + 0.5) * x / 12) for k in range(3))
    >>> noise = 0.2 * np.random.default_rng(0).standard_normal((120, 120))
    >>> [stands_out(left, np.eye(2) * 12, np.diag([24.0, 12.0])) for left in (noise, noise + weak)]
    [False, True]
    """
    height, width = left.shape
    rows, columns = (np.hanning(length + 2)[1:-1] for length in left.shape)
    power = np.square(np.abs(np.fft.rfft2(left * np.outer(rows, columns))))
    power[:, 0] /= 2  # both of a pair q and -q are there
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    dual, length = np.linalg.inv(basis), np.hypot(x, y)
    first = min(float(np.linalg.norm(np.array(k) @ dual)) for k in ((1, 0), (0, 1), (1, 1), (1, -1)))
    bins = np.sqrt(LIMITS.finer * height * width / abs(np.linalg.det(basis)))
    parts = int(np.clip(bins, LIMITS.coarsest, LIMITS.finest))
    u, v = (np.floor(((ax * x + ay * y) % 1) * parts).astype(int) % parts for ax, ay in basis.T.tolist())
    matrix = np.rint(dual @ larger)
    count = round(abs(float(np.linalg.det(matrix))))
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2) @ np.linalg.inv(matrix)
    points = np.unique(np.round(grid % 1, 6) % 1, axis=0)
    places = [_around(k, parts) for k in points]

    def height_of(power: NDArray[np.float64]) -> float:
        folded = np.bincount((u * parts + v).ravel(), power.ravel(), parts**2).reshape(parts, parts)
        folded = folded + folded[::-1, ::-1]  # of q and -q
        elsewhere = folded[~np.any(places, 0)]
        highest = max(float(folded[place].max()) for k, place in zip(points, places, strict=True) if k.any())
        low, middle, high = np.quantile(elsewhere, (0.25, 0.5, 0.75)) if elsewhere.size else (0.0, 0.0, 0.0)
        return float((highest - middle) / max(high - low, 1e-30))

    if height_of(np.where(length > first, power, 0.0)) > LIMITS.beyond_chance:
        return True
    rings = np.minimum((length * min(height, width) / _RING).astype(int), height + width)
    usual = np.array([np.median(power[rings == k]) if (rings == k).any() else 0.0 for k in range(int(rings.max()) + 1)])
    near = (length > LIMITS.least_long * first) & (length < LIMITS.most_long * first)
    over = power / np.maximum(usual[rings], 1e-12 * power.max())
    return height_of(np.where(near, over, 0.0)) > LIMITS.far_beyond_chance


def _around(k: Array, parts: int) -> NDArray[np.bool_]:
    """Which of so many parts along each reciprocal vector are around a fraction of a wave."""
    near = [np.abs(((np.arange(parts) + 0.5) / parts - at + 0.5) % 1 - 0.5) * parts <= LIMITS.beside for at in k]
    return near[0][:, None] & near[1]


def _between(left: Tensor, basis: Array, n: int) -> float:
    """The most power of what is left that lies around one wave of an n x n cell, beyond what lies elsewhere.

    All points of the reciprocal lattice are laid upon one another.
    """
    height, width = left.shape
    rows, columns = (torch.hann_window(length + 2, periodic=False)[1:-1].to(left) for length in left.shape)
    power = squared_modulus(torch.fft.rfft2(left * torch.outer(rows, columns)))
    power[:, 0] /= 2  # both of a pair q and -q are there
    y, x = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    place = [torch.round((ax * x + ay * y) * LIMITS.parts).long() % LIMITS.parts for ax, ay in basis.T.tolist()]
    folded = torch.bincount((place[0] * LIMITS.parts + place[1]).flatten(), power.flatten(), LIMITS.parts**2)
    share = (folded / folded.sum()).reshape(LIMITS.parts, LIMITS.parts).numpy()
    share = share + np.roll(share[::-1, ::-1], (1, 1), (0, 1))  # of q and -q
    at = np.arange(LIMITS.parts) / LIMITS.parts

    def around(i: int, j: int) -> NDArray[np.bool_]:
        near = [np.abs((at - k / n + 0.5) % 1 - 0.5) < LIMITS.reach / n for k in (i, j)]
        return near[0][:, None] & near[1]

    most = 0.0
    for i, j in itertools.product(range(n), repeat=2):
        here = around(i, j) | around(-i, -j)
        elsewhere = ~here & ~around(0, 0)
        if i or j:
            most = max(most, float(share[here].sum() - share[elsewhere].mean() * here.sum()) / 2)
    return most


def _added(left: Tensor, basis: Array, n: int, mask: Tensor | None) -> dict[tuple[int, int], tuple[float, float]]:
    """Power of the waves of an n x n cell between those of the cell, and its error, by their place modulo n."""
    average = average_cell(
        left[None], torch.from_numpy(n * basis)[None].to(left), size=SIZE, trend_order=0, sharpen=1, mask=mask
    )
    first, second = torch.fft.fft2(average.half_sets[0], norm="forward").to(torch.complex128)
    both = first * second.conj()
    k = torch.fft.fftfreq(SIZE, 1 / SIZE).round().long() % n
    out = {}
    for i, j in itertools.product(range(n), repeat=2):
        if (i, j) != (0, 0):
            part = both[(k == j)[:, None] & (k == i)]
            out[i, j] = (float(part.real.sum()), float(part.imag.square().sum().sqrt()))
    return out


def _points(form: Array, n: int) -> list[tuple[int, int]]:
    """Waves of an n x n cell, modulo n, that a superlattice has and the lattice has not."""
    every = [(i, j) for i in range(n) for j in range(n) if i or j]
    return [k for k in every if not ((np.array(k) @ form) % n).any()]


def _may_be_folded(k: tuple[int, int], basis: Array, n: int, shape: torch.Size) -> bool:
    """Whether harmonics of the lattice that pixels fold back, by one cycle per pixel, have this place modulo n."""
    for cycles in itertools.product((-1, 0, 1), repeat=2):
        away = np.array(cycles) @ basis - np.array(k) / n
        bins = (away - np.rint(away)) @ np.linalg.inv(basis) * (shape[1], shape[0])
        if any(cycles) and np.abs(bins).max() < LIMITS.folded:
            return True
    return False
