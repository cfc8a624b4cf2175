"""Looks at an image: its lattice and cell as it is, and with faults of the instrument or the view corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from equisym.crystal import Measurement, measure, measure_scan, refine_to_waves
from equisym.crystal.drift_correction import merit
from equisym.crystal.indexing import offsets
from equisym.crystal.lattice_choice import look_at
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.line_offsets import has_line_offsets, without_line_offsets
from equisym.crystal.overlaid_wave import has_three_directions, is_dominated, strong_waves, without_wave
from equisym.crystal.perspective import OPTIONS as PERSPECTIVE
from equisym.crystal.perspective import find_perspective, without_perspective
from equisym.crystal.registry import in_register
from equisym.crystal.unindexed_peaks import LIMITS
from equisym.predict.artefacts import plain_area, stray_lines
from equisym.predict.background import Background, take_apart
from equisym.predict.flattening import flatten
from equisym.predict.preprocessing import Pixels
from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.rejection import (
    Review,
    lattice_of_parts,
    refuse_component,
    refuse_drift,
    refuse_other_side,
    refuse_side,
    review_lattice,
)
from equisym.predict.view import LARGEST, View, middle, reduced, whole

_PERHAPS_HUM = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.DOMAINS)
_PERHAPS_DISPLACED = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.FEW_REPEATS)
# set on 20 simulated crystals with dislocations and faults and on 87 situations to be refused
_SMEARED, _CLEARER = 0.6, 0.25  # of the image explained: perhaps an average of parts out of register; and so much more
_TORN = 2.5  # times the median of what the cell leaves nearby: along a fault
_MOST = 0.75  # of the image that shows the lattice that a part of it has
_THINNEST = 16  # pixels across that a reduced image has at least
_FINE = 20.0  # pixels: if the reduced cell is smaller, the middle of the image is used at full scale instead
_COARSER = 1.5  # times the area of the cell on which a fault was seen: another lattice
_MOST_OF_IT, _DOZEN = 0.85, 12.0  # of the image explained: nothing wide covers the pattern; cells around what does
_LEVEL = 0.95  # of the image repeats: no lines are out of place
# set on six simulated surfaces with terraces, and on 170 images of our families
_STEPPED_CELLS, _MORE = 30.0, 4.0  # cells: steps may have made fewer of an image; times as many seen without them
_COARSE, _IN_STEPS = 3, 0.5  # areas along a side whose means hold so much of the variance; of patterns, .1 at most
# bins from a point of the lattice, and of one of two to four cells: none of its waves; of the image that repeats then
_OWN_WAVE, _ITS_PART, _REPEATS = 2.0, 0.2, 0.5
_BETTER = 0.03  # gain in score that justifies leaving out part of the image


@dataclass(frozen=True)
class Look:
    """The measurement of one view, with notes on how it was made.

    Attributes:
        view: the part of the image that was looked at.
        measurement: its lattice, cell and fits; ``None`` if no lattice was found.
        notes: what was done to see it so.
        finer: whether a fault may be seen on a finer lattice than the one measured.
        overlaid: whether the cell is that of the pattern without a wave laid over it, or a modulation.
        against: what the larger side of a fault says against the lattice.
        modulated: share of the power in a modulation that the cell leaves out.
    """

    view: View
    measurement: Measurement | None
    notes: tuple[str, ...] = ()
    finer: bool = True
    overlaid: bool = False
    against: Refusal | None = None
    modulated: float = 0.0

    @cached_property
    def rest(self) -> Background | None:
        """The view without its averaged cell."""
        return None if self.measurement is None else take_apart(self.view.grey, self.measurement)

    @cached_property
    def review(self) -> Review:
        """What is to be said of the lattice, and of what its cell leaves."""
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
        """Why no group should be named."""
        return self.against or self.review.refusal

    def outdoes(self, other: Look) -> bool:
        """Whether it gives an answer where the other gives none, or clearly more of it repeats."""
        if self.measurement is None or self.refusal is not None:
            return False
        if other.measurement is None or other.refusal is not None:
            return True
        return self.measurement.lattice.score > other.measurement.lattice.score + _BETTER

    def noting(self, note: str) -> Look:
        """The same with a further note, in front."""
        return replace(self, notes=(note, *self.notes))


def look_closely(pixels: Pixels, expected: NDArray[np.float64] | None = None, window: bool = False) -> Look:
    """Measure an image at the scale that shows its cell.

    Args:
        pixels: of the image.
        expected: basis of the lattice that is expected, (2, 2) in pixels.
        window: whether the image is one of many windows of a larger one.
    """
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


def _measured(view: View) -> Look:
    """Measure a view, without lost or spurious detector lines if that gives an answer or a better one."""
    first = _drift_corrected(view)
    look = _square_on(view, first)
    look = _without_steps(view, _levelled(view, first)) if look is first else look
    look = _moved_into_register(view, _one_side(look))
    look = _without_hum(look) or _without_wave(look)
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


def _levelled(view: View, look: Look) -> Look:
    """A look without the offsets of a scan's lines, if it has any and shows a lattice without them."""
    holds = look.measurement is not None and look.measurement.lattice.score > _LEVEL
    if holds or len(view.channels) > 1 or view.mask is not None or view.window or not has_line_offsets(view.grey):
        return look

    def level(image: Tensor) -> Look:
        spread = float(image.std()) or 1.0
        return _drift_corrected(replace(view, channels=image[None] / spread, spread=view.spread * spread))

    found = level(without_line_offsets(view.grey))
    if found.measurement is None or found.refusal is not None:
        return look
    if not found.view.drift:  # else the lines are no longer where they were
        again = level(without_line_offsets(view.grey, found.measurement.lattice.basis))
        found = found if again.measurement is None or again.refusal is not None else again
    return found.noting("the lines of the scan have offsets, which were taken off")


