"""What scans do to a crystal, and what only seems to be done by one: hum, drift, strain, a fault, a second lattice."""

import numpy as np
import pytest

from equisym import SymmetryClassifier

SIZE = 300
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
CLASSIFIER = SymmetryClassifier()


def spots(basis, points, sigma=2.0, x=X, y=Y):
    """Round spots at fractional positions (u, v, weight) of a lattice."""
    u, v = np.tensordot(np.linalg.inv(basis), np.stack((x, y)), 1)
    out = np.zeros(x.shape)
    for a, b, weight in points:
        du, dv = u - a - np.rint(u - a), v - b - np.rint(v - b)
        for i, j in ((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            dx, dy = np.tensordot(basis, np.stack((du + i, dv + j)), 1)
            out += weight * np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
    return out


def noisy(image, level=0.2, seed=0):
    return image + level * image.std() * np.random.default_rng(seed).standard_normal(image.shape)


def oblique(angle, a=17.0, b=13.0):
    return np.array([[a, b * np.cos(np.radians(angle))], [0.0, b * np.sin(np.radians(angle))]])


PAIR = [(0.0, 0.0, 1.0), (0.3, 0.22, 0.6), (-0.3, -0.22, 0.6)]


def test_the_strongest_fringe_of_a_crystal_is_no_hum():
    """Its waves off that line are weak, and its own: without them nothing but stripes is left."""
    square = np.array([[14.0, 5.0], [-5.0, 14.0]])
    u, v = 2 * np.pi * np.tensordot(np.linalg.inv(square), np.stack((X, Y)), 1)
    image = 6 * np.cos(u) + np.cos(u - v) + np.cos(v) + 0.7 * np.cos(u + v)
    answer = CLASSIFIER.predict(noisy(image, 0.3))
    assert not any("laid over" in note for note in answer.notes)
    assert abs(np.linalg.det(answer.lattice)) == pytest.approx(221, rel=0.02)


def test_the_rows_of_a_superstructure_are_no_hum():
    """A wave of two cells, as of dimer rows, is at half a wave of the smaller cell, to a fraction of a bin."""
    basis = np.array([[26.0, 0.0], [0.0, 13.0]])
    image = spots(basis, [(0.22, 0.0, 1.0), (-0.22, 0.0, 1.0)], 3.0)
    answer = CLASSIFIER.predict(noisy(image))
    assert answer.group == "pmm"
    assert sorted(np.linalg.norm(answer.lattice, axis=0)) == pytest.approx([13, 26], abs=0.3)


@pytest.mark.parametrize("k", [0.17, 0.55])
def test_a_pattern_under_strong_hum_is_named(k):
    image = spots(np.array([[17.0, -4.0], [4.0, 17.0]]), [(0, 0, 1.0), (0.3, 0.12, 0.6), (-0.12, 0.3, 0.6),
                                                          (-0.3, -0.12, 0.6), (0.12, -0.3, 0.6)])  # fmt: skip
    hum = 2 * image.std() * np.sin(k * Y + 0.021 * X)
    answer = CLASSIFIER.predict(noisy(image) + hum)
    assert (answer.group, answer.refused) == ("p4", None)
    assert any("laid over" in note for note in answer.notes)


def test_waves_of_a_quasicrystal_are_no_hum():
    angles = np.radians([3, 48, 93, 138])
    image = sum(np.cos(2 * np.pi / 11 * (np.cos(a) * X + np.sin(a) * Y)) for a in angles)
    answer = CLASSIFIER.predict(image)
    assert answer.refused is not None
    assert not any("laid over" in note for note in answer.notes)


def test_a_twin_along_the_lines_is_no_drift():
    image = spots(oblique(74.0), PAIR, y=np.abs(Y - SIZE / 2) + SIZE / 2)
    answer = CLASSIFIER.predict(noisy(image))
    assert answer.refused is not None or max(answer.probabilities.values()) < 0.8


def test_layers_stacked_at_random_are_no_drift():
    """Each layer is shifted by a third of a cell to one side or the other."""
    rng, basis = np.random.default_rng(5), oblique(90.0, 18.0, 15.0)
    steps = np.cumsum(rng.choice([-1, 1], SIZE // 15 + 2)) / 3 * 18.0
    image = spots(basis, [(0.0, 0.4, 1.0), (0.25, 0.6, 0.7)], x=X - steps[(Y // 15).astype(int)])
    answer = CLASSIFIER.predict(noisy(image, 0.1))
    assert answer.refused is not None or max(answer.probabilities.values()) < 0.8


def test_another_crystal_beside_a_line_is_no_shifted_one():
    first = spots(np.array([[16.0, 8.0], [0.0, 8.0 * 3**0.5]]), [(0, 0, 1.0), (1 / 3, 1 / 3, 0.5)])
    turned = np.array([[np.cos(0.52), -np.sin(0.52)], [np.sin(0.52), np.cos(0.52)]])
    second = spots(turned @ np.array([[16.0, 8.0], [0.0, 8.0 * 3**0.5]]), [(0, 0, 1.0), (1 / 3, 1 / 3, 0.5)])
    image = np.where(X + 0.2 * Y < 190, first, second)
    answer = CLASSIFIER.predict(noisy(image, 0.1))
    assert answer.refused is not None
    assert not any("larger side was measured" in note or "shifted" in note for note in answer.notes)


@pytest.mark.parametrize("level", [1.5, 3.0])
def test_a_noisy_lattice_far_from_square_is_not_surely_square(level):
    """Round spots on a rectangle of 1 : 1.066, measured to a tenth of that."""
    image = spots(np.diag([15.0, 16.0]), [(0, 0, 1.0), (0.5, 0.5, 0.7)])
    answer = CLASSIFIER.predict(noisy(image, level))
    assert answer.group in ("pmm", "p4m")
    assert answer.group == "pmm" or answer.probabilities["p4m"] <= 0.75 + 1e-9


def test_a_superstructure_with_no_symmetry_of_its_own_stays_a_note():
    """Dirt that repeats with a picture: the smaller cell is answered, and the larger one mentioned."""
    rng = np.random.default_rng(2)
    clean = spots(np.diag([15.0, 15.0]), [(0, 0, 1.0), (0.5, 0.5, 0.4)])
    dirt = np.tile(rng.standard_normal((30, 30)), (SIZE // 30, SIZE // 30))
    answer = CLASSIFIER.predict(noisy(clean + 0.12 * clean.std() * dirt, 0.3))
    assert answer.group == "p4m"
