"""When an image is answered by the vote of its windows, for it has no lattice from end to end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.posterior import no_surer_than_strain_allows
from equisym.crystal.tuned_constants import PosteriorOptions
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.lattices_of_parts import clear_lattice, differ, lattice_of_parts
from equisym.predict.map import SMALLEST, SymmetryMap, starts, suitable_window
from equisym.predict.measurement import Found, inspect
from equisym.predict.prediction import Prediction
from equisym.predict.preprocessing import Pixels, halves
from equisym.predict.refusal import Refusal, RefusalCode

Basis = NDArray[np.float64]
Ask = Callable[[Pixels, float | None, int, int, PosteriorOptions, int, Basis | None], SymmetryMap]
"""Answers windows: pixels and their size, side and step of the windows, options, processes, expected lattice."""


_WORTH_WINDOWS = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.CANNOT_TELL)
_HARDLY, _MANY = 0.15, 36.0  # explained, and cells: an average of so many that explains so little may be smeared
_SOMEWHAT_STEADY = 2.0  # translations of a refused lattice: less is chance, whatever windows say
_PATCHY = 6.0  # a hole, an amorphous rim; a second lattice all over the image reaches 5, and is in every window
_MOST_WINDOWS = 5  # along a side that vote
_AGREED = 0.5  # of the windows on one lattice with one pattern, or their vote does not count
# Where no lattice holds from end to end and windows are asked: how many must agree, the share that they must be of all
# and of those that answer, and what their vote must reach. Set on 20 crystals with dislocations and faults, and on 87
# situations and 50 simulated grain boundaries, twins and interfaces to be refused.
_PERHAPS_FAULTED = (RefusalCode.NOT_PERIODIC, RefusalCode.FEW_REPEATS)  # a weak second lattice is lost in windows
_SEVERAL, _SHARE, _ALONE, _LIKELY = 6, 0.4, 0.7, 0.7
_ALIKE = 0.8  # correlation of one crystal's cells in two windows; of CeO2 and Si, which share one, 0.68


def answer_by_windows(
    found: Found,
    answer: Prediction,
    read: Callable[[], tuple[Pixels, float | None]],
    options: PosteriorOptions,
    ask: Ask,
) -> Prediction:
    """The answer about an image, or that of its windows where its lattice may hold in parts only, if they agree.

    Args:
        found: what was measured in the whole of it.
        answer: which that gave.
        read: reads its pixels, and their size.
        options: constants.
        ask: answers windows.
    """
    if not _incoherent(found, answer):
        basis = _lattice_of_parts(found, answer)
        return answer if basis is None else _in_parts(answer, basis, *read(), options, ask)
    voted = _voted(found, answer, *read(), options, ask)
    if not found.fault:
        return voted
    if voted is not answer:
        return replace(voted, notes=(f"the pattern is {found.fault}", *voted.notes))
    detail = f"the pattern is {found.fault}, and neither side shows it alone"
    return replace(answer, refusal=answer.refusal or Refusal(RefusalCode.CANNOT_TELL, detail))


def _voted(
    found: Found, answer: Prediction, pixels: Pixels, side: float | None, options: PosteriorOptions, ask: Ask
) -> Prediction:
    """The vote of windows on an image whose lattice hardly holds from end to end, if they agree."""
    windows = _windows(*window_for(pixels, found), pixels, side, options, ask)
    if windows is None or windows.group is None or windows.vote.agreed < _AGREED * windows.vote.windows:
        return answer
    return _not_surer(windows.answer(), options)


def _in_parts(
    answer: Prediction, basis: Basis, pixels: Pixels, side: float | None, options: PosteriorOptions, ask: Ask
) -> Prediction:
    """The vote of windows on an image that was refused, if enough agree and it is fairly sure."""
    window = suitable_window(basis, pixels.shape)
    if not _glanced(pixels, basis, window):
        return answer
    windows = _windows(window, basis, pixels, side, options, ask)
    windows = None if windows is None else replace(windows, alike=_ALIKE)
    if windows is None or windows.group is None:
        return answer
    voted = _not_surer(windows.answer(), options)
    enough = _enough(windows.vote.agreed, windows.vote.windows)
    alone = windows.vote.agreed >= _ALONE * windows.vote.answered
    if not enough or not alone or max(voted.probabilities.values()) < _LIKELY:
        return answer
    note = "parts of the image agree on one lattice, the whole has none: the crystal may be bent or faulted"
    return replace(voted, notes=(note, *voted.notes))


def _glanced(pixels: Pixels, basis: Basis, window: int) -> bool:
    """Whether half as many windows as must agree show the lattice at a glance, which costs a tenth of an answer."""
    grey = torch.from_numpy(np.ascontiguousarray(pixels.grey, dtype=np.float32))
    rows, columns = (starts(length, window, _step(pixels, window)) for length in pixels.shape)
    seen = [clear_lattice(grey[y : y + window, x : x + window]) for y in rows for x in columns]
    alike = sum(lattice is not None and not differ(basis, lattice.basis) for lattice in seen)
    return _enough(2 * alike, len(seen))


def _enough(agreed: int, count: int) -> bool:
    return agreed >= max(_SEVERAL, _SHARE * count)


def _step(pixels: Pixels, window: int) -> int:
    return max(1, window // 2, -(-(max(pixels.shape) - window) // (_MOST_WINDOWS - 1)))


def _windows(
    window: int, lattice: Basis | None, pixels: Pixels, side: float | None, options: PosteriorOptions, ask: Ask
) -> SymmetryMap | None:
    """Answers of windows that are to vote; ``None`` where there is room for one alone."""
    if 2 * window > max(pixels.shape):
        return None
    # the distortion is the same in all windows, and is asked of none of them
    alike = replace(options, true=0.0, at_most=1.0)
    return ask(pixels, side, window, _step(pixels, window), alike, 0, lattice)


def _not_surer(answer: Prediction, options: PosteriorOptions) -> Prediction:
    """An answer that windows agree on, no surer than the strain of their lattice allows."""

    def values(of: dict[str, float], missing: float) -> Tensor:
        return torch.tensor([[of.get(g.name, missing) for g in WALLPAPER_GROUPS]], dtype=torch.float64)

    p, strain, residual = (
        values(answer.probabilities, 0.0),
        values(answer.strains, torch.inf),
        values(answer.residuals, torch.inf),
    )
    found = no_surer_than_strain_allows(p, strain, residual, options)[0].tolist()
    order = sorted(WALLPAPER_GROUPS, key=lambda g: -found[g.label])
    return replace(answer, probabilities={g.name: found[g.label] for g in order})


def window_for(pixels: Pixels, whole: Found) -> tuple[int, Basis | None]:
    """A window that suits the lattice of an image, or of the first of its parts that shows one; and that lattice."""
    parts = (*halves(pixels), *halves(pixels, 4))
    for found in itertools.chain([whole], (inspect(part.array(), None) for part in parts)):
        if found.refusal is None and found.measurement is not None and found.view is not None:
            basis = found.measurement.lattice.basis * found.view.scale
            return suitable_window(basis, pixels.shape), basis
    return min(256, *pixels.shape), None


def _lattice_of_parts(found: Found, answer: Prediction) -> Basis | None:
    """The lattice of a part of an image that was refused as a whole: of a crystal with many faults, perhaps."""
    asked = answer.refusal is not None and answer.refusal.code in _PERHAPS_FAULTED
    if not asked or found.view is None or min(found.shape) < 2 * SMALLEST:
        return None
    lattice = lattice_of_parts(found.view.grey)
    return None if lattice is None else lattice.basis * found.view.scale


def _incoherent(found: Found, answer: Prediction) -> bool:
    """Whether the lattice of an image may hold in its parts only: windows are worth looking at."""
    m = found.measurement
    if m is None or found.grains or min(found.shape) < 2 * SMALLEST or m.lattice.repeats < _MANY:
        return False
    if answer.refusal is not None:
        patchy = found.explained is not None and (found.explained < _HARDLY or found.patchiness > _PATCHY)
        return answer.refusal.code in _WORTH_WINDOWS and patchy and m.lattice.steadiness > _SOMEWHAT_STEADY
    return bool(found.fault) or (found.explained is not None and found.explained < _HARDLY)
