"""Situations: images that the library's own generator does not draw, each with its correct answers.

Crystals along known zone axes, lattices near higher ones, faults, twins, quasicrystals, broken pixels. They hold a
classifier to what other people's images ask of it; nothing here is for training.

>>> found = {s.name: s for s in situations("metric")}
>>> sorted(found["lines 40 x 44"].right), round(found["lines 40 x 44"].strained["p4m"], 3)
(['pmm'], 0.048)
>>> found["lines 40 x 44"].draw().shape
(288, 288)
"""

from equisym.data.situations.aperiodic import aperiodic
from equisym.data.situations.deviations import deviations
from equisym.data.situations.domains import domains
from equisym.data.situations.drawing import Motif, image, of_group
from equisym.data.situations.known_crystals import known_crystals
from equisym.data.situations.lattices import lattices
from equisym.data.situations.many_repeats import many_repeats
from equisym.data.situations.metric import metric
from equisym.data.situations.oracle import plane_group, trials
from equisym.data.situations.pixel_faults import pixel_faults
from equisym.data.situations.planar_faults import planar_faults
from equisym.data.situations.situation import KINDS, Situation
from equisym.data.situations.uneven import uneven

_ALL = (
    metric,
    known_crystals,
    deviations,
    planar_faults,
    lattices,
    aperiodic,
    domains,
    uneven,
    pixel_faults,
    many_repeats,  # large images last
)


def situations(kind: str | None = None) -> list[Situation]:
    """Every situation, in a fixed order, or those of one kind.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)} (got {kind!r})")
    return [s for draw in _ALL for s in draw() if kind in (None, s.kind)]


__all__ = ["KINDS", "Motif", "Situation", "image", "of_group", "plane_group", "situations", "trials"]
