"""Motifs that differ from repeat to repeat: their average says little of any of them."""

import numpy as np
import pytest

from equisym import SymmetryClassifier


def motifs(alike: bool, noise: float) -> np.ndarray:
    """Discs on a rectangle, each with marks of its own or all with the same."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:240, :300].astype(float)
    marks = rng.uniform(-1, 1, (6, 6, 6, 3))
    picture = np.zeros(x.shape)
    for i in range(6):
        for j in range(6):
            dx, dy = x - 25 - 50 * j, y - 20 - 40 * i
            inside = np.hypot(dx, dy) < 17
            own = marks[0, 0] if alike else marks[i, j]
            face = sum(w * np.exp(-((dx - 12 * u) ** 2 + (dy - 12 * v) ** 2) / 30) for u, v, w in own)
            picture += inside * (1 + 4 * face)
    return picture + noise * picture.std() * rng.standard_normal(picture.shape)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_motifs_that_differ_make_no_sure_answer(noise):
    classifier = SymmetryClassifier()
    different, same = (classifier.predict(motifs(alike, noise)) for alike in (False, True))
    assert max(different.probabilities.values()) < 0.8 < max(same.probabilities.values())
    assert any("differ from repeat to repeat" in note for note in different.notes)
    assert not any("differ from repeat to repeat" in note for note in same.notes)
