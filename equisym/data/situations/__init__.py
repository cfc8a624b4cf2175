"""Situations: images that the library's own generator does not draw, each with its correct answers.

Crystals along known zone axes, lattices near higher ones, faults, twins, quasicrystals, broken pixels. They hold a
classifier to what other people's images ask of it; nothing here is for training.

>>> found = {s.name: s for s in situations("metric")}
>>> sorted(found["lines 40 x 44"].right), round(found["lines 40 x 44"].strained["p4m"], 3)
(['pmm'], 0.048)
>>> found["lines 40 x 44"].draw().shape
(288, 288)
"""

from equisym.data.situations import (
    aperiodic,
    deviations,
    dislocations,
    known_crystals,
    lattices,
    many_repeats,
    metric,
    overlaid,
    particles,
    perspective,
    pixel_faults,
    planar_faults,
    prints,
    scans,
    twins,
    uneven,
)
from equisym.data.situations.drawing import Motif, image, of_group
from equisym.data.situations.oracle import plane_group, trials
from equisym.data.situations.situation import KINDS, Situation

_ALL = (
    metric,
    known_crystals,
    deviations,
    planar_faults,
    lattices,
    aperiodic,
    twins,
    uneven,
    perspective,
    pixel_faults,
    overlaid,
    scans,
    dislocations,
    particles,
    prints,
    many_repeats,  # large images last
)


def situations(kind: str | None = None) -> list[Situation]:
    """Every situation, in a fixed order, or those of one kind.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)} (got {kind!r})")
    return [s for each in _ALL for s in each.situations() if kind in (None, s.kind)]


__all__ = ["KINDS", "Motif", "Situation", "image", "of_group", "plane_group", "situations", "trials"]
