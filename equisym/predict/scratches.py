"""A look without scratches, dust and other things that stand out of what the averaged cell leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import binary_dilation

from equisym.predict.look import Look, plain_look
from equisym.predict.refusal import RefusalCode
from equisym.predict.rejection import DOZEN
from equisym.predict.view import View

# set on 17 drawn patterns under scratches and dust, and on situations to be refused
_PERHAPS_SCRATCHED = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES)
_OUT, _WIDER, _MOST = 3.5, 2, 0.2  # standard deviations of the rest; pixels around; of the image, at most
_CLEARER, _HOLDS = 0.1, 0.6  # of the image explained: more than before, and at least


def without_scratches(view: View, look: Look) -> Look:
    """A look without pixels that are far off the averaged cell, where that shows one lattice; else the one given.

    Once only: with fewer pixels left, ever more stand out.
    """
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_SCRATCHED
    m = look.measurement
    if not refused or m is None or look.rest is None or m.lattice.repeats < DOZEN:
        return look
    if look.view is not view or view.window or view.expected is not None:  # corrected: what is left is elsewhere
        return look
    off = np.abs(look.rest.left)
    known = np.ones(off.shape, bool) if view.mask is None else view.mask.numpy()
    usual = 1.4826 * float(np.median(off[known]))
    out = np.asarray(binary_dilation(known & (off > _OUT * usual), iterations=_WIDER), bool)
    if not 0 < out.mean() <= _MOST:
        return look
    without = plain_look(replace(view.without(torch.from_numpy(out)), expected=m.lattice.basis))
    if without.measurement is None or without.refusal is not None or without.rest is None:
        return look
    if without.rest.explained < max(_HOLDS, look.rest.explained + _CLEARER):
        return look
    share = f"{100 * out.mean():.2g} %"
    return replace(without, notes=(f"scratches or dust on {share} of the image were left out",))
