"""A superstructure that the answered cell leaves out: strong, it makes the answer unsure; weak, it is only noted."""

import numpy as np
import pytest

from equisym import SymmetryClassifier

Y, X = np.mgrid[:240, :240].astype(float)


def scan(retrace: float) -> np.ndarray:
    """P2 with a cell of 15 pixels, every second line of it displaced."""
    x = X + retrace * (Y % 2)
    drawn = np.zeros(X.shape)
    for u, v, size, height in ((0, 0, 6, 1.0), (4.5, 3, 3, 0.6), (-4.5, -3, 3, 0.6)):
        dx, dy = ((d + 7.5) % 15 - 7.5 for d in (x - u, Y - v))
        drawn += height * np.exp(-(dx**2 + dy**2) / size)
    return drawn + 0.02 * np.random.default_rng(0).standard_normal(X.shape)


@pytest.mark.parametrize(("retrace", "sure"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_strong_superstructure_outside_of_the_cell_makes_the_answer_unsure(retrace, sure):
    result = SymmetryClassifier().predict(scan(retrace))
    assert result.group == "p2"
    assert (result.probabilities["p2"] > 0.9) if sure else (result.probabilities["p2"] < 0.75)
    assert any("left unexplained" in note for note in result.notes) == (retrace > 0)
