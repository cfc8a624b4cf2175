"""Measure an image before it is classified: the view, its lattice and cell, or a reason to refuse it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement, measure, measure_scan, refine_to_waves
from equisym.crystal.drift_correction import merit
from equisym.crystal.lattice_choice import look_at
from equisym.crystal.perspective import OPTIONS as PERSPECTIVE
from equisym.crystal.perspective import find_perspective, without_perspective
from equisym.crystal.superlattice import Pseudocell
from equisym.crystal.unindexed_peaks import LIMITS
from equisym.data.readers import read_image
from equisym.predict.artefacts import picture_within, plain_area, stray_lines
from equisym.predict.background import Background, take_apart
from equisym.predict.hyperspy_signal import image_of, is_signal
from equisym.predict.preprocessing import Pixels, as_pixels, known_part, refuse_pixels, squared
from equisym.predict.refusal import Refusal
from equisym.predict.rejection import Review, refuse_component, refuse_side, review_lattice
from equisym.predict.square_pixels import PixelSize
from equisym.predict.view import LARGEST, View, middle, reduced, whole

Image = NDArray[Any] | Tensor | str | Path
_THINNEST = 16  # pixels across that a reduced image has at least
_FINE = 20.0  # pixels: if the reduced cell is smaller, the middle of the image is used at full scale instead
_COARSER = 1.5  # times the area of the cell on which a fault was seen: another lattice
_MOST_OF_IT, _DOZEN = 0.85, 12.0  # of the image explained: nothing wide covers the pattern; cells around what does
_BETTER = 0.03  # gain in score that justifies leaving out part of the image


@dataclass(frozen=True)
class Found:
    """What was measured in one image.

    Attributes:
        refusal: why no group should be named, or ``None``.
        shape: of the image, (H, W).
        pixel_size: side of a pixel in nanometres, if known.
        notes: what should be known of the way it was looked at.
        view: the part of the image that was looked at.
        measurement: its lattice, cell and fits; ``None`` if no lattice was found.
        explained: share of the view's variance that the averaged cell explains.
        patchiness: how unevenly what it leaves is spread: the most in a part of the image over the median.
        fault: what parts the pattern, so that the average is smeared; empty if nothing does.
        unlike: how far the motifs differ from repeat to repeat, 0 to 1.
        pseudocell: a smaller cell that the image nearly has.
        outside: share of the power in a superstructure that the cell leaves out.
    """

    refusal: Refusal | None
    shape: tuple[int, int]
    pixel_size: float | None
    notes: tuple[str, ...] = ()
    view: View | None = None
    measurement: Measurement | None = None
    explained: float | None = None
    patchiness: float = 1.0
    fault: str = ""
    unlike: float = 0.0
    pseudocell: Pseudocell | None = None
    outside: float = 0.0


def inspect(
    image: Image,
    pixel_size: PixelSize,
    mask: Any = None,
    *,
    expected: NDArray[np.float64] | None = None,
    window: bool = False,
) -> Found:
    """Find lattice, cell and group fits of one image, or a reason to refuse it.

    Args:
        image: what :meth:`equisym.SymmetryClassifier.predict` takes.
        pixel_size: in nanometres, if known, one number or (y, x); that of the file by default.
        mask: which pixels to use, (H, W); all if not given.
        expected: basis of the lattice that is expected, (2, 2) in pixels of the image.
        window: whether the image is one of many windows of a larger one.

    Raises:
        ValueError, FileNotFoundError: if it is not an image.
    """
    pixels, side, note = _read(image, pixel_size, mask)
    part = known_part(pixels)
    refusal = refuse_pixels(part)
    if refusal:
        return Found(refusal, pixels.shape, side)
    look = _look(part, expected, window)
    refusal = look.refusal
    picture = picture_within(part)
    if picture is not None and refuse_pixels(picture) is None:
        closer = _look(picture)
        if closer.outdoes(look):
            width, height = picture.shape[::-1]
            look = closer.noting(f"only the picture of {width} x {height} pixels was looked at, not what is around it")
            refusal = look.refusal
        elif refusal:
            refusal = refusal.adding("there seem to be margins, axes or bars around the picture: cut it out")
    notes = (*(() if note is None else (note,)), *look.notes, *look.review.notes)
    explained = None if look.rest is None else look.rest.explained
    patchiness = 1.0 if look.rest is None else look.rest.patchiness
    fault = "" if look.review.fault is None else str(look.review.fault)
    unlike = 0.0 if look.rest is None else look.rest.unlike
    return Found(
        refusal,
        pixels.shape,
        side,
        notes,
        look.view,
        look.measurement,
        explained=explained,
        patchiness=patchiness,
        fault=fault,
        unlike=unlike,
        pseudocell=look.review.pseudocell,
        outside=max(look.review.outside, look.modulated),
    )


def read_pixels(image: Image, pixel_size: PixelSize, mask: Any = None) -> tuple[Pixels, float | None]:
    """An image or file as square pixels, and the side of one in nanometres; arguments as :func:`inspect`."""
    return _read(image, pixel_size, mask)[:2]


def _read(image: Image, pixel_size: PixelSize, mask: Any) -> tuple[Pixels, float | None, str | None]:
    if isinstance(image, (str, Path)):
        file = read_image(image)
        image, pixel_size = file.pixels, pixel_size or file.pixel_size
    elif is_signal(image):
        image, size = image_of(image)
        pixel_size = pixel_size or size
    return squared(as_pixels(image, mask), pixel_size)


@dataclass(frozen=True)
class _Look:
    """The measurement of one view, with notes on how it was made."""

    view: View
    measurement: Measurement | None
    notes: tuple[str, ...] = ()
    finer: bool = True  # whether a fault may be seen on a finer lattice than the one measured
    against: Refusal | None = None  # what the larger side of a fault says against the lattice
    modulated: float = 0.0  # share of the power in a modulation that the cell leaves out

    @cached_property
    def rest(self) -> Background | None:
        return None if self.measurement is None else take_apart(self.view.grey, self.measurement)

    @cached_property
    def review(self) -> Review:
        modulated = self.modulated > 0
        review = review_lattice(self.view.grey, self.measurement, self.rest, finer=self.finer, modulated=modulated)
        m = self.measurement
        if m is None or review.refusal is not None or review.fault is not None:
            return review
        for k, share in enumerate(self.view.shares):
            if k > 0 and share > LIMITS.colour:
                image = self.view.channels[k]
                refusal = refuse_component(image, m, take_apart(image, m, k), k)
                if refusal is not None:
                    return Review(refusal)
        return review

    @property
    def refusal(self) -> Refusal | None:
        return self.against or self.review.refusal

    def outdoes(self, other: _Look) -> bool:
        """Whether it gives an answer where the other gives none, or clearly more of it repeats."""
        if self.measurement is None or self.refusal is not None:
            return False
        if other.measurement is None or other.refusal is not None:
            return True
        return self.measurement.lattice.score > other.measurement.lattice.score + _BETTER

    def noting(self, note: str) -> _Look:
        return replace(self, notes=(note, *self.notes))


def _look(pixels: Pixels, expected: NDArray[np.float64] | None = None, window: bool = False) -> _Look:
    """Measure an image at the scale that shows its cell."""
    if max(pixels.shape) <= LARGEST:
        return _measured(replace(whole(pixels), expected=expected, window=window))
    height, width = pixels.shape
    if min(height, width) // -(-max(height, width) // LARGEST) < _THINNEST:  # too thin to be reduced
        return _measured(middle(pixels)).noting(
            f"only the middle {LARGEST} pixels were analysed, of {width} x {height}"
        )
    look = _measured(reduced(pixels))
    m = look.measurement
    if m is None or np.sqrt(abs(np.linalg.det(m.lattice.basis))) < _FINE or m.lattice.score < 0.3:
        closer = _measured(middle(pixels))
        near = closer.measurement
        if near is not None and (m is None or near.lattice.score > 0.8 * m.lattice.score):
            return closer.noting(f"only the middle {LARGEST} pixels were analysed, of {width} x {height}")
    return look.noting(f"reduced {look.view.scale}-fold from {width} x {height} pixels")


def _measured(view: View) -> _Look:
    """Measure a view, without lost or spurious detector lines if that gives an answer or a better one."""
    look = _without_wave(_one_side(_square_on(view, _drift_corrected(view))))
    grey = view.grey.double().numpy()
    rest = look.rest
    holds = rest is not None and look.refusal is None and rest.explained > _MOST_OF_IT
    plain = None if holds or view.window else plain_area(grey)
    if plain is not None:
        around = _drift_corrected(view.without(torch.from_numpy(plain)))
        m = around.measurement
        if m is not None and m.lattice.repeats >= _DOZEN and around.outdoes(look):
            return around
    lines = stray_lines(grey)
    if lines is None:
        return look
    without = _drift_corrected(view.without(torch.from_numpy(lines)))
    if not without.outdoes(look):
        return look
    count = int(lines.all(1).sum() + lines.all(0).sum())
    return without.noting(f"lines that are constant or far off their neighbours were left out: {count}")


def _one_side(look: _Look) -> _Look:
    """The larger side of a line across which the pattern is shifted; the look itself if there is no such line.

    A fault on a finer lattice, which would have been joined to the one measured, is none if the larger side alone shows
    no finer one.
    """
    fault = look.review.fault
    if fault is None or look.measurement is None:
        return look
    height, width = look.view.grey.shape
    side = fault.larger_side((height, width))
    alone = _drift_corrected(look.view.without(torch.from_numpy(~side)))
    m = alone.measurement
    seen, m = (look.view, look.measurement) if m is None or alone.refusal is not None else (alone.view, m)
    against = refuse_side(seen.grey, m, fault)
    if against is not None:
        return replace(look, against=against)
    if alone.measurement is None:
        return look
    cell, joined = (abs(np.linalg.det(m.lattice.basis)) for m in (alone.measurement, look.measurement))
    if joined > _COARSER * fault.cell**2 and cell > joined / _COARSER:
        return replace(look, finer=False)
    if alone.refusal is not None:
        return look
    return replace(alone, notes=(f"the pattern is {fault}; the larger side was measured",))


def _without_wave(look: _Look) -> _Look:
    """The same pattern on its own cell, where a wave laid over it or a modulation nearly repeats with a larger one."""
    m, small = look.measurement, look.review.pseudocell
    if m is None or small is None or not (small.wave or small.modulation):
        return look
    image = look.view.grey if len(look.view.channels) == 1 else look.view.channels
    copies = abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(small.basis)))
    score = m.lattice.score * (1 - small.beyond)
    lattice = replace(m.lattice, basis=small.basis, score=score, repeats=m.lattice.repeats * copies)
    own = measure(image, refine_to_waves(look.view.grey, lattice, m.mask), mask=m.mask)
    if own is None:
        return look
    period = f"{(small.wave or small.modulation) * look.view.scale:.1f} pixels"
    if small.modulation:
        note = f"the pattern is modulated with a period of {period}, which fits no whole number of its cells"
    else:
        note = f"a wave with a period of {period} is laid over the pattern"
    return replace(look, measurement=own, modulated=small.beyond if small.modulation else 0.0).noting(note)


def _square_on(view: View, look: _Look) -> _Look:
    """A look, or one without the perspective of a camera, if clearly more of the image then repeats, or more often."""
    m, rest = look.measurement, look.rest
    holds = m is not None and (m.lattice.score >= PERSPECTIVE.doubt or m.lattice.steadiness >= PERSPECTIVE.steady)
    # each cell is like its neighbours, and yet their average is like none
    holds = holds and (rest is None or m is None or rest.alike(m.lattice.basis) < PERSPECTIVE.bent)
    if (holds and look.refusal is None) or view.mask is not None or view.expected is not None or view.window:
        return look
    tilt = find_perspective(view.grey)
    if max(map(abs, tilt)) < PERSPECTIVE.least:
        return look
    seen = replace(view, channels=without_perspective(view.channels, tilt), perspective=tilt)
    glance = look_at(seen.channels)
    if glance is None or glance.lattice.score < PERSPECTIVE.shown or glance.lattice.repeats < PERSPECTIVE.cells:
        return look
    straight = _drift_corrected(seen)
    if straight.measurement is None or straight.rest is None or straight.refusal is not None:
        return look
    more = merit(straight.measurement.lattice) - merit(m and m.lattice)
    clearer = straight.rest.explained - (0.0 if rest is None else rest.explained)
    if more < PERSPECTIVE.gain and clearer < PERSPECTIVE.clearer:
        return look
    share = 100 * float(np.hypot(*tilt))
    return straight.noting(f"the image is seen at an angle: a perspective of {share:.1f} % across it was removed")


def _drift_corrected(view: View) -> _Look:
    image = view.grey if len(view.channels) == 1 else view.channels
    scan = measure_scan(image, mask=view.mask, expected=view.expected)
    m, notes = scan.measurement, []
    if scan.shift:
        view = replace(view, channels=scan.image[None], mask=None, drift=scan.shift)
        pixels = view.drift * view.scale
        notes.append(f"the lines of the scan drift by up to {pixels:.1f} pixels; this was corrected")
    if m is not None and m.mask is not None:
        what = "empty" if view.mask is None else "unknown or empty"
        notes.append(f"{100 * (1 - m.mask.double().mean()):.2g} % of the image are {what} and were left out")
    return _Look(view, m, tuple(notes))
