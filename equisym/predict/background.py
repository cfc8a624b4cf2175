"""What an averaged cell explains of an image, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.cell_average import average_cell
from equisym.crystal.tuned_constants import UnlikeLimits

LIMITS = UnlikeLimits()
_DOZEN = 12.0  # cells: of fewer, none can be told to be the odd one
_LOOKED_AT = 0.85  # of the image explained by the averaged cell: with more, motifs cannot differ much
_NEAR_BY, _NEAREST = 0.1, 2  # of the cell's side, and pixels: so far apart, noise has nothing to do with noise
# what is left is a pattern: correlation with itself so far on, and that over the power of the averaged cell, from none
# to wholly; set between 24 different coins in rows (.37, .51) and degraded images of our families and micrographs
_PATTERNED, _STRONGER = (0.1, 0.3), (0.1, 0.3)


@dataclass(frozen=True)
class Background:
    """An image split into what the averaged cell explains and what it leaves.

    Attributes:
        left: the image without background and averaged cell, (H, W); 0 outside of the mask.
        explained: share of the variance that the cell explains, over the whole mask.
        quarters: the same within each quarter of the image.
        unlike: how far the motifs differ from repeat to repeat, 0 to 1: what is left is no noise but patterns of the
            cell's size, not much weaker than the averaged cell.
    """

    left: NDArray[np.float64]
    explained: float
    quarters: tuple[float, ...]
    unlike: float = 0.0

    @property
    def patchiness(self) -> float:
        """The mean square left in the part of the image where it is greatest, over the median of all 36 parts."""
        power = _in_parts(np.square(self.left))
        return float(power.max() / max(float(np.median(power)), 1e-12))

    def alike(self, basis: NDArray[np.float64]) -> float:
        """How far what is left repeats from cell to cell, 0 to 1, where it is a good part of the image.

        Noise does not. The pattern of a bent image does: neighbouring cells differ little, however far the average over
        the image is from either.
        """
        if self.explained > _LOOKED_AT:
            return 0.0
        height, width = self.left.shape
        waves = np.fft.rfft2(self.left)
        y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
        power = np.square(np.abs(waves))
        power[:, 1 : (width + 1) // 2] *= 2  # of each pair of waves one is kept
        alike = [float((power * np.cos(2 * np.pi * (a * x + b * y))).sum()) for a, b in basis.T]
        return max(0.0, float(np.mean(alike)) / max(float(power.sum()), 1e-12))


def _parts(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """36 parts of an image, as views."""
    return [part for rows in np.array_split(values, 6) for part in np.array_split(rows, 6, axis=1)]


def _in_parts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over 36 parts of an image."""
    return np.array([float(part.mean()) for part in _parts(values) if part.size])


