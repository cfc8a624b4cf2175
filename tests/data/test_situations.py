"""Situations: their labels are what brute force finds on the functions drawn, and answers are judged by them."""

import numpy as np
import pytest

from equisym.data import PatternOptions, draw_pattern
from equisym.data.situations import KINDS, Motif, Situation, of_group, plane_group, situations, trials
from equisym.data.situations.aperiodic import bilayer
from equisym.data.situations.crystals import columns
from equisym.data.situations.deviations import basis_of, broken
from equisym.data.situations.drawing import vectors
from equisym.data.situations.known_crystals import axis
from equisym.data.situations.oracle import projected, reduced
from equisym.groups import WALLPAPER_GROUPS

ALL = situations()
CRYSTALS = [s for s in ALL if s.kind == "crystal"]


def lattice_function(f, basis, size=96):
    at = np.arange(size) / size
    return f(*np.tensordot(basis, np.stack(np.meshgrid(at, at)), 1))


@pytest.mark.parametrize("name", WALLPAPER_GROUPS.names)
def test_brute_force_knows_each_group(name):
    pattern = draw_pattern(name, "noise", 2, 128, PatternOptions())
    assert plane_group(trials(pattern.primitive_cell(96)[0].numpy(), pattern.primitive_basis), residual=0.03) == name
    basis = basis_of(name)
    primitive = basis @ WALLPAPER_GROUPS[name].primitive_basis
    motif = of_group(name, basis, 1, 2 if name.startswith("p6") else 3)
    found = trials(motif.cell(primitive), primitive)
    assert plane_group(found) == name
    assert sum(t.residual < 0.15 for t in found.values()) == len(WALLPAPER_GROUPS[name].primitive_operations)


@pytest.mark.parametrize("s", CRYSTALS, ids=lambda s: s.name)
def test_the_crystals_groups_are_those_of_their_columns(s):
    name, zone = s.name.split()
    motif = columns(name, axis(zone.strip("[]")), 20.0)
    found = trials(motif.cell(), motif.basis)
    exact, within = plane_group(found, residual=0.002), plane_group(found, residual=0.05)
    assert exact in s.right
    assert within is None or within in s.right
    for group, strain in s.strained.items():
        assert plane_group(found, strain + 5e-4, 0.05) == group
        assert plane_group(found, strain - 5e-4, 0.05) != group


def test_strains_are_those_of_the_lattice():
    cell = of_group("p4m", vectors(20, 20), 1, 2).cell()
    found = trials(cell, vectors(20, 21))
    assert plane_group(found, np.log(21 / 20) / 2 - 1e-4) == "pmm"
    assert plane_group(found, np.log(21 / 20) / 2 + 1e-4) == "p4m"
    np.testing.assert_allclose(np.linalg.norm(reduced(np.array([[1.0, 5], [0, 1]])), axis=0), 1)


@pytest.mark.parametrize(
    ("name", "way", "share"), [("p4m", "lower", 0.03), ("p3m1", "tilt", 0.03), ("p6m", "lower", 0.2)]
)
def test_deviations_leave_what_they_say(name, way, share):
    left, picture = broken(name, way, share, 0)
    assert left == pytest.approx(share, rel=0.15)
    assert picture.shape == (256, 256)
    group = WALLPAPER_GROUPS[name]
    assert projected(of_group(name, basis_of(name), 0, 2).cell(), group) < 1e-3


@pytest.mark.parametrize(("weight", "right"), [(1.0, "p6m"), (0.55, "p6")])
def test_a_commensurate_bilayer_has_its_superlattice(weight, right):
    twist = np.degrees(np.arccos(13 / 14))
    one = columns("graphene", (0, 0, 1), 9.0, 3).basis
    candidates = [
        one @ np.array(m) for m in ([[2, -1], [-1, 3]], [[3, -1], [1, 2]], [[2, 1], [-1, 3]], [[3, 1], [-1, 2]])
    ]
    f = bilayer("hollow", 9.0, twist, weight)
    basis = next(
        b
        for b in candidates
        if np.allclose(
            lattice_function(f, b), lattice_function(lambda x, y, b=b: f(x + b[0, 0], y + b[1, 0]), b), atol=1e-3
        )
        and np.allclose(
            lattice_function(f, b), lattice_function(lambda x, y, b=b: f(x + b[0, 1], y + b[1, 1]), b), atol=1e-3
        )
    )
    assert plane_group(trials(lattice_function(f, basis), basis), residual=0.005) == right


def test_answers_are_judged_by_group_strain_and_words():
    s = Situation("metric", "x", lambda: np.zeros((2, 2)), frozenset({"pmm"}), {"p4m": 0.017, "p6m": 0.055})
    assert s.judge("pmm", 0.9, "") == "right"
    assert s.judge("p4m", 0.9, "p4m") == "surely wrong"
    assert s.judge("p4m", 0.9, "p4m; pmm without a strain of 1.7 %") == "right"
    assert s.judge("p6m", 0.5, "strain, pmm") == "wrong"
    assert s.judge(None, 0.0, "several lattices") == "refused"
    assert s.said("pmm", "pmm; p4m if stretched by 1.7 %")
    assert s.said("pmm", "pmmx p4mm") is False
    with pytest.raises(ValueError, match="kind must be one of"):
        situations("nothing")


def test_names_are_unique_and_kinds_are_known():
    assert len({(s.kind, s.name) for s in ALL}) == len(ALL)
    assert {s.kind for s in ALL} == set(KINDS)
    assert {name for s in ALL for name in s.right | s.strained.keys()} <= {*WALLPAPER_GROUPS.names, "refuse"}


def test_an_image_is_the_same_at_each_call():
    for s in (ALL[0], next(s for s in ALL if s.kind == "faint"), next(s for s in ALL if s.kind == "pixels")):
        np.testing.assert_array_equal(s.draw(), s.draw())


@pytest.mark.parametrize("s", situations("fine motif"), ids=lambda s: s.name)
def test_the_groups_of_hard_edged_motifs(s):
    basis, points = s.draw.__defaults__
    found = trials(Motif(basis, points).cell(size=384), basis, 24)
    (name,) = s.right
    assert plane_group(found, residual=0.01) == name
    left = [t.residual for t in found.values() if t.strain < 1e-3 and t.residual > 0.01]
    assert not left or min(left) > 0.2
