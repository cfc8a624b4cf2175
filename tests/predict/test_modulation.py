"""Modulated crystals: a large cell that comes near by chance is no period; one that is stays answered."""

import numpy as np
import pytest

from equisym import SymmetryClassifier

CELL, SIZE = 9.3, 256


def atoms(period, how, depth):
    """Atoms on a square lattice whose heights, or places along x or y, follow a wave along x of this period."""
    y, x = np.mgrid[:SIZE, :SIZE]
    picture = np.zeros((SIZE, SIZE))
    for i in range(-1, int(SIZE / CELL) + 2):
        wave = depth * np.sin(2 * np.pi * i * CELL / period)
        for j in range(-1, int(SIZE / CELL) + 2):
            place = [CELL * i, CELL * j]
            if how != "height":
                place["xy".index(how)] += CELL * wave
            height = 1 + wave if how == "height" else 1.0
            picture += height * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * (0.2 * CELL) ** 2))
    return picture


@pytest.mark.parametrize(("how", "depth"), [("height", 0.25), ("x", 0.05), ("y", 0.05)])
def test_no_large_cell_where_the_waves_drift_off_it(how, depth):
    answer = SymmetryClassifier().predict(atoms(3 * CELL * SIZE / (SIZE - 0.45 * 3 * CELL), how, depth))
    if answer.refused is None:  # the group of the lattice that the waves modulate
        assert answer.group == "p4m"
        assert np.linalg.norm(answer.lattice, axis=0) == pytest.approx(CELL, abs=0.1)
        assert any("modulat" in note and "fits no whole number" in note for note in answer.notes)
        assert not any("superstructure" in note for note in answer.notes)
    else:
        assert "lattice" in answer.refused


@pytest.mark.parametrize(("how", "group"), [("height", "pmm"), ("y", "pmg")])
def test_a_period_of_whole_cells_is_a_cell(how, group):
    answer = SymmetryClassifier().predict(atoms(4 * CELL, how, 0.25 if how == "height" else 0.08))
    assert answer.group == group
    assert sorted(np.linalg.norm(answer.lattice, axis=0)) == pytest.approx([CELL, 4 * CELL], abs=0.2)
