"""Reasons to refuse an answer: no lattice, too few repeats, too fine a period, several lattices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement, estimate_lattice
from equisym.crystal.lattice_search import SHORTEST, Lattice, shift_map

SURE = 0.7  # score above which an image is accepted without further tests
FEWEST = 4.0  # cells: two repeats along a side
_REPEATS = 0.6  # score below which a single similarity between two places is taken for chance
_FEW, _FLOOR = 4, 0.03  # fewest translations, and least mean correlation, that count as evidence
_ALIKE, _WORST = 4.0, 0.6  # of a pattern: least ratio of mean to spread, and of the worst tenth to the mean


@dataclass(frozen=True)
class Background:
    """An image split into what the averaged cell explains and what it leaves.

    Attributes:
        left: the image without background and averaged cell, (H, W); 0 outside of the mask.
        explained: share of the variance that the cell explains, over the whole mask.
        quarters: the same within each quarter of the image.
    """

    left: NDArray[np.float64]
    explained: float
    quarters: tuple[float, ...]


def take_apart(image: Tensor, m: Measurement) -> Background:
    """Subtract background and averaged cell from an image (H, W), within its mask."""
    flat = (image - m.average.trend[0]).double().numpy()
    mask = np.ones(flat.shape, bool) if m.mask is None else m.mask.numpy()
    flat = (flat - flat[mask].mean()) * mask
    left = (flat - m.average.tiled[0].double().numpy()) * mask

    def share(part: tuple[slice, slice]) -> float:
        seen = mask[part]
        if seen.mean() < 0.1:
            return share((slice(None), slice(None)))
        return float(1 - left[part][seen].var() / max(flat[part][seen].var(), 1e-12))

    h, w = flat.shape[0] // 2, flat.shape[1] // 2
    rows, columns = (slice(0, h), slice(h, None)), (slice(0, w), slice(w, None))
    quarters = tuple(share((r, c)) for r in rows for c in columns)
    return Background(left, share((slice(None), slice(None))), quarters)


def refuse_lattice(image: Tensor, m: Measurement | None, rest: Background | None) -> str | None:
    """Why the lattice, or its absence, does not support an answer; ``None`` if it does.

    Args:
        image: the grey image, (H, W).
        m: what was measured; ``None`` if no lattice was found.
        rest: the image without its averaged cell.
    """
    if m is None or rest is None:
        return _several_grains(image) or "not periodic: no two directions in which the image repeats"
    lattice = m.lattice
    if lattice.repeats < FEWEST and lattice.score > _REPEATS:
        return (
            f"fewer than two repeats along a side: {lattice.repeats:.1f} cells in the image; show more of the pattern"
        )
    if lattice.repeats < FEWEST:
        return _several_grains(image) or "not periodic: nothing in the image repeats as often as twice along a side"
    if _too_fine(m):
        return f"below Nyquist: the pattern repeats in less than {SHORTEST:g} pixels; magnify it"
    if _stripes(m):
        return "not periodic in two directions: stripes, the same all along their length"
    if not (lattice.score > SURE or steady(image, lattice, m.mask)):
        grains = _several_grains(image)
        return grains or (
            f"not periodic: with the best lattice only {100 * max(lattice.score, 0):.0f} % of the image repeats"
        )
    return _second_lattice(image, lattice, rest)


def steady(image: Tensor, lattice: Lattice, mask: Tensor | None = None) -> bool:
    """Whether all translations of a lattice hold equally well.

    Those of a pattern do, even under noise; those of a lattice fitted to chance peaks do not.
    """
    found = shift_map(image, mask)
    _, t = found.translations(lattice.basis)
    if len(t) < _FEW:
        return False
    value, weight = found.at(t), found.overlap(t)
    mean = np.average(value, weights=weight)
    spread = np.sqrt(np.average((value - mean) ** 2, weights=weight) * len(t) / (len(t) - 1))
    return bool(mean > _FLOOR and mean > _ALIKE * spread and np.quantile(value, 0.1) > _WORST * mean)


def _too_fine(m: Measurement) -> bool:
    """Whether the cell's structure lies wholly at frequencies whose period is below the shortest lattice."""
    q = m.average.frequency()[0]
    power = m.spectrum.full[0].abs().square()
    power = torch.where(q > 0, power, torch.zeros_like(power))
    return bool(power[q >= 1 / SHORTEST].sum() > 0.98 * power.sum())


def _stripes(m: Measurement) -> bool:
    """Whether the image varies in one direction alone: all waves that stand out of the noise run along one line."""
    s = m.spectrum
    half, size = s.half[0], s.half.shape[-1]
    k = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    ky, kx = torch.meshgrid(k, k, indexing="ij")
    q = torch.stack((kx, ky), -1).reshape(-1, 2) @ torch.from_numpy(np.linalg.inv(m.lattice.basis))
    power = (half[0] * half[1].conj()).real.double().flatten()
    noise = ((s.total - s.signal).clamp(min=0) / s.count.clamp(min=1))[0].double()
    least = 6 * torch.cat((noise, torch.full_like(noise[:1], torch.inf)))[s.shell[0].flatten()]
    power = torch.where((power > least) & (power > 1e-3 * power.max()), power, 0)
    small, large = torch.linalg.eigvalsh((q * power[:, None]).T @ q).tolist()
    return small < 2e-3 * large


def _second_lattice(image: Tensor, lattice: Lattice, rest: Background) -> str | None:
    """A second lattice in another part of the image, or superposed on the first."""
    worst, best = int(np.argmin(rest.quarters)), max(rest.quarters)
    if rest.quarters[worst] < 0.35 * best and lattice.repeats > 24:
        h, w = (n // 2 for n in image.shape)
        y, x = divmod(worst, 2)
        other = _strong(image[y * h : (y + 1) * h, x * w : (x + 1) * w])
        if other is not None and _differ(lattice.basis, other.basis):
            return _several(lattice, other)
    if rest.explained < 0.85 and lattice.repeats > 8:
        other = _strong(torch.from_numpy(rest.left).float())
        if other is not None and _differ(lattice.basis, other.basis):
            return _several(lattice, other)
    return None


def _several_grains(image: Tensor) -> str | None:
    """Two quarters of an image with different lattices."""
    h, w = (n // 2 for n in image.shape)
    if min(h, w) < 32:
        return None
    found = [_strong(image[y : y + h, x : x + w]) for y in (0, h) for x in (0, w)]
    strong = [lattice for lattice in found if lattice is not None]
    for other in strong[1:]:
        if _differ(strong[0].basis, other.basis):
            return _several(strong[0], other)
    return None


def _strong(part: Tensor) -> Lattice | None:
    """The lattice of a part of an image, if it is certain."""
    if float(part.std()) < 1e-4:
        return None
    lattice = estimate_lattice(part.contiguous())
    return lattice if lattice is not None and lattice.score > 0.5 and lattice.repeats >= 6 else None


def _differ(first: NDArray[np.float64], second: NDArray[np.float64], tolerance: float = 0.12) -> bool:
    """Whether neither lattice contains the other."""
    for a, b in ((first, second), (second, first)):
        steps = np.linalg.solve(a, b)
        if np.abs(steps - np.rint(steps)).max() < tolerance and np.abs(np.rint(steps)).max() > 0:
            return False
    return True


def _several(first: Lattice, second: Lattice) -> str:
    sizes = [" x ".join(f"{v:.1f}" for v in np.linalg.norm(found.basis, axis=0)) for found in (first, second)]
    return f"several lattices: cells of {sizes[0]} and of {sizes[1]} pixels; cut out a part that has one"
