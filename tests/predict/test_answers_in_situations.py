"""Other people's images: crystals, near-symmetric lattices, faults, twins, quasicrystals, broken pixels."""

from itertools import pairwise

import numpy as np
import pytest

from equisym import SymmetryClassifier
from equisym.data.situations import situations
from equisym.data.situations.many_repeats import series

CLASSIFIER = SymmetryClassifier.from_pretrained()
CHOSEN = {
    "repeats": ("pgg 50 a side", "p1 40 a side"),
    "metric": ("lines 40 x 44", "lines 30 x 32.4", "discs at 94 degrees"),
    "crystal": ("Cu [100]", "rutile [100]"),
    "deviation": ("p4m, mixed with pmm, 3 % left", "p4m, a column tilted, 3 % left", "p3, a column tilted, 3 % left"),
    "planar fault": (
        "rutile [001] antiphase",
        "Cu [110] antiphase",
        "p1 shifted across a line",
        "p3m1 over a step edge",
    ),
    "fine motif": ("triangles", "triangles turned"),
    "thin lines": ("grid 32 px, lines 1 px", "triangles of lines 34.7 px"),
    "weak direction": ("a square, 30 % grey", "a rectangle, 30 % grey", "beads on rows"),
    "faint": ("p6m 33 px, noise 4.0 times",),
    "superstructure": ("p4m, 2 x 1 cell, 30 %", "p6m, 3 x 3 cell, 50 %"),
    "quasicrystal": ("5-fold waves, 11 px", "5-fold waves, 17.3 px", "12-fold waves, 17.3 px"),
    "twisted": ("graphene by 30 degrees", "graphene by 11.3 degrees"),
    "commensurate": ("graphene by 21.79 degrees, weights 1 and 1",),
    "two lattices": (
        "square, hexagonal, 1 and 1",
        "square, square 1.27 times, 1 and 0.4",
        "hexagonal, hexagonal 1.41 times, 1 and 0.4",
    ),
    "grating": ("9.7 px at 31 degrees, 3 samples", "13 px at 90 degrees, 1 samples"),
    "no order": ("photograph camera",),
    "domains": ("p6 mirrored, 30 %", "p2 mirrored, 50 %", "pm turned, 30 %"),
    "one domain": ("p6",),
    "uneven": ("p6m, amorphous rim", "p4m, frame with axes"),
    "perspective": ("mesh, 10 and -8 %", "spots of p4, -4 and 7 %"),
    "colour": ("p4m in grey, rows of two colours",),
    "pixels": ("p4g, offset 1e9", "pgg, dead lines", "cmm, NaN border"),
    "line offsets": ("p4g, 1", "p2, 2"),
    "terraces": ("p31m, 2", "pmg, 2"),
    "displaced lines": ("p31m, 2",),
    "false colours": ("p4g, 2",),
    "superlattice": ("p4g on p4m, noise 0.5", "pmg on pmm, noise 0"),
    "side by side": ("p4g and p31m", "twin, 80 degrees"),
    "dislocation": ("SrTiO3 [001], edge dislocation", "pmg, edge dislocation"),
    "several faults": ("Si [110], four faults", "p31m, four faults"),
    "barrel": ("p4, barrel distortion of 4 %",),
    "particle": ("p3m1, 6.5 % of the image", "pgg, 20 % of the image", "4 particles, turned"),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CHOSEN.items() for name in names])
def test_the_answer_is_right_and_says_what_it_should(kind, name):
    (s,) = (s for s in situations(kind) if s.name == name)
    result = CLASSIFIER.predict(s.draw())
    group = None if result.refused else result.group
    text = "; ".join(str(t) for t in (result, result.refused, *result.notes) if t)
    assert s.judge(group, result.probabilities.get(group or "", 0.0), text) == "right", f"{group}: {text}"
    assert s.said(group, text) is not False, text


def test_certainty_does_not_fall_as_more_of_one_pattern_is_shown():
    answers = [CLASSIFIER.predict(series(count)) for count in (6, 12, 24, 48, 100)]
    assert [answer.group for answer in answers] == ["p4"] * 5
    certainty = [answer.probabilities["p4"] for answer in answers]
    for fewer, more in pairwise(certainty):
        assert more >= fewer - 1e-3, certainty


@pytest.mark.parametrize("noise", [0.0, 0.8])
def test_a_quasicrystal_that_looks_shifted_across_a_line_is_refused(noise):
    """Five waves whose nearest repeat is half the image long: either half seems to be a crystal."""
    y, x = np.mgrid[:384, :384]
    phases = (2.8447, 2.6631, 3.0781, 1.8858, 3.4962)
    angles = 0.72744 + 2 * np.pi / 5 * np.arange(5)
    waves = [
        np.cos(2 * np.pi / 9.0957 * (np.cos(a) * x + np.sin(a) * y) + p) for a, p in zip(angles, phases, strict=True)
    ]
    image = np.tanh(3 * np.sum(waves, 0))
    result = CLASSIFIER.predict(image + noise * image.std() * np.random.default_rng(0).standard_normal(image.shape))
    assert "not periodic" in str(result.refused)
