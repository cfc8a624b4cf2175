"""Rotation centres and lines, held against the operations that leave them where they are."""

from itertools import product

import numpy as np
import pytest

from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.symmetry_elements import reflection_lines, rotation_centres

SHIFTS = [np.array(shift) for shift in product(range(-3, 4), repeat=2)]
EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=lambda g: g.name)


@EACH_GROUP
def test_each_line_is_carried_to_itself_by_a_reflection(group):
    """By the same step along it at both of its ends; by no step if and only if it is a mirror."""
    for line in reflection_lines(group):
        first, last = line.ends
        along = last - first
        steps = []
        for op in group.operations:
            if op.determinant > 0:
                continue
            for shift in SHIFTS:
                moved = op(line.ends) + shift - line.ends
                across = moved[:, 0] * along[1] - moved[:, 1] * along[0]
                if np.allclose(across, 0) and np.allclose(moved[0], moved[1]):
                    steps.append(np.abs(moved[0]).max())
        assert steps, line
        assert line.mirror == (min(steps) < 1e-9), line


@EACH_GROUP
def test_each_centre_stays_under_a_rotation_of_its_order(group):
    for centre in rotation_centres(group):
        orders = [
            op.rotation_order
            for op in group.operations
            if op.determinant > 0
            and any(np.allclose(op(centre.position[None])[0] + s, centre.position) for s in SHIFTS)
        ]
        assert centre.order == max(orders) > 1


# Lines across the cell and along its edges: mirrors, glides; counted in the drawings of the plane groups.
COUNTS = {"p1": (0, 0), "p4": (0, 0), "pm": (3, 0), "pg": (0, 3), "pmg": (2, 3), "pmm": (6, 0), "pgg": (0, 4)}
COUNTS |= {"cm": (3, 2), "cmm": (6, 4), "p4m": (8, 4), "p4g": (4, 6)}


@pytest.mark.parametrize("name", COUNTS)
def test_no_line_is_missing(name):
    lines = reflection_lines(WALLPAPER_GROUPS[name])
    assert (sum(line.mirror for line in lines), sum(not line.mirror for line in lines)) == COUNTS[name]