def _without_steps(view: View, look: Look) -> Look:
    """A look at a surface without its terraces, if many more cells are seen then; else the one given.

    A pattern with cells as large as terraces has the same cells without its low frequencies.
    """
    m = look.measurement
    few = look.refusal is not None or m is None or m.lattice.repeats < _STEPPED_CELLS
    if not few or len(view.channels) > 1 or view.mask is not None or view.window or view.expected is not None:
        return look
    if float(adaptive_avg_pool2d(view.grey[None], _COARSE).var()) < _IN_STEPS * float(view.grey.var()):
        return look
    flat = torch.from_numpy(flatten(view.grey.numpy(), "steps")).float()
    spread = float(flat.std()) or 1.0
    level = _drift_corrected(replace(view, channels=flat[None] / spread, spread=view.spread * spread))
    own = level.measurement
    if own is None or own.lattice.repeats < max(_DOZEN, 0 if m is None else _MORE * m.lattice.repeats):
        return look
    if level.refusal is not None and (look.refusal is not None or own.lattice.score < _REPEATS):
        return look
    return level.noting("the heights of terraces were taken off")


def _one_side(look: Look) -> Look:
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
    against = refuse_side(seen.grey, m, fault) or refuse_other_side(look.view.grey, m, fault)
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


def _moved_into_register(view: View, look: Look) -> Look:
    """A look at a pattern whose parts are moved into register, where one of them has a lattice and the whole has none.

    Or hardly has one: parts that are out of register with each other average to something that explains little.
    """
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_DISPLACED
    explained = 0.0 if refused or look.rest is None else look.rest.explained
    smeared = look.refusal is None and look.rest is not None and explained < _SMEARED
    if not (refused or smeared) or view.window or view.mask is not None or view.expected is not None:
        return look
    lattice = lattice_of_parts(view.grey)
    if lattice is None or lattice.score < explained + _CLEARER:
        return look
    try:
        channels, lattice, share = in_register(view.channels, lattice)
    except ValueError:  # its waves run along one direction
        return look
    if share < _MOST:
        return look
    seen = replace(view, channels=channels, expected=lattice.basis)
    moved = _drift_corrected(seen)
    if moved.refusal is not None and moved.rest is not None:  # where it is displaced, windows see both sides
        left = gaussian_filter(moved.rest.left**2, abs(float(np.linalg.det(lattice.basis))) ** 0.5)
        torn = left > _TORN * np.median(left)
        if 0 < torn.mean() < 1 - _MOST:
            moved = _drift_corrected(seen.without(torch.from_numpy(torn)))
    if moved.measurement is None or moved.refusal is not None or moved.rest is None or moved.view.drift:
        return look
    if moved.rest.explained < max(_REPEATS, explained + _CLEARER):
        return look
    return moved.noting("the pattern is displaced here and there, as by dislocations or faults; this was corrected")


