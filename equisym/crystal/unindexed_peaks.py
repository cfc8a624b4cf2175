"""Sharp peaks of a spectrum that the lattice does not index: signs of a superstructure or a second lattice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from equisym.crystal.indexing import Indexing, offsets, spanned
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.crystal.superlattice import find_superlattice, find_wave_vector, wood
from equisym.crystal.tuned_constants import ModulationLimits, PeakLimits
from equisym.groups.lattice import reduce_basis

Kind = Literal["none", "superstructure", "modulation", "single wave", "second lattice", "not periodic"]

LIMITS, MODULATION = PeakLimits(), ModulationLimits()


@dataclass(frozen=True)
class Unindexed:
    """What of an image's spectrum its lattice leaves unexplained.

    Attributes:
        kind: "none"; "superstructure": all at points of a superlattice; "modulation": near them, but so far off that
            they slip over the image, or beside the lattice's own by one wave vector; "single wave": along one line,
            such as hum of the mains; "second lattice": on a lattice of their own; "not periodic": on no lattice.
        strength: their power as a part of the power of all peaks.
        peaks: those that the lattice does not index, the strongest first.
        bases: of the superlattice, or of both lattices, columns in pixels; none for other kinds.
        period: of the superstructure in terms of the lattice, such as "2 x 1"; of the modulation, in pixels; empty for
            other kinds.
    """

    kind: Kind
    strength: float
    peaks: SpectralPeaks
    bases: tuple[Array, ...] = ()
    period: str = ""


def find_unindexed(
    image: Tensor,
    lattice: Lattice,
    *,
    tiled: Tensor | None = None,
    mask: Tensor | None = None,
    spectrum: PowerSpectrum | None = None,
    explained: float = 0.0,
    split: bool = True,
) -> Unindexed:
    """Find the sharp peaks of an image's spectrum that its lattice does not index, and what they are.

    They are looked for in the image and in what the averaged cell leaves of it. A harmonic beyond Nyquist is folded
    back by whole cycles per pixel: it is indexed as such, as long as it is no stronger than the other peaks promise.
    A lattice of few large cells has a point near any wave, but at no more than a few of them exactly: if the
    strong peaks are off their points, and off the peaks of the averaged cell's own image, by more than background and
    noise explain, none of them counts as indexed. A scan that is strained or bent moves all peaks alike, which the
    lattice fitted to them follows. Peaks that are off by m bins slip by m periods over the image, and an average leaves
    (2 pi m)^2 / 12 of them: where the cell explains more than that, perspective or bending has smeared the peaks.

    Args:
        image: grey image, (H, W).
        lattice: that of the image.
        tiled: averaged cell and trend at each pixel, (H, W); without it, only the image is used.
        mask: which pixels to look at, (H, W); all if not given.
        spectrum: of the image, if known.
        explained: share of the image's variance that the averaged cell explains, if known.
        split: whether peaks near the lattice's points may be those of another, which shading that inverts the contrast
            of a colour feigns.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> square = torch.cos(2 * torch.pi * x / 9) + torch.cos(2 * torch.pi * y / 9)
    >>> lattice = Lattice(np.eye(2) * 9, np.zeros((2, 2)), 1.0, 200.0)
    >>> find_unindexed(square, lattice).kind
    'none'
    >>> found = find_unindexed(square + 0.2 * torch.cos(torch.pi * x / 9), lattice)
    >>> found.kind, found.period, round(found.strength, 2)
    ('superstructure', '2 x 1', 0.02)
    """
    whole = PowerSpectrum(image, mask) if spectrum is None else spectrum
    if whole.broadening > LIMITS.broadest:
        return Unindexed("none", 0.0, whole.maxima()[:0])
    every = whole.maxima()
    index = Indexing(lattice, whole, every)
    holds = index.holds(every.position)
    own = every[holds]
    strong = exact_peaks(whole, own)
    few = lattice.repeats < LIMITS.few  # cells, whose average takes in what is off the lattice as well
    away = _away(strong, index.bins(strong.position, index.fitted_to(strong)))
    # two numbers of each peak's place, less the four of the lattice
    limit = _allowed(strong) * (LIMITS.stricter if few else 1.0) * (1 - 2 / max(len(strong), 3)) ** 0.5
    if away > limit and tiled is not None:  # peaks that overlap draw each other aside, in the average as well
        away = min(away, _away(strong, _from_those_of(PowerSpectrum(tiled, mask), strong, index.size)))
    slips = min(1.0, (2 * np.pi * away) ** 2 / 12)
    by_chance = np.pi * away**2 / lattice.repeats  # a peak is so near a point
    if away > limit and split and by_chance > LIMITS.by_chance and (few or 1 - explained > LIMITS.borne_out * slips):
        return _apart(strong, index)
    periodic = float(own.power.sum())
    found = _sharp(whole, every[~holds], every, periodic)
    if tiled is not None:
        left = PowerSpectrum(image - tiled, mask, variance=whole.variance)
        more = left.maxima()
        found = _joined(found, _sharp(left, more[~index.holds(more.position)], every, periodic), index.size)
    found = found[~index.folded(found)]
    if not len(found):
        return Unindexed("none", 0.0, found)
    strength = float(found.power.sum() / (found.power.sum() + periodic))
    matrix = find_superlattice(found, index, lattice.repeats)
    second = spanned(found, index.size)
    if second is not None and found.power[second[1]].sum() <= LIMITS.explained * found.power.sum():
        second = None
    cells = 1.0 if matrix is None else abs(float(np.linalg.det(matrix)))
    small = abs(float(np.linalg.det(lattice.basis))) * cells / LIMITS.simpler
    if matrix is not None and not (second and cells > LIMITS.plain and abs(np.linalg.det(second[0])) < small):
        slips = found.median(index.bins(found.position, index.basis @ matrix))
        if slips > MODULATION.slips + MODULATION.known * found.median(whole.sharpness(found.position) ** -0.5):
            wave = float(np.linalg.norm(offsets(found.position[:1], index.basis)))
            return Unindexed("modulation", strength, found, (), f"{1 / wave:.1f}")
        bases = (reduce_basis(lattice.basis @ matrix),)
        return Unindexed("superstructure", strength, found, bases, wood(lattice.basis, matrix))
    if _collinear(found, index.size):
        return Unindexed("single wave", strength, found)
    if second is not None:
        return Unindexed("second lattice", strength, found, (lattice.basis, reduce_basis(second[0])))
    wave = find_wave_vector(found, index, lattice.repeats)
    if wave is not None and np.linalg.norm(wave * index.size) < LIMITS.envelope:
        return Unindexed("none", 0.0, found[:0])  # the pattern is stronger in a part of the image
    if wave is not None:
        return Unindexed("modulation", strength, found, (), f"{1 / np.linalg.norm(wave):.1f}")
    return Unindexed("not periodic", strength, found)


def exact_peaks(spectrum: PowerSpectrum, own: SpectralPeaks) -> SpectralPeaks:
    """The strongest peaks whose places are known to a fraction of a bin."""
    own = own[np.linalg.norm(own.position, axis=-1) < LIMITS.finest][: LIMITS.strongest]
    own = SpectralPeaks(own.position, own.power, spectrum.sharpness(own.position))
    return own[own.sharpness > LIMITS.exact]


def _away(strong: SpectralPeaks, bins: Array) -> float:
    """Root mean square distance of peaks from where they should be, in bins; 0 for too few to tell."""
    return float(np.sqrt(np.average(bins**2, weights=strong.power))) if len(strong) >= 4 else 0.0


def _allowed(strong: SpectralPeaks) -> float:
    """The distance from their lattice that background and noise explain, in bins."""
    if not len(strong):
        return LIMITS.misfit
    known = float(np.sqrt(np.average(1 / strong.sharpness, weights=strong.power)))
    return max(LIMITS.misfit, LIMITS.precision * known)


def _from_those_of(other: PowerSpectrum, strong: SpectralPeaks, size: Array) -> Array:
    """The distance of peaks from the nearest of another spectrum, in bins."""
    there = other.maxima().position
    apart = (strong.position[:, None] - np.concatenate((there, -there))) * size
    return np.linalg.norm(apart, axis=-1).min(1, initial=np.inf)


def _apart(strong: SpectralPeaks, index: Indexing) -> Unindexed:
    """Peaks of an image whose lattice is only near them: on two lattices, or on none."""
    first = spanned(strong, index.size)
    if first is None:
        return Unindexed("not periodic", 1.0, strong)
    rest = strong[~first[1]]
    if len(rest) < 2 and not (rest.sharpness > LIMITS.alone).any():
        return Unindexed("none", 0.0, rest[:0])
    strength = float(rest.power.sum() / strong.power.sum())
    second = spanned(rest, index.size)
    if second is not None and rest.power[second[1]].sum() > LIMITS.explained * rest.power.sum():
        return Unindexed("second lattice", strength, rest, (reduce_basis(first[0]), reduce_basis(second[0])))
    return Unindexed("not periodic", strength, rest)


def _sharp(spectrum: PowerSpectrum, some: SpectralPeaks, every: SpectralPeaks, periodic: float) -> SpectralPeaks:
    """The sharp ones of some peaks, without those on the skirts of stronger ones."""
    some = some[some.power > LIMITS.least * periodic][: LIMITS.strongest]
    some = SpectralPeaks(some.position, some.power, spectrum.sharpness(some.position))
    some = some[some.sharpness > LIMITS.sharp]
    every = every[every.power > LIMITS.least * periodic]
    size = np.array([spectrum.width, spectrum.height])
    apart = (some.position[:, None] - np.concatenate((every.position, -every.position))) * size
    wide = LIMITS.skirt + 0.012 * np.linalg.norm(some.position, axis=-1) * size.max()
    near = np.linalg.norm(apart, axis=-1) < wide[:, None]
    stronger = some.power[:, None] < LIMITS.weaker * np.concatenate((every.power, every.power))
    return some[~(near & stronger).any(-1)]


def _joined(first: SpectralPeaks, second: SpectralPeaks, size: Array) -> SpectralPeaks:
    """The peaks of both, those of the second only where the first has none."""
    apart = (second.position[:, None] - np.concatenate((first.position, -first.position))) * size
    new = second[~(np.linalg.norm(apart, axis=-1) < 2).any(-1)]
    pairs = ((first.position, new.position), (first.power, new.power), (first.sharpness, new.sharpness))
    both = SpectralPeaks(*(np.concatenate(pair) for pair in pairs))
    return both[np.argsort(-both.power, kind="stable")]


def _collinear(found: SpectralPeaks, size: Array) -> bool:
    """Whether peaks are along one line through the origin, to a bin and a half."""
    x, y = (found.position * size).T
    farthest = int(np.hypot(x, y).argmax())
    across = np.abs(x * y[farthest] - y * x[farthest]) / np.hypot(x, y)[farthest]
    return bool((across < 1.5).all())
