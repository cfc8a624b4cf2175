"""Looks at an image with faults of the instrument or the view corrected, where it shows a lattice only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from equisym.crystal.drift_correction import merit
from equisym.crystal.indexing import offsets
from equisym.crystal.lattice_choice import look_at
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.line_offsets import has_line_offsets, without_line_offsets
from equisym.crystal.overlaid_wave import has_three_directions, is_dominated, strong_waves, without_wave
from equisym.crystal.perspective import OPTIONS as PERSPECTIVE
from equisym.crystal.perspective import find_perspective, without_perspective
from equisym.crystal.registry import in_register
from equisym.predict.contradiction import refuse_other_side, refuse_side
from equisym.predict.flattening import flatten
from equisym.predict.lattices_of_parts import lattice_of_parts
from equisym.predict.look import SMEARED, Look, look_on, plain_look
from equisym.predict.refusal import RefusalCode
from equisym.predict.view import View

_PERHAPS_HUM = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.DOMAINS)
_PERHAPS_DISPLACED = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.FEW_REPEATS)
# set on 20 simulated crystals with dislocations and faults and on 87 situations to be refused
_CLEARER = 0.25  # of the image explained: so much more than before
_TORN = 2.5  # times the median of what the cell leaves nearby: along a fault
_MOST = 0.75  # of the image that shows the lattice that a part of it has
_COARSER = 1.5  # times the area of the cell on which a fault was seen: another lattice
_DOZEN = 12.0  # cells
_LEVEL = 0.95  # of the image repeats: no lines are out of place
# set on six simulated surfaces with terraces, and on 170 images of our families
_STEPPED_CELLS, _MORE = 30.0, 4.0  # cells: steps may have made fewer of an image; times as many seen without them
_COARSE, _IN_STEPS = 3, 0.5  # areas along a side whose means hold so much of the variance; of patterns, .1 at most
# bins from a point of the lattice, and of one of two to four cells: none of its waves; of the image that repeats then
_OWN_WAVE, _ITS_PART, _REPEATS = 2.0, 0.2, 0.5


def square_on(view: View, look: Look) -> Look:
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
    straight = plain_look(seen)
    if straight.measurement is None or straight.rest is None or straight.refusal is not None:
        return look
    more = merit(straight.measurement.lattice) - merit(m and m.lattice)
    clearer = straight.rest.explained - (0.0 if rest is None else rest.explained)
    if more < PERSPECTIVE.gain and clearer < PERSPECTIVE.clearer:
        return look
    share = 100 * float(np.hypot(*tilt))
    seen_so = "the image is seen at an angle, or its scale changes"
    return straight.noting(f"{seen_so}: a perspective of {share:.1f} % across it was removed")


def levelled(view: View, look: Look) -> Look:
    """A look without the offsets of a scan's lines, if it has any and shows a lattice without them."""
    holds = look.measurement is not None and look.measurement.lattice.score > _LEVEL
    if holds or len(view.channels) > 1 or view.mask is not None or view.window or not has_line_offsets(view.grey):
        return look

    def level(image: Tensor) -> Look:
        spread = float(image.std()) or 1.0
        return plain_look(replace(view, channels=image[None] / spread, spread=view.spread * spread))

    found = level(without_line_offsets(view.grey))
    if found.measurement is None or found.refusal is not None:
        return look
    if not found.view.drift:  # else the lines are no longer where they were
        again = level(without_line_offsets(view.grey, found.measurement.lattice.basis))
        found = found if again.measurement is None or again.refusal is not None else again
    return found.noting("the lines of the scan have offsets, which were taken off")


def without_steps(view: View, look: Look) -> Look:
    """A look at a surface without its terraces, if many more cells are seen then; else the one given.

    A pattern with cells as large as terraces has the same cells without its low frequencies.
    """
    m = look.measurement
    few = look.refusal is not None or m is None or m.lattice.repeats < _STEPPED_CELLS
    if not few or len(view.channels) > 1 or view.mask is not None or view.window or view.expected is not None:
        return look
    if not _is_stepped(view.grey):
        return look
    flat = torch.from_numpy(flatten(view.grey.numpy(), "steps")).float()
    spread = float(flat.std()) or 1.0
    level = plain_look(replace(view, channels=flat[None] / spread, spread=view.spread * spread))
    own = level.measurement
    if own is None or own.lattice.repeats < max(_DOZEN, 0 if m is None else _MORE * m.lattice.repeats):
        return look
    if level.refusal is not None and (look.refusal is not None or own.lattice.score < _REPEATS):
        return look
    return level.noting("the heights of terraces were taken off")


