"""Which lattice an image has: one look at the whole image, and further looks where that one leaves doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from equisym.crystal.autocorrelate import detrend, normalise_contrast
from equisym.crystal.lattice_search import OPTIONS, Lattice, is_flat, lattice_near, lattice_of, shift_map
from equisym.crystal.shifts import Array, ShiftMap
from equisym.crystal.spectral_peaks import PowerSpectrum
from equisym.crystal.tuned_constants import ChoiceOptions, LatticeOptions

CHOICE = ChoiceOptions()
_ROWS_REPEAT = 0.7  # of an image with rows repeats with a lattice that is seen without them
_COARSEST = 2.5  # bins: rows that repeat less often are a trend


@dataclass(frozen=True)
class Look:
    """One look at an image.

    Attributes:
        lattice: what it shows.
        found: the autocorrelation.
    """

    lattice: Lattice
    found: ShiftMap

    @property
    def steadiness(self) -> float:
        """How much alike the lattice's translations hold."""
        return self.lattice.steadiness


def find_lattice(
    image: Tensor, mask: Tensor | None = None, *, expected: Array | None = None, options: ChoiceOptions = CHOICE
) -> Lattice | None:
    """The lattice of an image (H, W), or of all channels of one (C, H, W), with two repeats seen along each vector.

    The whole image is looked at first. If less of it repeats than a pattern's should, or if it holds few cells, further
    looks follow: sharper, with its contrast evened out, in halves and quarters whose autocorrelations are averaged, and
    without the rows that drown a weak second direction. Of them all the steadiest counts: the one whose translations
    hold most alike.

    Args:
        image: grey image.
        mask: which pixels to look at, (H, W); all if not given.
        expected: a basis, (2, 2): where the first look leaves doubt and this lattice holds steadily in it, no further
            looks are needed.
        options: constants of the choice.

    Returns:
        The lattice, or ``None`` if no two independent translations stand out.
    """
    if is_flat(image, mask):
        return None
    first = look_at(image, mask)
    if first is not None and _fine(first.lattice, options):
        first = _sharper(image, mask, first)
    if first is not None and twice(first.lattice.basis, extent(image, mask)) and enough(first, options):
        return first.lattice if not _along_rows(first) else _among_rows(image, mask, first, options)
    if expected is not None and first is not None:
        there = lattice_near(first.found, _area(image, mask), expected)
        if there is not None and there.steadiness >= options.expected:
            return there
    best = first if first is not None and twice(first.lattice.basis, extent(image, mask)) else None
    for other in _further_looks(image, mask, options):
        if best is None or other.steadiness > options.steadier * best.steadiness:
            best = other
    if best is None:
        return first and first.lattice
    return best.lattice


def enough(look: Look, options: ChoiceOptions = CHOICE) -> bool:
    """Whether one look leaves no doubt."""
    lattice = look.lattice
    if not twice(lattice.basis, (look.found.height, look.found.width)):
        return False
    if lattice.repeats < options.many:
        return lattice.score >= (options.score if look.steadiness >= options.few_steady else options.few_score)
    return lattice.score >= options.score or look.steadiness >= options.steady


def twice(basis: Array, shape: tuple[int, int] | torch.Size) -> bool:
    """Whether an image of shape (H, W) shows two repeats along each vector of a lattice.

    >>> twice(np.array([[40.0, 0.0], [0.0, 10.0]]), (34, 90)), twice(np.array([[46.0, 0.0], [0.0, 10.0]]), (34, 90))
    (True, False)
    """
    height, width = shape
    x, y = np.abs(basis)
    return bool((x <= width / 2).all() and (y <= height / 2).all())


