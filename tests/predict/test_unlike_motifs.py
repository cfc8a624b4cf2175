"""Motifs that differ from repeat to repeat: their average says little of any of them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

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


# 3 x 5 dots each
DIGITS = ["75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717"]


def digits(alike: bool) -> np.ndarray:
    """Digits of 9 x 15 pixels in cells of 20, turned at random, or one of them."""
    rng = np.random.default_rng(0)

    def digit() -> np.ndarray:
        rows = [[int(row) >> k & 1 for k in (2, 1, 0)] for row in rng.choice(DIGITS)]
        return np.rot90(np.pad(np.kron(rows, np.ones((3, 3))), ((2, 3), (5, 6))), rng.integers(4))

    one = digit()
    return gaussian_filter(np.block([[one if alike else digit() for _ in range(14)] for _ in range(14)]), 0.6)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_digits_that_differ_make_no_sure_answer(noise):
    classifier, rng = SymmetryClassifier(), np.random.default_rng(1)
    drawn = {alike: digits(alike) + noise * rng.standard_normal((280, 280)) for alike in (False, True)}
    different, same = (classifier.predict(drawn[alike]) for alike in (False, True))
    assert max(different.probabilities.values()) < 0.8 < max(same.probabilities.values())
    assert any("differ from repeat to repeat" in note for note in different.notes)
    assert not any("differ from repeat to repeat" in note for note in same.notes)


@pytest.mark.parametrize("blur", [1.0, 1.5])
def test_blurred_shot_noise_is_no_motif(blur):
    """Atoms on a dark background at one count a pixel: the noise correlates, and is strongest on the atoms."""
    y, x = np.mgrid[:240, :240] % 24 - 11.5
    atoms = np.exp(-(x**2 + y**2) / 30) + 0.5 * np.exp(-((x % 24 - 12) ** 2 + (y % 24 - 12) ** 2) / 30)
    counts = np.random.default_rng(2).poisson(1.2 * atoms).astype(float)
    result = SymmetryClassifier().predict(gaussian_filter(counts, blur))
    assert result.group == "p4m"
    assert result.probabilities["p4m"] > 0.9


@pytest.mark.parametrize("missing", [0.05, 0.15])
def test_vacancies_leave_the_answer_sure(missing):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:20, :20] - 9.5
    atom = np.exp(-(x**2 + y**2) / 12)
    picture = np.kron(rng.random((12, 12)) > missing, atom) + 0.05 * rng.standard_normal((240, 240))
    result = SymmetryClassifier().predict(picture)
    assert result.group == "p4m"
    assert result.probabilities["p4m"] > 0.9
