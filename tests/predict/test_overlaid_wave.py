"""Hum: one wave laid over a pattern joins several cells to one that has the symmetry of neither."""

import numpy as np
import pytest

from equisym import SymmetryClassifier

Y, X = np.mgrid[:240, :240].astype(float)


def pattern(noise: float) -> np.ndarray:
    """P4 with a cell of 15 pixels."""
    waves = [(1, 0, 1.0), (0, 1, 1.0), (2, 1, 0.8), (-1, 2, 0.8)]
    clean = sum(strength * np.cos(2 * np.pi * (h * X + k * Y) / 15) for h, k, strength in waves)
    return clean + noise * np.random.default_rng(0).standard_normal(X.shape)


@pytest.mark.parametrize("strength", [0.4, 0.8])
@pytest.mark.parametrize(("h", "k"), [(0, 5), (5, 2)])
@pytest.mark.parametrize("model", ["posterior", "symnet"])
def test_hum_makes_no_sure_group_of_its_cell(strength, h, k, model):
    hum = strength * np.cos(2 * np.pi * (h * X + k * Y) / 45 + 1)
    result = SymmetryClassifier.from_pretrained(model).predict(pattern(0.1) + hum)
    assert result.refused or result.group == "p4"
    assert any(f"a wave with a period of {45 / np.hypot(h, k):.1f} pixels" in note for note in result.notes)


def test_a_superstructure_of_three_cells_is_no_hum():
    """Every third column of motifs is stronger: many waves."""
    result = SymmetryClassifier().predict((pattern(0) + 3) * (1 + 0.3 * (X // 15 % 3 == 0)))
    assert np.isclose(abs(np.linalg.det(result.lattice)), 3 * 15**2, rtol=0.01)
    assert not any("laid over" in note for note in result.notes)
