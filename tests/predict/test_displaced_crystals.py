"""Crystals without a lattice from end to end: what a few faults leave is answered, what only resembles them is not."""

import numpy as np
import pytest
import torch

from equisym import SymmetryClassifier
from equisym.predict.lattices_of_parts import lattice_of_parts

SIZE = 400
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
CLASSIFIER = SymmetryClassifier()


def spots(basis, points, x=X, y=Y, sigma=2.2):
    """Round spots at fractional positions (u, v, weight) of a lattice."""
    u, v = np.tensordot(np.linalg.inv(basis), np.stack((x, y)), 1)
    out = np.zeros(x.shape)
    for a, b, weight in points:
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                du, dv = u - a - np.rint(u - a) + i, v - b - np.rint(v - b) + j
                dx, dy = np.tensordot(basis, np.stack((du, dv)), 1)
                out += weight * np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
    return out


def noisy(image, level=0.15):
    return image + level * image.std() * np.random.default_rng(0).standard_normal(image.shape)


OBLIQUE = np.array([[15.0, 4.0], [0.0, 13.0]])
PAIR = [(0.0, 0.0, 1.0), (0.3, 0.22, 0.6), (-0.3, -0.22, 0.6)]


def test_two_dislocations_leave_the_crystal_its_group():
    x, y = X.copy(), Y.copy()
    for sign, at in ((1, (130.4, 150.6)), (-1, (280.3, 260.7))):
        turn = sign * np.arctan2(Y - at[1], X - at[0]) / (2 * np.pi)
        x, y = x - turn * OBLIQUE[0, 0], y - turn * OBLIQUE[1, 0]
    answer = CLASSIFIER.predict(noisy(spots(OBLIQUE, PAIR, x, y)))
    assert answer.group == "p2"
    assert any("displaced here and there" in note for note in answer.notes)
    lengths = np.linalg.norm(answer.lattice, axis=0)
    assert sorted(lengths) == pytest.approx(sorted(np.linalg.norm(OBLIQUE, axis=0)), rel=0.01)


def test_a_mirror_twin_is_no_displaced_crystal():
    """Its halves have two lattices, and a displacement that grows from the boundary would make one of them."""
    x = X - np.abs(Y - 200) * OBLIQUE[0, 1] / OBLIQUE[1, 1]
    image = spots(np.diag(np.diag(OBLIQUE)), [(0.0, 0.0, 1.0), (0.31, 0.22, 0.6)], x, Y)
    image = noisy(image)
    assert CLASSIFIER.predict(image).refused
    assert lattice_of_parts(torch.from_numpy(image).float()) is None
    one = torch.from_numpy(noisy(spots(OBLIQUE, PAIR))).float()
    np.testing.assert_allclose(abs(np.linalg.det(lattice_of_parts(one).basis)), np.linalg.det(OBLIQUE), rtol=0.01)


def test_two_crystals_on_one_lattice_are_refused():
    """The windows of either agree on the lattice, and on a group, but show two patterns."""
    square = np.eye(2) * 15.0
    first = spots(square, [(0, 0, 1.0), (0.5, 0.5, 0.35)])
    second = spots(square, [(0.22, 0, 0.8), (-0.22, 0, 0.8), (0, 0.22, 0.8), (0, -0.22, 0.8)], X + 4.0, Y + 6.5)
    answer = CLASSIFIER.predict(noisy(np.where(X + 0.3 * Y < 255, first, second)))
    assert answer.refused
