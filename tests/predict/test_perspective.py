"""Perspective: found without a lattice, and removed."""

import numpy as np
import pytest
import torch

from equisym import SymmetryClassifier
from equisym.crystal import find_perspective, perspective, without_perspective

SIZE = (220, 300)


def chevrons(x, y, a=26.0, b=92.0):
    """Lines in rows that lean to either side: pmg."""
    row = y / b - np.floor(y / b)
    across = (x + np.abs(row - 0.5) * b * 0.55) / a
    leaning = np.abs(across - np.rint(across)) * a < 1.4
    level = np.abs(2 * row - np.rint(2 * row)) * b / 2 < 1.4
    return leaning + 1.0 * level


def bricks(x, y, a=44.0, b=21.0):
    row = np.floor(y / b)
    along = x / a + (row % 2) / 2
    return (np.abs(along - np.rint(along)) * a < 1.2) | (np.minimum(y / b - row, 1 - y / b + row) * b < 1.2)


def pinwheels(x, y, a=11.5):
    """Waves that turn into each other by quarter turns, and have no mirrors together: p4."""
    u, v = 2 * np.pi * x / a, 2 * np.pi * y / a
    return np.cos(2 * u + v) + np.cos(2 * v - u) + 0.7 * (np.cos(u) + np.cos(v))


def mesh(x, y, side=40.0):
    """Lines a fortieth of a square wide: hardly any of their power is in waves of few periods."""
    return (np.abs(x / side - np.rint(x / side)) * side < 0.5) | (np.abs(y / side - np.rint(y / side)) * side < 0.5)


def taken(pattern, tilt, noise=0.1):
    """A pattern as a camera sees it that is magnified by ``tilt`` from edge to edge, three by three samples a pixel."""
    height, width = SIZE
    y, x = (np.mgrid[: 3 * height, : 3 * width] + 0.5) / 3 - 0.5
    d = 1 + tilt[0] * (x / width - 0.5) + tilt[1] * (y / height - 0.5)
    picture = pattern((x - width / 2) / d, (y - height / 2) / d).astype(float)
    picture = picture.reshape(height, 3, width, 3).mean((1, 3))
    return picture + noise * picture.std() * np.random.default_rng(0).standard_normal(SIZE)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (0.05, 0.03), (-0.04, 0.06), (0.11, -0.1)])
@pytest.mark.parametrize("pattern", [chevrons, bricks, mesh, pinwheels])
def test_the_perspective_is_found(pattern, tilt):
    found = find_perspective(torch.from_numpy(taken(pattern, tilt)))
    assert np.abs(np.subtract(found, tilt)).max() < 0.012


@pytest.mark.parametrize("pattern", [bricks, chevrons])
def test_a_small_one_is_not_taken_for_none(pattern):
    found = find_perspective(torch.from_numpy(taken(pattern, (0.018, 0.0))))
    assert np.abs(np.subtract(found, (0.018, 0.0))).max() < 0.008


def test_a_straight_pattern_is_seen_to_have_none_without_a_search(monkeypatch):
    tried, sharpness = [], perspective._sharpness
    monkeypatch.setattr(perspective, "_sharpness", lambda *a: tried.append(len(a[1])) or sharpness(*a))
    assert find_perspective(torch.from_numpy(taken(pinwheels, (0.0, 0.0)))) == (0.0, 0.0)
    assert sum(tried) < 20
    find_perspective(torch.from_numpy(taken(pinwheels, (0.05, 0.0))))
    assert sum(tried) > 200


def test_removing_it_gives_the_pattern_back():
    seen, flat = (torch.from_numpy(taken(chevrons, tilt, 0.0)) for tilt in ((0.06, -0.04), (0.0, 0.0)))
    inside = (slice(20, -20), slice(20, -20))

    def likeness(image):
        return float(torch.corrcoef(torch.stack((image[inside].flatten(), flat[inside].flatten())))[0, 1])

    assert likeness(without_perspective(seen, (0.06, -0.04))) > 0.95 > 0.8 > likeness(seen)


@pytest.mark.parametrize(("pattern", "group"), [(chevrons, "pmg"), (bricks, "cmm")])
def test_a_photograph_at_an_angle_is_named_and_the_angle_mentioned(pattern, group):
    answer = SymmetryClassifier().predict(taken(pattern, (-0.04, 0.06)))
    assert answer.group == group
    assert any("angle" in note for note in answer.notes)


@pytest.mark.parametrize("tilt", [(0.0, 0.06), (0.0, -0.1)])
def test_it_is_removed_where_neighbours_agree_and_the_average_does_not(tilt):
    answer = SymmetryClassifier().predict(taken(pinwheels, tilt))
    assert (answer.group, answer.refused) == ("p4", None)
    assert answer.explained > 0.8
    assert any("angle" in note for note in answer.notes)


def test_noise_of_no_lattice_gets_none_by_a_perspective():
    answer = SymmetryClassifier().predict(np.random.default_rng(1).standard_normal(SIZE))
    assert answer.refused is not None
