"""Which frequencies a lattice indexes, how exactly, and lattices that index given frequencies."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from equisym.crystal.lattice_search import Lattice
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.crystal.tuned_constants import IndexingLimits

LIMITS = IndexingLimits()


class Indexing:
    """The reciprocal lattice among the bins of a spectrum, fitted to its peaks.

    Args:
        lattice: that of the image.
        spectrum: of the image.
        peaks: all peaks of the spectrum.
    """

    def __init__(self, lattice: Lattice, spectrum: PowerSpectrum, peaks: SpectralPeaks) -> None:
        self.basis, self.size = lattice.basis, np.array([spectrum.width, spectrum.height])
        error = np.nan_to_num(lattice.uncertainty, nan=0.0) / np.linalg.norm(lattice.basis, axis=0)
        self.error = 3 * float(np.abs(error).max())
        self.basis = self.fitted_to(peaks[self.holds(peaks.position)][: LIMITS.fitted])
        self.promised = _promised(peaks[self.holds(peaks.position)])

    def offsets(self, position: Array, basis: Array | None = None) -> Array:
        """Vector from the nearest point of the reciprocal lattice, or of another's, in bins."""
        return offsets(position, self.basis if basis is None else basis) * self.size

    def bins(self, position: Array, basis: Array | None = None) -> Array:
        """Distance from the nearest point of the reciprocal lattice, in bins."""
        return np.linalg.norm(self.offsets(position, basis), axis=-1)

    def reach(self, position: Array, bend: float = LIMITS.bend) -> Array:
        """Bins within which a peak is taken to be at a point of the reciprocal lattice."""
        return LIMITS.bins + (bend + self.error) * np.linalg.norm(position, axis=-1) * self.size.max()

    def holds(self, position: Array) -> NDArray[np.bool_]:
        """Whether frequencies below Nyquist are indexed."""
        return self.bins(position) <= self.reach(position)

    def fitted_to(self, peaks: SpectralPeaks) -> Array:
        """The lattice's basis by these peaks alone."""
        return fitted(self.basis, peaks)

    def folded(self, peaks: SpectralPeaks) -> NDArray[np.bool_]:
        """Whether peaks are folded harmonics: indexed beyond Nyquist, with no more power than the others promise."""
        position = peaks.position[:, None] + _whole_cycles(LIMITS.aliases)
        allowed = LIMITS.envelope * self.promised / (position**2).sum(-1)
        near = self.bins(position) <= self.reach(position, 0.0)
        return (near & (peaks.power[:, None] <= allowed)).any(-1)


def offsets(position: Array, basis: Array) -> Array:
    """Vector from the nearest point of the reciprocal lattice of a basis, in cycles per pixel."""
    k = position @ basis
    return (k - np.rint(k)) @ np.linalg.inv(basis)


def fitted(basis: Array, own: SpectralPeaks) -> Array:
    """The basis by least squares of peaks that it indexes, the strong ones more."""
    k = np.rint(own.position @ basis)
    normal = (k * own.power[:, None]).T @ k
    if len(own) < 3 or np.linalg.cond(normal) > 1e6:
        return basis
    dual = np.linalg.solve(normal, (k * own.power[:, None]).T @ own.position)
    return np.asarray(np.linalg.inv(dual), dtype=np.float64)


def spanned(peaks: SpectralPeaks, size: Array) -> tuple[Array, NDArray[np.bool_]] | None:
    """The lattice, spanned by two of the strongest peaks, that indexes most power, and which peaks it does.

    The fewer cells a lattice has in the image, the more it indexes by chance; that amount is subtracted.
    """
    best: tuple[float, Array, NDArray[np.bool_]] | None = None
    for i, j in combinations(range(min(len(peaks), LIMITS.tried)), 2):
        dual = peaks.position[[i, j]]
        if abs(np.linalg.det(dual)) < 0.15 * np.linalg.norm(dual, axis=1).prod():
            continue
        first = np.asarray(np.linalg.inv(dual), dtype=np.float64)
        basis = fitted(first, peaks[_near(peaks, first, size)])
        on = _near(peaks, basis, size)
        by_chance = 2 * np.pi * LIMITS.near**2 * abs(np.linalg.det(basis)) / size.prod()
        share = float(peaks.power[on].sum() / peaks.power.sum() - by_chance)
        if best is None or share > best[0]:
            best = (share, basis, on)
    return None if best is None else best[1:]


def _near(peaks: SpectralPeaks, basis: Array, size: Array) -> NDArray[np.bool_]:
    """Which peaks a lattice spanned by two of them meets."""
    return np.linalg.norm(offsets(peaks.position, basis) * size, axis=-1) < LIMITS.near


@lru_cache
def _whole_cycles(most: int) -> Array:
    """Shifts of frequency by whole cycles per pixel, (n, 2)."""
    k = np.arange(-most, most + 1)
    n = np.stack(np.meshgrid(k, k), -1).reshape(-1, 2)
    return n[(n != 0).any(-1)].astype(float)


def _promised(own: SpectralPeaks) -> float:
    """Greatest power times squared frequency of the lattice's peaks toward Nyquist: edges' fall off so or faster."""
    squared = (own.position**2).sum(-1)
    return float((own.power * squared)[squared > 0.2**2].max(initial=0.0))
