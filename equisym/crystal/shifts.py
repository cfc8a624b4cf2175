"""Look-ups in an autocorrelation map: values between pixels, peaks, and sums over the translations of a lattice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FARTHEST = 40  # steps along a vector: farther translations are not looked at
_PAIRS = np.stack(np.meshgrid(np.arange(_FARTHEST + 1.0), np.arange(-_FARTHEST, _FARTHEST + 1.0), indexing="ij"))
_EXPLAINED = 0.4  # deficit beyond which backgrounds, defects and fine texture are no explanation


@dataclass(frozen=True)
class ShiftMap:
    """An autocorrelation map, read at real shifts.

    Args:
        rho: correlations, zero shift in the middle, shape (2H - 1, 2W - 1).
        min_overlap: shifts are used while at least this fraction of the image overlaps itself.
        known: that fraction at each shift, of the same shape, where the image is not known on all of its rectangle.
    """

    rho: NDArray[np.floating]
    min_overlap: float
    known: NDArray[np.floating] | None = None

    @property
    def height(self) -> int:
        """Rows of the image."""
        return (self.rho.shape[0] + 1) // 2

    @property
    def width(self) -> int:
        """Columns of the image."""
        return (self.rho.shape[1] + 1) // 2

    def overlap(self, t: Array) -> Array:
        """The fraction of the image that overlaps itself under shifts (..., 2), x first."""
        if self.known is not None:
            row = np.clip(np.rint(t[..., 1]).astype(int) + self.height - 1, 0, self.rho.shape[0] - 1)
            column = np.clip(np.rint(t[..., 0]).astype(int) + self.width - 1, 0, self.rho.shape[1] - 1)
            outside = (np.abs(t[..., 0]) >= self.width) | (np.abs(t[..., 1]) >= self.height)
            return np.where(outside, 0.0, self.known[row, column])
        x = np.maximum(1 - np.abs(t[..., 0]) / self.width, 0)
        return x * np.maximum(1 - np.abs(t[..., 1]) / self.height, 0)

    def at(self, t: Array) -> Array:
        """Values at real shifts (..., 2), by Catmull-Rom interpolation."""
        x, y = t[..., 0] + self.width - 1, t[..., 1] + self.height - 1
        i, j = np.floor(x), np.floor(y)
        k = np.arange(-1, 3).reshape(4, *(1,) * i.ndim)  # the neighbours come first: long rows are fast
        columns = _within(i.astype(int) + k, 0, self.rho.shape[1] - 1)
        rows = _within(j.astype(int) + k, 0, self.rho.shape[0] - 1) * self.rho.shape[1]
        patch = self.rho.take(rows[:, None] + columns)
        return ((patch * _cubic(x - i)).sum(1) * _cubic(y - j)).sum(0)

    def highest_near(self, t: Array) -> Array:
        """The greatest value within a pixel of shifts (..., 2)."""
        x = np.clip(np.rint(t[..., 0]).astype(int) + self.width - 1, 1, self.rho.shape[1] - 2)
        y = np.clip(np.rint(t[..., 1]).astype(int) + self.height - 1, 1, self.rho.shape[0] - 2)
        flat, at = self.rho.ravel(), y * self.rho.shape[1] + x
        return np.max([flat[at + dy * self.rho.shape[1] + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], 0)

    def peaks_near(self, t: Array, reach: int = 2) -> tuple[Array, Array, Array]:
        """Sub-pixel peaks within ``reach`` pixels of shifts (n, 2): position, height, curvature (n, 2, 2)."""
        dy, dx = _square(reach)
        limit_y, limit_x = self.rho.shape[0] - 2, self.rho.shape[1] - 2
        x = np.rint(t[:, 0] + self.width - 1).astype(int)
        y = np.rint(t[:, 1] + self.height - 1).astype(int)
        around = self.rho[_within(y[:, None] + dy, 1, limit_y), _within(x[:, None] + dx, 1, limit_x)]
        best = around.argmax(1)
        x, y = _within(x + dx[best], 1, limit_x), _within(y + dy[best], 1, limit_y)
        v = self.rho[y[:, None, None] + k3[:, None], x[:, None, None] + k3[None, :]].astype(float)  # (n, 3, 3)
        gx, gy = (v[:, 1, 2] - v[:, 1, 0]) / 2, (v[:, 2, 1] - v[:, 0, 1]) / 2
        hxx = np.maximum(2 * v[:, 1, 1] - v[:, 1, 2] - v[:, 1, 0], 1e-9)
        hyy = np.maximum(2 * v[:, 1, 1] - v[:, 2, 1] - v[:, 0, 1], 1e-9)
        limit = 0.95 * np.sqrt(hxx * hyy)
        hxy = _within(-(v[:, 2, 2] + v[:, 0, 0] - v[:, 0, 2] - v[:, 2, 0]) / 4, -limit, limit)
        det = hxx * hyy - hxy**2
        sx = _within((hyy * gx - hxy * gy) / det, -1, 1)
        sy = _within((hxx * gy - hxy * gx) / det, -1, 1)
        position = np.stack((x + sx - (self.width - 1), y + sy - (self.height - 1)), -1)
        curvature = np.stack((hxx, hxy, hxy, hyy), -1).reshape(-1, 2, 2)
        return position, v[:, 1, 1] + (gx * sx + gy * sy) / 2, curvature

    def translations(self, basis: Array, most: int = 600) -> tuple[Array, Array]:
        """Integer pairs (n, 2) of half the plane whose shifts keep the least overlap, the nearest; and the shifts."""
        (ax, bx), (ay, by) = basis.tolist()
        part = 1.0 if self.known is not None else 1 - self.min_overlap  # of either side, beyond which overlap is less
        x, y, area = part * self.width, part * self.height, max(abs(ax * by - bx * ay), 1e-9)
        reach = ((abs(by) * x + abs(bx) * y) / area, (abs(ay) * x + abs(ax) * y) / area)
        first, second = (min(math.ceil(k), _FARTHEST) for k in reach)
        pairs = _PAIRS[:, : first + 1, _FARTHEST - second : _FARTHEST + second + 1]
        n = pairs.reshape(2, -1)[:, second + 1 :]  # one of each pair n and -n, without 0
        t = basis @ n
        keep = np.flatnonzero(self.overlap(t.T) >= self.min_overlap)
        if len(keep) > most:
            keep = keep[np.argsort((t[:, keep] ** 2).sum(0), kind="stable")[:most]]
        return n.take(keep, 1).T, t.take(keep, 1).T

    def of_lattices(self, bases: Sequence[Array], most: int = 600) -> tuple[Array, Array, NDArray[np.int64]]:
        """:meth:`translations` of several lattices, one after the other; and which lattice each is of."""
        found = [self.translations(basis, most) for basis in bases]
        of = np.repeat(np.arange(len(found)), [len(n) for n, _ in found])
        return np.concatenate([n for n, _ in found]), np.concatenate([t for _, t in found]), of

    def means(self, bases: Sequence[Array]) -> tuple[Array, Array]:
        """Overlap-weighted mean over all translations of each of several lattices, and its standard error.

        The error is taken from how much the translations differ, by at least a tenth of one's value; a lattice without
        translations has the mean -1 and an infinite error.
        """
        _, t, of = self.of_lattices(bases)
        weight, value = self.overlap(t), self.at(t)

        def total(values: Array) -> Array:
            return np.bincount(of, values, len(bases)).astype(float)

        whole = total(weight)
        some = np.maximum(whole, 1e-300)
        mean = total(weight * value) / some
        deviation = np.maximum(np.sqrt(total(weight * (value - mean[of]) ** 2) / some), 0.1 * np.abs(mean))
        error = deviation * np.sqrt(total(weight**2)) / some
        return np.where(whole > 0, mean, -1.0), np.where(whole > 0, error, np.inf)

    def values(self, bases: Sequence[Array]) -> list[Shifts]:
        """Correlations at the translations of each of several lattices, for :meth:`Shifts.deficits`."""
        _, t, of = self.of_lattices(bases, most=1200)
        weight, value = np.sqrt(self.overlap(t)), self.at(t)
        size = (self.width, self.height)
        ends = np.searchsorted(of, np.arange(len(bases) + 1))
        return [Shifts(t[i:j], weight[i:j], value[i:j], size) for i, j in pairwise(ends)]


@dataclass(frozen=True)
class Shifts:
    """Correlations at the translations of a lattice.

    Attributes:
        t: the shifts, (n, 2).
        weight: root of the overlap, (n,).
        value: correlation, (n,).
        size: of the image, width and height.
    """

    t: Array
    weight: Array
    value: Array
    size: tuple[int, int]

    @cached_property
    def design(self) -> Array:
        """Weighted design matrix of the fit in :meth:`deficits`: constant, an empty column, nuisances; (n, 7)."""
        x, y = (self.t / self.size).T
        between = (np.sin(np.pi * self.t) ** 2).sum(-1)
        nuisance = np.stack((between, x * x, x * y, y * y, np.exp(-(self.t[:, 1] ** 2))), -1)
        one = np.stack((np.ones(len(self.t)), np.zeros(len(self.t))), -1)
        return np.concatenate((one, nuisance - nuisance.mean(0)), 1) * self.weight[:, None]

    def deficits(self, coarser: Sequence[Array]) -> tuple[Array, Array]:
        """How much less the shifts that only this lattice has correlate than those of each of several coarser ones.

        Single shifts also lose correlation for other reasons: fine texture between pixels, backgrounds and defects
        that vary over the image, displaced lines. Those losses are fitted along with the difference.

        Returns:
            The deficits (0 if they hold as well, 1 if they do not correlate at all) and their standard errors, taken as
            0 where the plain means differ by more than such losses can explain.
        """
        new = _between(self.t, np.linalg.inv(np.array(coarser)))
        overlap = self.weight**2
        sums = np.stack((overlap, overlap * self.value), -1)
        own = new @ sums
        deficit, error = _plain(own, sums.sum(0) - own)
        left = np.flatnonzero(np.isnan(error))
        if len(left):
            deficit[left], error[left] = self._fitted(new[left])
        return deficit, error

    def _fitted(self, new: Array) -> tuple[Array, Array]:
        """Deficits of shifts that are marked by 1, (lattices, n), and their errors, with the nuisances fitted."""
        weight, value, rest = self.weight, self.value * self.weight, self.design
        column = new * -weight
        # in units of shifts: keeps the nuisances out of the way where there are few shifts
        normal = np.empty((len(new), 7, 7))
        normal[:] = rest.T @ rest + np.diag([0.0, 0.0, 0.003, 0.1, 0.1, 0.1, 0.1])
        normal[:, 1] = normal[:, :, 1] = column @ rest
        normal[:, 1, 1] = (column**2).sum(1)
        right = np.empty((len(new), 7))
        right[:] = rest.T @ value
        right[:, 1] = column @ value
        inverse = np.linalg.inv(normal)
        fitted = (inverse @ right[..., None])[..., 0]
        level = np.maximum(fitted[:, 0], 1e-3)
        prior = 3.0  # shifts' worth of a spread of 3 % of the level
        free = fitted.copy()
        free[:, 1] = 0.0
        left = ((value - free @ rest.T - fitted[:, 1:2] * column) ** 2).sum(1)
        spread = (left + prior * (0.03 * level) ** 2) / (max(len(self.t) - 7, 0) + prior)
        return fitted[:, 1] / level, np.sqrt(spread * inverse[:, 1, 1]) / level


def deficits_of_finer(finer: Sequence[Shifts], coarser: Array) -> Iterator[tuple[float, float]]:
    """Deficit and error (:meth:`Shifts.deficits`) of each of several lattices against one that they contain."""
    of = np.repeat(np.arange(len(finer)), [len(one.t) for one in finer])
    new = _between(np.concatenate([one.t for one in finer]), np.linalg.inv(coarser)[None])[0]
    overlap = np.concatenate([one.weight for one in finer]) ** 2
    value = overlap * np.concatenate([one.value for one in finer])

    def sums(shown: Array) -> Array:
        found = [np.bincount(of, shown * part, len(finer)) for part in (overlap, value)]
        return np.asarray(np.stack(found, -1), dtype=np.float64)

    for deficit, error, one in zip(*_plain(sums(new), sums(1 - new)), finer, strict=True):
        if np.isnan(error):
            (deficit,), (error,) = one.deficits([coarser])
        yield float(deficit), float(error)


def _between(t: Array, inverses: NDArray[np.floating]) -> Array:
    """1 at shifts (n, 2) that are none of a lattice's, 0 at those that are, for each of several (lattices, n)."""
    k = t @ inverses.transpose(0, 2, 1)
    return np.asarray((np.abs(k - np.rint(k)) > 0.1).any(-1), dtype=np.float64)


def _plain(own: Array, rest: Array) -> tuple[Array, Array]:
    """Deficits of the plain means, from sums (n, 2) of overlaps and correlations; their errors, NaN if to be fitted."""
    none = (own[:, 0] <= 0) | (rest[:, 0] <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = 1 - own[:, 1] / own[:, 0] / np.maximum(rest[:, 1] / rest[:, 0], 1e-3)
    error = np.where(plain > _EXPLAINED, 0.0, np.nan)
    return np.where(none, 0.0, plain), np.where(none, np.inf, error)


k3 = np.arange(-1, 2)


@lru_cache
def _square(reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps along y and x to the points of a square."""
    dy, dx = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1) - reach
    return dy, dx


def _cubic(t: Array) -> Array:
    """Catmull-Rom weights of the four neighbours at fraction t, shape (4, ...)."""
    s = 1 - t
    return np.stack((-0.5 * t * s * s, 1 + t * t * (1.5 * t - 2.5), 1 + s * s * (1.5 * s - 2.5), -0.5 * s * t * t))


def _within(values: NDArray[Any], least: Any, most: Any) -> NDArray[Any]:
    """``numpy.clip`` without its overhead, which dominates for so few values."""
    return np.minimum(np.maximum(values, least), most)