def with_superstructure(look: Look) -> Look | None:
    """The same view on the cell of a superstructure that the cell measured leaves out, if there is one."""
    m, basis = look.measurement, look.review.superlattice
    if m is None or basis is None or look.refusal is not None or look.overlaid or look.view.window:
        return None
    repeats = m.lattice.repeats * abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(basis)))
    larger = None if repeats < _DOZEN else _measured_on(look, replace(m.lattice, basis=basis, repeats=repeats))
    if larger is None or larger.refusal is not None or larger.rest is None or look.rest is None:
        return None
    return larger if larger.rest.explained > look.rest.explained else None


def _measured_on(look: Look, lattice: Lattice) -> Look | None:
    """The same view on another lattice."""
    assert look.measurement is not None
    view, mask = look.view, look.measurement.mask
    image = view.grey if len(view.channels) == 1 else view.channels
    own = measure(image, refine_to_waves(view.grey, lattice, mask), mask=mask)
    return None if own is None else replace(look, measurement=own)


def _without_wave(look: Look) -> Look:
    """The same pattern on its own cell, where a wave laid over it or a modulation nearly repeats with a larger one."""
    m, small = look.measurement, look.review.pseudocell
    if m is None or small is None or not (small.wave or small.modulation):
        return look
    copies = abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(small.basis)))
    score = m.lattice.score * (1 - small.beyond)
    lattice = replace(m.lattice, basis=small.basis, score=score, repeats=m.lattice.repeats * copies)
    own = _measured_on(look, lattice)
    if own is None:
        return look
    period = f"{(small.wave or small.modulation) * look.view.scale:.1f} pixels"
    if small.modulation:
        note = f"the pattern is modulated with a period of {period}, which fits no whole number of its cells"
    else:
        note = f"a wave with a period of {period} is laid over the pattern"
    modulated = small.beyond if small.modulation else 0.0
    return replace(own, overlaid=True, modulated=modulated).noting(note)


def _without_hum(look: Look) -> Look | None:
    """The same pattern without one strong wave, where only then it repeats and has no wave there: hum of the mains."""
    m, view = look.measurement, look.view
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_HUM
    joined = look.review.pseudocell is not None and look.review.pseudocell.wave > 0
    if view.window or view.expected is not None or not (refused or joined or (m is not None and is_dominated(m))):
        return None
    for q in strong_waves(view.grey, view.mask):
        alone = _without(q, view)
        if alone is not None:
            period = f"{view.scale / float(np.linalg.norm(q)):.1f} pixels"
            return alone.noting(f"a wave with a period of {period} is laid over the pattern")
    return None


def _without(q: NDArray[np.float64], view: View) -> Look | None:
    """A look without a wave, if it shows a pattern that is more than two gratings and has no wave there."""
    seen = replace(view, channels=without_wave(view.channels, q))
    size = np.array(view.grey.shape[::-1])

    def holds(lattice: Lattice) -> bool:
        off = [float(np.linalg.norm(offsets(q[None], n * lattice.basis)[0] * size)) for n in range(1, 5)]
        own = off[0] < _OWN_WAVE or min(off) < _ITS_PART  # that of a superstructure, on a few cells
        return not own and lattice.score > _REPEATS and lattice.repeats >= _DOZEN

    glance = look_at(seen.channels)
    if glance is None or not holds(glance.lattice):
        return None
    alone = replace(_drift_corrected(seen), overlaid=True)
    m = alone.measurement
    if m is None or alone.refusal is not None or alone.review.second or not holds(m.lattice):
        return None
    return alone if has_three_directions(m) else None


def _square_on(view: View, look: Look) -> Look:
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
    seen_so = "the image is seen at an angle, or its scale changes"
    return straight.noting(f"{seen_so}: a perspective of {share:.1f} % across it was removed")


def _drift_corrected(view: View) -> Look:
    image = view.grey if len(view.channels) == 1 else view.channels
    scan = measure_scan(image, mask=view.mask, expected=view.expected)
    m, notes, against = scan.measurement, [], None
    if scan.shift:
        against = None if m is None or view.window else refuse_drift(view.grey, m.lattice, scan.shift)
        view = replace(view, channels=scan.image[None], mask=None, drift=scan.shift)
        if against is None:
            pixels = view.drift * view.scale
            notes.append(f"the lines of the scan drift by up to {pixels:.1f} pixels; this was corrected")
    if m is not None and m.mask is not None:
        what = "empty" if view.mask is None else "unknown or empty"
        notes.append(f"{100 * (1 - m.mask.double().mean()):.2g} % of the image are {what} and were left out")
    return Look(view, m, tuple(notes), against=against)
