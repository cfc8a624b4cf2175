"""Patterns of two colours: each lattice may be right for the strongest colour and wrong for another."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from equisym import SymmetryClassifier

Y, X = np.mgrid[:200, :200].astype(float)


def waves(basis: np.ndarray, *indices: tuple[int, int]) -> np.ndarray:
    """A sum of cosines of a lattice."""
    return sum(np.cos(2 * np.pi * (q[0] * X + q[1] * Y)) for q in np.array(indices) @ np.linalg.inv(basis))


HEXAGONAL = waves(np.array([[20, -10], [0, 20 * 3**0.5 / 2]]), (1, 0), (0, 1), (1, -1))


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_two_lattices_in_two_colours_are_refused(strength):
    c, s = np.cos(np.radians(17)), np.sin(np.radians(17))
    square = waves(23.3 * np.array([[c, -s], [s, c]]), (1, 0), (0, 1))
    result = SymmetryClassifier().predict(np.stack((HEXAGONAL, strength * square, 0 * X), -1))
    assert "several lattices" in result.refused
    assert "23.1 x 23.1" in result.refused


def test_two_colours_on_one_lattice_are_not():
    larger = waves(np.array([[20, 20], [-20 * 3**0.5, 20 * 3**0.5]]), (1, 0), (0, 1), (1, -1))
    noise = np.random.default_rng(0).standard_normal((200, 200, 3))
    result = SymmetryClassifier().predict(np.stack((HEXAGONAL, 0.7 * larger, 0 * X), -1) + 0.3 * noise)
    assert result.group == "p6m"


def test_a_repeated_picture_of_fine_colours_is_one_lattice():
    """Its averaged cell leaves the finest detail of each colour, which repeats all the same."""
    rng = np.random.default_rng(0)
    picture = gaussian_filter(rng.standard_normal((131, 190, 3)), (0.6, 0.6, 0), mode="wrap")
    picture += 1.5 * picture.std() * np.sin(2 * np.pi * np.arange(190) / 38)[None, :, None]
    answer = SymmetryClassifier().predict(np.tile(picture, (4, 3, 1)).astype(np.float32))
    assert (answer.group, answer.refused) == ("p1", None)