def extent(image: Tensor, mask: Tensor | None) -> tuple[int, int]:
    """Height and width of the part of an image (H, W) or (C, H, W) that a mask leaves.

    >>> mask = torch.zeros(8, 9, dtype=torch.bool)
    >>> mask[2:6, 1:8] = True
    >>> extent(torch.zeros(8, 9), mask)
    (4, 7)
    """
    if mask is None or not bool(mask.any()):
        return image.shape[-2], image.shape[-1]
    rows, columns = (torch.nonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def look_at(
    image: Tensor,
    mask: Tensor | None = None,
    *,
    parts: int = 1,
    search: LatticeOptions = OPTIONS,
) -> Look | None:
    """One look at an image (H, W) or at its parts; ``None`` if it shows no lattice."""
    found = shift_map(image, mask, parts=parts, options=search)
    lattice = lattice_of(found, _area(image, mask), search)
    return None if lattice is None else Look(lattice, found)


def _area(image: Tensor, mask: Tensor | None) -> int:
    return image.shape[-2] * image.shape[-1] if mask is None else int(mask.sum())


def _fine(lattice: Lattice, options: ChoiceOptions) -> bool:
    return bool(abs(np.linalg.det(lattice.basis)) < options.fine**2)


def _sharper(image: Tensor, mask: Tensor | None, first: Look) -> Look:
    """Of a fine lattice and what the sharp image shows, the one of which more repeats."""
    sharp = look_at(image, mask, search=replace(OPTIONS, blur=0.0))
    return sharp if sharp is not None and sharp.lattice.score > first.lattice.score - 0.1 else first


def _further_looks(image: Tensor, mask: Tensor | None, options: ChoiceOptions) -> Iterator[Look]:
    if mask is not None and mask.double().mean() > options.nearly_all:
        image, mask = torch.where(mask, image, image[..., mask].mean(-1)[..., None, None]), None
    even = _even(image, mask)
    for source in (image, even):
        for parts in (1, 2, 4):
            if parts > 1 and (mask is not None or min(image.shape[-2:]) < parts * options.smallest_part):
                continue
            for blur in (OPTIONS.blur, 0.0):
                if source is image and parts == 1 and blur:
                    continue  # the first look
                look = look_at(source, mask, parts=parts, search=replace(OPTIONS, blur=blur))
                if look is None or not twice(look.lattice.basis, (look.found.height, look.found.width)):
                    continue
                if look.steadiness > 0:
                    yield look


def _even(image: Tensor, mask: Tensor | None) -> Tensor:
    """The image with its contrast evened out; channels keep their weight."""
    flat = detrend(image, 1, mask)
    if image.dim() == 2:
        return normalise_contrast(flat, mask)
    return torch.stack([normalise_contrast(channel, mask) * channel.std() for channel in flat])


def _along_rows(look: Look) -> bool:
    """Whether a lattice's vector may lie along rows: its fractions correlate as well as nearly whole translations."""
    a, b = look.lattice.basis.T
    steps = np.linspace(0.15, 0.85, 15)[:, None]
    least = [look.found.at(steps * vector).min() for vector in (a, b, a + b, a - b)]
    return max(least) > 0.6 * look.lattice.score


def _among_rows(image: Tensor, mask: Tensor | None, first: Look, options: ChoiceOptions) -> Lattice:
    """The lattice that is seen without the rows, if the rows repeat with it as well; that of the first look if not."""
    calm = without_rows(image, options) if mask is None and image.dim() == 2 else None
    other = None if calm is None else look_at(calm)
    if other is None or not enough(other, options):
        return first.lattice
    score = float(first.found.means([other.lattice.basis])[0][0])
    return replace(other.lattice, score=score) if score >= _ROWS_REPEAT else first.lattice


def without_rows(image: Tensor, options: ChoiceOptions = CHOICE) -> Tensor | None:
    """An image (H, W) less its mean along its strongest direction; ``None`` if no direction is that strong."""
    height, width = image.shape
    flat = detrend(image, 1)
    peaks = PowerSpectrum(flat).maxima(_COARSEST)
    if not len(peaks):
        return None
    size = np.array([width, height])
    wave = peaks.position[0]
    for reach in (8, 40, 400):  # the direction, ever more exactly, by ever higher harmonics
        n = np.rint(peaks.position @ wave / (wave @ wave))
        off = np.linalg.norm((peaks.position - n[:, None] * wave) * size, axis=-1)
        on = (off < 1) & (np.abs(n) <= reach) & (n != 0)
        wave = (peaks.power * n * on) @ peaks.position / (peaks.power * n**2 * on).sum()
    across = np.abs(peaks.position @ np.array([-wave[1], wave[0]])) / np.linalg.norm(wave) * size.max()
    if peaks.power[across < 1.5].sum() < options.rows * peaks.power.sum():
        return None
    x, y = (torch.arange(n, dtype=torch.float64) for n in (width, height))
    place = 2 * (y[:, None] * float(wave[1]) + x * float(wave[0])) / float(np.linalg.norm(wave))  # in half pixels
    place = (place - place.min()).flatten()
    low = place.long()
    part = place - low
    value = flat.double().flatten()
    count = int(low.max()) + 2
    total, weight = torch.zeros(count).double(), torch.zeros(count).double()
    for bins, share in ((low, 1 - part), (low + 1, part)):
        total.index_add_(0, bins, share * value)
        weight.index_add_(0, bins, share)
    mean = total / weight.clamp(min=1e-9)
    rows = (1 - part) * mean[low] + part * mean[low + 1]
    return flat - rows.reshape(height, width).to(flat)
