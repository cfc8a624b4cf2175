"""Images whose parts are out of register with each other are moved into register, and no more than that."""

import numpy as np
import pytest
import torch

from equisym.crystal import measure
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.registry import in_register

SIZE = 300
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
BASIS = np.array([[16.0, 5.0], [-3.0, 14.0]])


def waves(x, y, amplitudes, basis=BASIS):
    u, v = np.tensordot(np.linalg.inv(basis), np.stack((x, y)), 1)
    return sum(a * np.cos(2 * np.pi * (h * u + k * v) + phase) for (h, k), a, phase in amplitudes)


PATTERN = [((1, 0), 1.0, 0.3), ((0, 1), 0.8, 1.1), ((1, 1), 0.5, 2.0), ((2, -1), 0.4, 0.7)]
# the strongest two waves hold for half a cell as well; the third alone tells the cell
CENTRED = [((1, 1), 1.0, 0.3), ((1, -1), 0.9, 1.1), ((1, 0), 0.5, 2.0), ((0, 1), 0.4, 0.7)]


def dislocated(x, y):
    """Half a plane more above the middle than below: the displacement grows by a lattice vector around it."""
    turn = np.arctan2(y - 150.3, x - 149.6) / (2 * np.pi)
    return x - turn * BASIS[0, 0], y - turn * BASIS[1, 0]


def faulted(x, y):
    """Half a lattice vector across one line, another half across a second."""
    first, second = x + 0.3 * y > 150, x + 0.3 * y > 260
    return x - (first * BASIS[0, 0] + second * BASIS[0, 1]) / 2, y - (first * BASIS[1, 0] + second * BASIS[1, 1]) / 2


def bent(x, y):
    return x + 5 * np.sin(2 * np.pi * y / SIZE), y + 4 * (x / SIZE) ** 2


@pytest.mark.parametrize("move", [dislocated, faulted, bent])
@pytest.mark.parametrize("pattern", [PATTERN, CENTRED])
def test_parts_come_into_register(move, pattern):
    image = torch.from_numpy(waves(*move(X, Y), pattern)).float()
    lattice = Lattice(BASIS, np.zeros((2, 2)), 1.0, 400.0)
    explained = []
    for channels, basis in ((image[None], lattice), in_register(image[None], lattice)[:2]):
        m = measure(channels[0], basis)
        explained.append(1 - float((channels[0] - m.average.tiled[0] - m.average.trend[0]).var() / channels[0].var()))
    assert explained[0] < 0.35 < 0.75 < explained[1]


def test_the_lattice_has_the_mean_strain_of_all_parts():
    """Not that of the part that it was found in."""
    image = torch.from_numpy(waves(X * 1.02, Y * 0.985, PATTERN)).float()
    _, lattice, share = in_register(image[None], Lattice(BASIS, np.zeros((2, 2)), 1.0, 400.0))
    np.testing.assert_allclose(lattice.basis, np.diag([1 / 1.02, 1 / 0.985]) @ BASIS, atol=0.02)
    assert share > 0.98


def test_what_shows_no_pattern_does_not_count():
    image = waves(X, Y, PATTERN)
    image[:, 180:] = np.random.default_rng(0).standard_normal((SIZE, 120))
    share = in_register(torch.from_numpy(image).float()[None], Lattice(BASIS, np.zeros((2, 2)), 1.0, 400.0))[2]
    assert 0.5 < share < 0.68


def test_another_lattice_stays_out_of_register():
    """Its waves do not follow those of the first."""
    other = waves(X, Y, PATTERN, np.array([[11.3, -6.1], [6.1, 11.3]]))
    image = torch.from_numpy(waves(X, Y, PATTERN) + 0.7 * other).float()
    moved = in_register(image[None], Lattice(BASIS, np.zeros((2, 2)), 1.0, 400.0))[0][0]
    left = moved - torch.from_numpy(waves(X, Y, PATTERN)).float()
    assert float(left.var()) > 0.6 * 0.49 * float(torch.from_numpy(other).var())


def test_waves_along_one_direction_are_an_error():
    with pytest.raises(ValueError, match="two directions"):
        in_register(
            torch.from_numpy(waves(X, Y, [((1, 0), 1.0, 0.0)])).float()[None],
            Lattice(BASIS, np.zeros((2, 2)), 1.0, 400.0),
        )
