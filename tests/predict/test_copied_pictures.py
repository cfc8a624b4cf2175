"""A picture of several repeats, each with its own dirt, that was itself repeated: the dirt is no sure structure."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from equisym import SymmetryClassifier

CELL = 24


def bosses(rows: int, columns: int) -> np.ndarray:
    """Round bosses on a square lattice, p4m, seamless."""
    y, x = np.mgrid[: rows * CELL, : columns * CELL] % CELL - CELL / 2
    return np.exp(-(x**2 + y**2) / 40)


def copied(rows: int, columns: int, dirt: float) -> np.ndarray:
    """A wall of 240 pixels and more of copies of one picture, with dirt of a share of the bosses' amplitude."""
    rng = np.random.default_rng(1)
    picture = bosses(rows, columns)
    stains = gaussian_filter(rng.standard_normal(picture.shape), 2.5, mode="wrap")
    picture = picture + dirt * picture.std() * stains / stains.std()
    return np.tile(picture, (-(-10 // rows), -(-10 // columns)))


@pytest.mark.parametrize(
    ("side", "dirt", "group"), [((1, 2), 0.32, "pm"), ((1, 2), 0.36, "pm"), ((3, 3), 0.45, "p1"), ((3, 3), 0.5, "p1")]
)
def test_dirt_that_was_copied_with_a_picture_is_no_sure_structure(side, dirt, group):
    result = SymmetryClassifier().predict(copied(*side, dirt))
    (first, p), (second, q) = list(result.probabilities.items())[:2]
    assert (first, second) == (group, "p4m")
    assert p < 0.7
    assert q > 0.3
    assert any("superstructure: a cell of 24.0 x 24.0" in note for note in result.notes)
    assert any(note.startswith(f"uncertain: {group} (") and "p4m" in note for note in result.notes)


def test_dirt_that_is_not_copied_leaves_the_group():
    """The same bosses, each with dirt of its own all over the image."""
    rng = np.random.default_rng(2)
    stains = gaussian_filter(rng.standard_normal((240, 240)), 2.5)
    clean = bosses(10, 10)
    result = SymmetryClassifier().predict(clean + 0.25 * clean.std() * stains / stains.std())
    assert result.group == "p4m"
    assert result.probabilities["p4m"] > 0.9


def test_a_superstructure_with_a_symmetry_of_its_own_is_sure():
    """Every second boss is lower: pmm, with a cell of two bosses."""
    lower = 1 - 0.3 * (np.arange(240) // CELL % 2)
    result = SymmetryClassifier().predict(lower * bosses(10, 10))
    assert result.group == "pmm"
    assert result.probabilities["pmm"] > 0.9
    assert any("2 x 1 superstructure" in note or "1 x 2 superstructure" in note for note in result.notes)
