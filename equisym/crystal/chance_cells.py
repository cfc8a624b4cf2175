"""Cells that are larger than what an image shows: a few of their vectors repeat better than the rest by chance."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from torch import Tensor

from equisym.crystal.correlation import Spectrum, shared_waves
from equisym.crystal.lattice_search import SHORTEST
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum
from equisym.crystal.superlattice import waves_of_smaller, whole_forms
from equisym.crystal.tuned_constants import ChanceLimits
from equisym.groups.lattice import reduce_basis

LIMITS = ChanceLimits()


def cell_that_is_shown(image: Tensor, basis: Array, s: Spectrum, mask: Tensor | None = None) -> Array | None:
    """The smallest cell beyond which an image shows nothing, if that is smaller than the cell that was found.

    Where motifs are out of place by a tenth of a period, few large cells may seem to repeat better than all others. Two
    things tell whether their further waves are there: the two halves of the repeats share them, with one phase, so that
    the real part of the product is their power and the imaginary part is noise; or one is a peak of the image's
    spectrum. Neither is so where the lattice is only disordered: its waves in between are a background.

    Args:
        image: grey image, (H, W).
        basis: of the lattice, columns in pixels.
        s: waves of the averaged cell, of this image alone.
        mask: which pixels count, (H, W); all if not given.

    Returns:
        The basis of the smaller cell; ``None`` if the cell itself is shown.
    """
    index, shared = shared_waves(s)
    q = index @ np.linalg.inv(basis)
    one_of_each_pair = (index[:, 0] > 0) | ((index[:, 0] == 0) & (index[:, 1] > 0))
    seen = one_of_each_pair & (np.linalg.norm(q, axis=-1) <= LIMITS.coarse)
    index, shared, q = index[seen], shared[seen], q[seen]
    forms, starts = whole_forms(LIMITS.largest)
    extra = ~waves_of_smaller(forms, index)
    beyond, error = extra @ shared.real, np.sqrt(extra @ shared.imag**2)
    within, noise = ~extra @ shared.real, np.sqrt(~extra @ shared.imag**2)
    chance = (
        (beyond < LIMITS.shown * error) & (beyond < LIMITS.most * shared.real.sum()) & (within > LIMITS.seen * noise)
    )
    peaks: PowerSpectrum | None = None
    for start, stop in pairwise(starts):
        found = start + np.flatnonzero(chance[start:stop])
        for form in found[np.argsort(beyond[found], kind="stable")]:
            small = reduce_basis(basis @ np.linalg.inv(forms[form].T))
            if np.linalg.norm(small, axis=0).min() < SHORTEST:
                continue
            peaks = PowerSpectrum(image, mask) if peaks is None else peaks
            strongest = np.argsort(np.where(extra[form], -shared.real, np.inf), kind="stable")[: LIMITS.strongest]
            if peaks.sharpness(q[strongest]).max() < LIMITS.sharp:
                return small
    return None
