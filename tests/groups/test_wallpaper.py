"""The 17 wallpaper groups against the group axioms and the International Tables."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equisym.groups import CRYSTAL_CLASSES, ROTATION_ORDERS, WALLPAPER_GROUPS, Operation, identify
from equisym.groups.wallpaper import WallpaperGroup

EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)

# International Tables for Crystallography A1, maximal translationengleiche subgroups of the plane groups: {type: index}
MAXIMAL_SUBGROUPS = {
    "p1": {}, "p2": {"p1": 2}, "pm": {"p1": 2}, "pg": {"p1": 2}, "cm": {"p1": 2},
    "pmm": {"p2": 2, "pm": 2}, "pmg": {"p2": 2, "pm": 2, "pg": 2}, "pgg": {"p2": 2, "pg": 2}, "cmm": {"p2": 2, "cm": 2},
    "p4": {"p2": 2}, "p4m": {"p4": 2, "pmm": 2, "cmm": 2}, "p4g": {"p4": 2, "pgg": 2, "cmm": 2},
    "p3": {"p1": 3}, "p3m1": {"p3": 2, "cm": 3}, "p31m": {"p3": 2, "cm": 3},
    "p6": {"p3": 2, "p2": 3}, "p6m": {"p6": 2, "p3m1": 2, "p31m": 2, "cmm": 3},
}  # fmt: skip
# The same tables A: lattice, order of the point group, point group
TABLES = {
    "p1": ("oblique", 1, "1"),
    "p2": ("oblique", 2, "2"),
    "pm": ("rectangular", 2, "m"),
    "pg": ("rectangular", 2, "m"),
    "cm": ("centred rectangular", 2, "m"),
    "pmm": ("rectangular", 4, "2mm"),
    "pmg": ("rectangular", 4, "2mm"),
    "pgg": ("rectangular", 4, "2mm"),
    "cmm": ("centred rectangular", 4, "2mm"),
    "p4": ("square", 4, "4"),
    "p4m": ("square", 8, "4mm"),
    "p4g": ("square", 8, "4mm"),
    "p3": ("hexagonal", 3, "3"),
    "p3m1": ("hexagonal", 6, "3m"),
    "p31m": ("hexagonal", 6, "3m"),
    "p6": ("hexagonal", 6, "6"),
    "p6m": ("hexagonal", 12, "6mm"),
}
METRICS = {  # a metric tensor of each lattice, with nothing special that the family does not demand
    "oblique": ((2.0, 0.3), (0.3, 1.0)),
    "rectangular": ((2.0, 0.0), (0.0, 1.0)),
    "square": ((1.0, 0.0), (0.0, 1.0)),
    "hexagonal": ((1.0, -0.5), (-0.5, 1.0)),
}


def test_labels_follow_the_tables_order():
    assert WALLPAPER_GROUPS.names == tuple(TABLES)
    for number, name in enumerate(TABLES, start=1):
        assert WALLPAPER_GROUPS[name].number == number
        assert WALLPAPER_GROUPS[number - 1] is WALLPAPER_GROUPS[name]
    with pytest.raises(KeyError, match="'p5' is not a wallpaper group: use one of p1 p2 pm"):
        WALLPAPER_GROUPS["p5"]


@EACH_GROUP
def test_operations_form_a_group_modulo_the_lattice(group):
    for operations in (group.operations, group.primitive_operations):
        members = set(operations)
        assert len(members) == len(operations)
        assert Operation.parse("x,y") in members
        assert {g @ h for g, h in product(members, members)} == members
        assert {g.inverse() for g in members} == members


@EACH_GROUP
def test_lattice_point_group_and_orders_match_the_tables(group):
    bravais, order, crystal_class = TABLES[group.name]
    assert (group.bravais, group.crystal_class) == (bravais, crystal_class)
    assert group.point_group.order == len(group.primitive_operations) == order
    assert group.order == order * (2 if group.centred else 1)
    assert len({op.W for op in group.operations}) == order
    rotations = {op.rotation_order for op in group.operations if op.determinant == 1}
    assert group.rotation_order == max(rotations)
    assert any(op.determinant == -1 for op in group.operations) == group.point_group.mirrors


@EACH_GROUP
def test_operations_are_isometries_of_the_lattice(group):
    metric = np.array(METRICS[group.family])
    for op in group.operations:
        np.testing.assert_allclose(op.matrix.T @ metric @ op.matrix, metric, atol=1e-12)


@EACH_GROUP
def test_mirrors_and_glides_are_what_the_symbol_says(group):
    kinds = {op.kind for op in group.operations if op.determinant == -1}
    expected = {name: set() for name in ("p1", "p2", "p3", "p4", "p6")} | {"pg": {"glide"}, "pgg": {"glide"}}
    expected |= {name: {"mirror", "glide"} for name in ("cm", "pmg", "cmm", "p4g")}
    assert kinds == expected.get(group.name, {"mirror"})  # glides that a lattice translation makes are not listed


def unimodular(moves: list[tuple[int, int]]) -> np.ndarray:
    """A product of shears and a swap: every basis of the lattice is reached that way."""
    basis = np.eye(2, dtype=int)
    for shear, side in moves:
        step = np.eye(2, dtype=int)
        step[side, 1 - side] = shear
        basis = basis @ step
        if shear % 2:
            basis = basis[:, ::-1]
    return basis


def conjugate(op: Operation, basis: np.ndarray, origin: tuple[Fraction, Fraction]) -> Operation:
    """The operation in another basis of the same lattice, about another origin."""
    inverse = np.round(np.linalg.inv(basis)).astype(int)
    W = inverse @ np.array(op.W) @ basis
    shift = [w + sum(k * o for k, o in zip(row, origin, strict=True)) for w, row in zip(op.w, op.W, strict=True)]
    shift = [s - o for s, o in zip(shift, origin, strict=True)]
    w = [sum(int(k) * s for k, s in zip(row, shift, strict=True)) for row in inverse]
    (a, b), (c, d) = W.tolist()
    return Operation(((a, b), (c, d)), (w[0], w[1]))


ORIGINS = st.tuples(*[st.fractions(0, 1, max_denominator=12)] * 2)


@EACH_GROUP
@given(moves=st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 1)), max_size=4), origin=ORIGINS)
def test_identify_depends_on_neither_basis_nor_origin(group, moves, origin):
    basis = unimodular(moves)
    assert identify([conjugate(op, basis, origin) for op in group.primitive_operations]) == group


def test_identify_refuses_what_is_no_wallpaper_group():
    rotation = Operation.parse("-y,x")
    with pytest.raises(ValueError, match="no wallpaper group has these operations: x,y -x,y"):
        identify([Operation.parse("x,y"), Operation.parse("-x,y"), rotation])


def closure_under(relation: dict[str, dict[str, int]], name: str) -> set[str]:
    return {name}.union(*(closure_under(relation, below) for below in relation[name]))


@EACH_GROUP
def test_subgroups_are_those_of_the_tables(group: WallpaperGroup):
    assert group.translation_subgroups == closure_under(MAXIMAL_SUBGROUPS, group.name)
    below = {g.name for g in group.subgroups}
    maximal = {name for name in below if not any(name in MAXIMAL_SUBGROUPS[other] for other in below)}
    assert maximal == set(MAXIMAL_SUBGROUPS[group.name])
    for name, index in MAXIMAL_SUBGROUPS[group.name].items():
        assert group.point_group.order == index * WALLPAPER_GROUPS[name].point_group.order
    for other in WALLPAPER_GROUPS:
        above = group != other and group.is_subgroup_of(other)
        assert (other in group.supergroups) == (group in other.subgroups) == above


def test_hierarchy():
    assert {g.rotation_order for g in WALLPAPER_GROUPS} == set(ROTATION_ORDERS)
    assert {g.crystal_class for g in WALLPAPER_GROUPS} == set(CRYSTAL_CLASSES)
    rotation_family = {0: "p1 pm pg cm", 1: "p2 pmm pmg pgg cmm p4 p4m p4g", 2: "p3 p3m1 p31m p6 p6m"}
    for level, names in rotation_family.items():
        assert " ".join(g.name for g in WALLPAPER_GROUPS if g.rotation_family == level) == names
    for finer, coarser in (
        ("name", "crystal_class"),
        ("crystal_class", "rotation_order"),
        ("rotation_order", "rotation_family"),
    ):
        parents = {(getattr(g, finer), getattr(g, coarser)) for g in WALLPAPER_GROUPS}
        assert len(parents) == len({child for child, _ in parents})
