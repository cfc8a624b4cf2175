"""A look at the part of an image that a pattern covers, such as a particle on its support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from equisym.crystal.pattern_area import pattern_area
from equisym.predict.lattices_of_parts import clearest_part
from equisym.predict.look import SMEARED, Look, plain_look
from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.rejection import DOZEN
from equisym.predict.view import View

_PERHAPS_IN_PART = (
    RefusalCode.NOT_PERIODIC,
    RefusalCode.SEVERAL_LATTICES,
    RefusalCode.FEW_REPEATS,
    RefusalCode.DOMAINS,
)
_CLEARER = 0.25  # of the image explained: so much more than before
_MOST, _ELSEWHERE = 0.75, 0.15  # of the image covered; power of the pattern's waves beyond it, for that within
_EDGE = 8  # pixels left around the area that is cut out


def in_part(view: View, look: Look) -> Look:
    """A look at the area in which a part's lattice goes on, where the whole image hardly has one."""
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_IN_PART
    explained = 0.0 if refused or look.rest is None else look.rest.explained
    smeared = look.refusal is None and look.rest is not None and explained < SMEARED
    if not (refused or smeared) or view.window or view.expected is not None:
        return look
    rows, columns = view.grey.shape
    if smeared and look.measurement is not None and look.view is view:
        everywhere = pattern_area(view.grey, look.measurement.lattice, (slice(0, rows), slice(0, columns)))[0]
        if everywhere.mean() > _MOST:
            return look
    part = clearest_part(view.grey)
    if isinstance(part, Refusal):
        return replace(look, against=part, grains=True) if refused else look
    if part is None:
        return look
    area, elsewhere = pattern_area(view.grey, *part)
    if not 0 < area.mean() <= _MOST or elsewhere > _ELSEWHERE:
        return look
    place = [_around(np.flatnonzero(area.any(axis))) for axis in (1, 0)]
    seen = view.without(torch.from_numpy(~area)).cut(*place)
    alone = plain_look(replace(seen, expected=part[0].basis))
    m = alone.measurement
    if m is None or alone.refusal is not None or alone.rest is None or m.lattice.repeats < DOZEN:
        return look
    if alone.rest.explained < explained + _CLEARER:
        return look
    share = f"{100 * area.mean():.2g} %"
    return replace(alone, notes=(f"the pattern covers {share} of the image; the rest was left out",))


def _around(lines: NDArray[np.intp]) -> slice:
    """From the first to the last of these lines, and a little more."""
    return slice(max(0, int(lines[0]) - _EDGE), int(lines[-1]) + 1 + _EDGE)
