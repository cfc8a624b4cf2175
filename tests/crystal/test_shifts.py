"""Interpolation between the shifts that are tried."""

import numpy as np

from equisym.crystal.shifts import _cubic


def test_cubic_weights_are_exact_for_parabolas_and_at_the_nodes():
    t, nodes = np.linspace(0, 1, 11), np.arange(-1, 3)
    weights = _cubic(t)
    for power in range(3):
        np.testing.assert_allclose(weights @ nodes**power, t**power, atol=1e-12)
    np.testing.assert_allclose(_cubic(np.array([0.0, 1.0])), [[0, 1, 0, 0], [0, 0, 1, 0]], atol=1e-12)
