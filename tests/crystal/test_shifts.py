"""Interpolation between the shifts that are tried."""

import numpy as np

from equisym.crystal.shifts import ShiftMap, _cubic


def test_cubic_weights_are_exact_for_parabolas_and_at_the_nodes():
    t, nodes = np.linspace(0, 1, 11), np.arange(-1, 3)
    weights = _cubic(t)
    for power in range(3):
        np.testing.assert_allclose(nodes**power @ weights, t**power, atol=1e-12)
    np.testing.assert_allclose(_cubic(np.array([0.0, 1.0])), np.eye(4)[:, 1:3], atol=1e-12)


def test_the_peak_of_a_tilted_parabola_is_exact():
    at, curvature = np.array([3.3, -2.4]), np.array([[0.02, 0.009], [0.009, 0.03]])
    y, x = np.meshgrid(np.arange(-15, 16), np.arange(-20, 21), indexing="ij")
    away = np.stack((x, y), -1) - at
    rho = 1 - np.einsum("yxi,ij,yxj->yx", away, curvature, away) / 2
    position, height, found = ShiftMap(rho, 0.0).peaks_near(np.array([[4.0, -1.0]]))
    np.testing.assert_allclose(position, [at])
    np.testing.assert_allclose(height, 1)
    np.testing.assert_allclose(found, [curvature])
