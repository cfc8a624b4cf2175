"""A hole, a particle or a label over a pattern is left out where it hides the lattice."""

import numpy as np
import pytest

from equisym import SymmetryClassifier

SIZE = 260
Y, X = np.mgrid[:SIZE, :SIZE]
U, V = 2 * np.pi * X / 23.0, 2 * np.pi * Y / 23.0
PINWHEELS = np.cos(2 * U + V) + np.cos(2 * V - U) + 0.7 * (np.cos(U) + np.cos(V))  # p4
AREAS = {
    "particle": (np.hypot(X - 120, Y - 140) < 92, 6.0),
    "label": ((X > 40) & (X < 215) & (Y > 60) & (Y < 205), -5.0),
}


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_pattern_around_is_named(area, noise):
    where, value = AREAS[area]
    picture = np.where(where, value, PINWHEELS) + noise * np.random.default_rng(0).standard_normal((SIZE, SIZE))
    answer = SymmetryClassifier().predict(picture)
    assert (answer.group, answer.refused) == ("p4", None)
    assert answer.probabilities["p4"] > 0.9
    assert any("left out" in note for note in answer.notes)
    assert not any("differ" in note for note in answer.notes)
