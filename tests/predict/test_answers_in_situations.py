"""Other people's images: crystals, near-symmetric lattices, faults, twins, quasicrystals, broken pixels."""

import pytest

from equisym import SymmetryClassifier
from equisym.data.situations import situations

CLASSIFIER = SymmetryClassifier.from_pretrained()
CHOSEN = {
    "metric": (
        "lines 40 x 44",
        "lines 30 x 32.4",
    ),
    "deviation": (
        "p4m, mixed with pmm, 3 % left",
        "p4m, a column tilted, 3 % left",
    ),
    "fine motif": (
        "triangles",
        "triangles turned",
    ),
    "weak direction": (
        "a square, 30 % grey",
        "a rectangle, 30 % grey",
    ),
    "twisted": (
        "graphene by 30 degrees",
        "graphene by 11.3 degrees",
    ),
    "two lattices": ("square, hexagonal, 1 and 1",),
    "no order": ("photograph camera",),
    "one domain": ("p6",),
    "colour": ("p4m in grey, rows of two colours",),
    "crystal": ("Cu [100]",),
    "thin lines": ("grid 32 px, lines 1 px",),
    "faint": ("p6m 33 px, noise 4.0 times",),
    "quasicrystal": ("5-fold waves, 11 px",),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CHOSEN.items() for name in names])
def test_the_answer_is_right_and_says_what_it_should(kind, name):
    (s,) = (s for s in situations(kind) if s.name == name)
    result = CLASSIFIER.predict(s.draw())
    group = None if result.refused else result.group
    text = "; ".join(str(t) for t in (result, result.refused, *result.notes) if t)
    assert s.judge(group, result.probabilities.get(group or "", 0.0), text) == "right", f"{group}: {text}"
    assert s.said(group, text) is not False, text
