import numpy as np
import pytest
import torch

from equisym.crystal import Lattice, estimate_lattice, find_fault, tile
from equisym.data import Degradation, WallpaperDataset, draw_pattern
from equisym.data.pattern import PatternOptions

SIZE = 200
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)


def pattern(group="p2", family="noise", seed=1):
    drawn = draw_pattern(group, family, seed, SIZE, PatternOptions(repeats=(9, 12)))
    cell, basis = np.asarray(drawn.primitive_cell(96))[0], drawn.primitive_basis
    return cell / cell.std(), basis, Lattice(basis, np.full((2, 2), 1e-3), 0.5, SIZE**2 / abs(np.linalg.det(basis)))


def side_of(angle, offset):
    """True where (sin, -cos) of the line's angle points, from a line so far from the middle."""
    a = np.radians(angle)
    return (X - SIZE / 2) * np.sin(a) - (Y - SIZE / 2) * np.cos(a) > offset


def image_of(array, noise=0.0, seed=0):
    return torch.from_numpy(array + noise * np.random.default_rng(seed).standard_normal(array.shape)).float()


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize(
    ("shift", "angle", "offset"), [((0.5, 0.5), 30, 0), ((0.33, 0), 90, 25), ((0, -0.25), 150, -20), ((0.5, 0), 0, 10)]
)
def test_the_shift_and_the_line_of_a_fault_are_found(shift, angle, offset, noise):
    cell, basis, lattice = pattern()
    u = basis @ shift
    image = np.where(side_of(angle, offset), tile(cell, basis, X - u[0], Y - u[1]), tile(cell, basis, X, Y))
    found = find_fault(image_of(image, noise), lattice)
    assert found.kind == "shift"
    assert abs((found.angle - angle + 90) % 180 - 90) <= 8
    a = np.radians(angle)
    across = (found.point[0] - SIZE / 2) * np.sin(a) - (found.point[1] - SIZE / 2) * np.cos(a)
    assert abs(across - offset) < 15
    left = np.array(found.shift) - shift
    assert np.abs(left - np.rint(left)).max() < 0.04
    assert "shifted by" in str(found)


def test_the_shift_is_read_where_no_window_reaches_across_the_line():
    off = []
    for seed in range(8):
        drawn = draw_pattern("p2", "noise", seed, SIZE, PatternOptions(repeats=(5, 6)))
        cell, basis = np.asarray(drawn.primitive_cell(96))[0], drawn.primitive_basis
        lattice = Lattice(basis, np.full((2, 2), 1e-3), 0.5, SIZE**2 / abs(np.linalg.det(basis)))
        u = basis @ (0.33, 0.2)
        image = np.where(side_of(35, 10), tile(cell, basis, X - u[0], Y - u[1]), tile(cell, basis, X, Y))
        left = np.array(find_fault(image_of(image), lattice).shift) - (0.33, 0.2)
        off.append(np.linalg.norm(left - np.rint(left)))
    assert np.median(off) < 0.0032


def test_a_step_in_brightness_alone_is_no_shift():
    cell, basis, lattice = pattern("p3")
    upper = side_of(70, 15)
    found = find_fault(image_of(tile(cell, basis, X, Y) + 1.5 * upper, 0.2), lattice)
    assert (found.kind, found.shift) == ("step", (0.0, 0.0))
    assert found.step > 0.3
    assert abs(found.angle - 70) <= 8
    assert str(found).startswith("a step in brightness")


def test_a_terrace_may_be_shifted_as_well():
    cell, basis, lattice = pattern("p3")
    upper, u = side_of(70, 15), basis @ (0.33, 0.33)
    image = np.where(upper, tile(cell, basis, X - u[0], Y - u[1]) + 1.5, tile(cell, basis, X, Y))
    assert find_fault(image_of(image), lattice).kind == "shift and step"


def test_one_pattern_has_no_fault_bent_shaded_noisy_or_with_a_vacancy():
    cell, basis, lattice = pattern("p2", seed=5)
    clean = tile(cell, basis, X, Y)
    bent = tile(cell, basis, X + 4 * np.sin(np.pi * Y / SIZE), Y)
    vacant = np.where(np.hypot(X - 60, Y - 90) < 12, clean.min(), clean)
    shaded = clean * (1 + X / SIZE) + Y / 60
    for image in (clean, bent, vacant, shaded):
        for noise in (0.0, 1.0):
            found = find_fault(image_of(image, noise), lattice)
            assert (found.kind, found.shift, found.step, str(found)) == ("none", (0.0, 0.0), 0.0, "")


@pytest.mark.parametrize("corrupt", [None, Degradation()])
def test_own_families_have_no_fault(corrupt):
    for image, _ in WallpaperDataset(("noise", "atom"), 34, size=128, seed=79, corrupt=corrupt):
        lattice = estimate_lattice(image[0])
        assert lattice is None or "shift" not in find_fault(image[0], lattice).kind