def _is_stepped(image: Tensor) -> bool:
    """Whether most of an image's variance is between large areas, as on a surface with terraces."""
    return float(adaptive_avg_pool2d(image[None], _COARSE).var()) > _IN_STEPS * float(image.var())


def one_side(look: Look) -> Look:
    """The larger side of a line across which the pattern is shifted; the look itself if there is no such line.

    A fault on a finer lattice, which would have been joined to the one measured, is none if the larger side alone shows
    no finer one.
    """
    fault = look.review.fault
    if fault is None or look.measurement is None:
        return look
    height, width = look.view.grey.shape
    side = fault.larger_side((height, width))
    alone = plain_look(look.view.without(torch.from_numpy(~side)))
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


def moved_into_register(view: View, look: Look) -> Look:
    """A look at a pattern whose parts are moved into register, where one of them has a lattice and the whole has none.

    Or hardly has one: parts that are out of register with each other average to something that explains little.
    """
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_DISPLACED
    explained = 0.0 if refused or look.rest is None else look.rest.explained
    smeared = look.refusal is None and look.rest is not None and explained < SMEARED
    if not (refused or smeared) or view.window or view.mask is not None or view.expected is not None:
        return look
    lattice = None if _is_stepped(view.grey) else lattice_of_parts(view.grey)
    if lattice is None or lattice.score < explained + _CLEARER:
        return look
    try:
        channels, lattice, share = in_register(view.channels, lattice, least=_MOST)
    except ValueError:  # its waves run along one direction
        return look
    if share < _MOST:
        return look
    seen = replace(view, channels=channels, expected=lattice.basis)
    moved = plain_look(seen)
    if moved.refusal is not None and moved.rest is not None:  # where it is displaced, windows see both sides
        left = gaussian_filter(moved.rest.left**2, abs(float(np.linalg.det(lattice.basis))) ** 0.5)
        torn = left > _TORN * np.median(left)
        if 0 < torn.mean() < 1 - _MOST:
            moved = plain_look(seen.without(torch.from_numpy(torn)))
    if moved.measurement is None or moved.refusal is not None or moved.rest is None or moved.view.drift:
        return look
    if moved.rest.explained < max(_REPEATS, explained + _CLEARER):
        return look
    return moved.noting("the pattern is displaced here and there, as by dislocations or faults; this was corrected")


def without_hum(look: Look) -> Look | None:
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
    alone = replace(plain_look(seen), overlaid=True)
    m = alone.measurement
    if m is None or alone.refusal is not None or alone.review.second or not holds(m.lattice):
        return None
    return alone if has_three_directions(m) else None


def on_its_own_cell(look: Look) -> Look:
    """The same pattern on its own cell, where a wave laid over it or a modulation nearly repeats with a larger one."""
    m, small = look.measurement, look.review.pseudocell
    if m is None or small is None or not (small.wave or small.modulation):
        return look
    copies = abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(small.basis)))
    score = m.lattice.score * (1 - small.beyond)
    lattice = replace(m.lattice, basis=small.basis, score=score, repeats=m.lattice.repeats * copies)
    own = look_on(look, lattice)
    if own is None:
        return look
    period = f"{(small.wave or small.modulation) * look.view.scale:.1f} pixels"
    if small.modulation:
        note = f"the pattern is modulated with a period of {period}, which fits no whole number of its cells"
    else:
        fits = f", or belongs to it: it fits {small.fits} of its cells exactly" if small.fits else ""
        note = f"a wave with a period of {period} is laid over the pattern{fits}"
    modulated = small.beyond if small.modulation or small.fits else 0.0
    return replace(own, overlaid=True, modulated=modulated).noting(note)


def with_superstructure(look: Look) -> Look | None:
    """The same view on the cell of a superstructure that the cell measured leaves out, if there is one."""
    m, basis = look.measurement, look.review.superlattice
    if m is None or basis is None or look.refusal is not None or look.overlaid or look.view.window:
        return None
    repeats = m.lattice.repeats * abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(basis)))
    larger = None if repeats < _DOZEN else look_on(look, replace(m.lattice, basis=basis, repeats=repeats))
    if larger is None or larger.refusal is not None or larger.rest is None or look.rest is None:
        return None
    return larger if larger.rest.explained > look.rest.explained else None