def _pairs(values: NDArray[Any], n: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Values and those n pixels farther on, along four directions."""
    return [
        (values[:, n:], values[:, :-n]),
        (values[n:], values[:-n]),
        (values[n:, n:], values[:-n, :-n]),
        (values[n:, :-n], values[:-n, n:]),
    ]


def take_apart(image: Tensor, m: Measurement, component: int = 0) -> Background:
    """Subtract background and averaged cell from an image (H, W), a component of the one measured, within its mask."""
    flat = (image - m.average.trend[component]).double().numpy()
    mask = None if m.mask is None else m.mask.numpy()
    flat = flat - flat.mean() if mask is None else (flat - flat[mask].mean()) * mask
    left = (flat - m.average.tiled[component].double().numpy()) * (1.0 if mask is None else mask)

    def share(part: tuple[slice, slice]) -> float:
        seen = ... if mask is None else mask[part]
        if mask is not None and mask[part].mean() < 0.1 and part != whole:
            return share(whole)
        return float(1 - left[part][seen].var() / max(flat[part][seen].var(), 1e-12))

    whole = (slice(None), slice(None))
    h, w = flat.shape[0] // 2, flat.shape[1] // 2
    rows, columns = (slice(0, h), slice(h, None)), (slice(0, w), slice(w, None))
    quarters = tuple(share((r, c)) for r in rows for c in columns)
    explained = share(whole)
    unlike = 0.0
    if explained < _LOOKED_AT and component == 0:
        unlike = max(_unlike(left, float((flat - left).var()), m.lattice.basis), _finely_unlike(left, m))
        unlike *= 1.0 if unlike == 0 else _no_disorder(left, flat - left)
    return Background(left, explained, quarters, unlike)


def _unlike(left: NDArray[np.float64], power: float, basis: NDArray[np.float64]) -> float:
    """Whether what the averaged cell, of a power, leaves of an image is made of motifs that differ; 0 to 1.

    What varies from cell to cell but not within one, as brightness does, is taken off first. Of noise, neighbours at a
    tenth of a cell no longer correlate, and lines of a scan do so along one direction only. Medians over the parts of
    the image count: defects and steps are in a few.
    """
    side = float(np.sqrt(abs(np.linalg.det(basis))))
    high = left - uniform_filter(left, max(3, round(side)))
    n = max(_NEAREST, round(_NEAR_BY * side))
    if 4 * n >= min(high.shape):
        return 0.0
    shared = min(float(np.median(_in_parts(a * b))) for a, b in _pairs(high, n))
    ratios = (shared / max(float(np.median(_in_parts(high**2))), 1e-12), shared / max(power, 1e-12))
    parts = [(x - low) / (full - low) for x, (low, full) in zip(ratios, (_PATTERNED, _STRONGER), strict=True)]
    return float(np.clip(min(parts), 0, 1))


def _finely_unlike(left: NDArray[np.float64], m: Measurement) -> float:
    """The same of motifs whose strokes are finer than a tenth of a cell: what is left correlates over a pixel; 0 to 1.

    So does noise that is blurred or resampled, but its power is the same all over the cell, or goes with brightness.
    What gain and displacement explain is taken off first. Medians over the cells count: vacancies are in a few.
    """
    basis, tiled = m.lattice.basis, m.average.tiled[0].double().numpy()
    inside = np.ones(left.shape) if m.mask is None else m.mask.double().numpy()
    area = abs(float(np.linalg.det(basis)))
    high = (left - uniform_filter(left, max(3, round(area**0.5)))) * inside
    most = min(float(np.mean(a * b)) for a, b in _pairs(high, 1))
    if m.lattice.repeats < _DOZEN or most < LIMITS.strong / 2 * float(tiled.var()):  # most noise is done with here
        return 0.0
    left = _undistorted(left, tiled, inside)
    high = (left - uniform_filter(left, max(3, round(area**0.5)))) * inside
    y, x = np.indices(left.shape)
    place = np.floor(np.linalg.inv(basis) @ np.stack((x.ravel(), y.ravel()))).astype(int)
    place -= place.min(1, keepdims=True)
    number = (place[0] * (place[1].max() + 1) + place[1]).reshape(left.shape)

    def median(values: NDArray[np.float64], of: NDArray[np.intp]) -> float:
        count, total = np.bincount(of.ravel()), np.bincount(of.ravel(), values.ravel())
        whole = count > area / 2
        return float(np.median(total[whole] / count[whole])) if whole.any() else 0.0

    shared = min(median(a * b, of) for (a, b), (of, _) in zip(_pairs(high, 1), _pairs(number, 1), strict=True))
    ratios = [
        (shared / max(median(high**2, number), 1e-12), LIMITS.correlated),
        (shared / max(float(tiled.var()), 1e-12), LIMITS.strong),
    ]
    if all(x > low for x, low in ratios):
        ratios.append((_variation(high**2, m), LIMITS.uneven))
    return float(np.clip(min((x - low) / (LIMITS.wholly - 1) / low for x, low in ratios), 0, 1))


def _no_disorder(left: NDArray[np.float64], tiled: NDArray[np.float64]) -> float:
    """How far what is left, of an averaged cell, is no displacement of its motifs, each by its own: 1 to 0.

    A displacement u leaves the gradient of the motif times -u. It is fitted under windows of the motif's size.
    """
    down, across = (np.asarray(g) for g in np.gradient(tiled))
    length = np.sqrt(2 * tiled.var() / max(float(down.var() + across.var()), 1e-12))

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_filter(values, LIMITS.window * length)

    yy, xy, xx = around(down * down), around(down * across), around(across * across)
    ridge = 0.01 * float((yy + xx).mean())
    yy, xx = yy + ridge, xx + ridge
    y, x = around(down * left), around(across * left)
    moved = (down * (xx * y - xy * x) + across * (yy * x - xy * y)) / (yy * xx - xy**2)
    share = 1 - float((left - moved).var() / max(float(left.var()), 1e-12))
    low, high = LIMITS.placed, LIMITS.displaced
    return float(np.clip((high - share) / (high - low), 0, 1))


def _undistorted(
    left: NDArray[np.float64], tiled: NDArray[np.float64], inside: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What gain, brightness and displacement, linear within each part of the image, do not explain of what is left."""
    left = left.copy()
    fields = [field * inside for field in (tiled, *np.gradient(tiled), np.ones(left.shape))]
    for part, *known in zip(_parts(left), *map(_parts, fields), strict=True):
        v, u = (np.linspace(-1, 1, n) for n in part.shape)
        design = np.stack([k * by for k in known for by in (1, v[:, None], u)], -1).reshape(-1, 3 * len(known))
        normal = design.T @ design
        normal += 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal)) + 1e-12 * np.eye(len(normal))
        part -= (design @ np.linalg.solve(normal, design.T @ part.ravel())).reshape(part.shape)
    return left


def _variation(power: NDArray[np.float64], m: Measurement) -> float:
    """How much the power of what is left varies within the cell, beside brightness, for its mean: in both half sets."""
    image, basis = (torch.from_numpy(v).float()[None] for v in (power, m.lattice.basis))
    average = average_cell(image, basis, trend_order=0, sharpen=1, mask=m.mask)
    bright = m.average.cell[0].double() - m.average.cell[0].double().mean()
    halves = [half.double() - half.double().mean() for half in average.half_sets[0]]
    first, second = (half - bright * (half * bright).mean() / bright.square().mean() for half in halves)
    mean = float(power.mean()) if m.mask is None else float(power[m.mask.numpy()].mean())
    return float((first * second).mean().clamp(min=0).sqrt()) / max(mean, 1e-12)
