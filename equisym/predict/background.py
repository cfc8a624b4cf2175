"""What an averaged cell explains of an image, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from torch import Tensor

from equisym.crystal import Measurement

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


def _in_parts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over 36 parts of an image."""
    parts = [part for rows in np.array_split(values, 6) for part in np.array_split(rows, 6, axis=1)]
    return np.array([float(part.mean()) for part in parts if part.size])


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
    unlike = _unlike(left, float((flat - left).var()), m.lattice.basis) if explained < _LOOKED_AT else 0.0
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
    pairs = ((high[:, n:], high[:, :-n]), (high[n:], high[:-n]), (high[n:, n:], high[:-n, :-n]))
    pairs = (*pairs, (high[n:, :-n], high[:-n, n:]))
    shared = min(float(np.median(_in_parts(a * b))) for a, b in pairs)
    ratios = (shared / max(float(np.median(_in_parts(high**2))), 1e-12), shared / max(power, 1e-12))
    parts = [(x - low) / (full - low) for x, (low, full) in zip(ratios, (_PATTERNED, _STRONGER), strict=True)]
    return float(np.clip(min(parts), 0, 1))
