"""Induced representations against their definition, and the parts that a group permutes."""

from __future__ import annotations

import numpy as np
import pytest

from equisym.groups import O2, SO2, C, D, induced, irrep, irreps, on_parts, quotient, regular, trivial, vector
from equisym.groups.coset_action import recognised

PAIRS = [(D(4), C(4)), (D(4), D(1)), (D(6), D(2)), (C(8), C(4)), (D(3), C(3)), (D(4), D(1, axis=45)), (C(6), C(1))]


@pytest.mark.parametrize(("group", "subgroup"), PAIRS, ids=str)
def test_induced_matrices_multiply_and_have_the_induced_character(group, subgroup):
    members = [int(g) for g in subgroup.elements_in(group)]
    for part in irreps(subgroup):
        inner = irrep(subgroup, part.frequency, odd=part.odd)
        rep = induced(group, inner)
        matrices = np.stack([rep.matrix(g) for g in range(group.order)])
        assert rep.size == inner.size * group.order // subgroup.order
        products = np.einsum("gab,hbc->ghac", matrices, matrices)
        np.testing.assert_allclose(products, matrices[group.product_table], atol=1e-10)
        for g in range(group.order):  # Frobenius: the sum over conjugates that lie in the subgroup
            conjugates = [group.product(group.product(group.inverse(t), g), t) for t in range(group.order)]
            inside = [np.trace(inner.matrix(members.index(c))) for c in conjugates if c in members]
            assert np.trace(matrices[g]) == pytest.approx(sum(inside) / subgroup.order, abs=1e-9)
        for h, g in enumerate(members):  # the subgroup acts on its own coset as it did
            np.testing.assert_allclose(matrices[g][: inner.size, : inner.size], inner.matrix(h), atol=1e-10)


def test_regular_and_quotient_are_induced_from_scalars():
    assert induced(D(4), trivial(C(1))) == regular(D(4))
    assert induced(D(4), trivial(C(2))) == quotient(D(4), C(2))


def test_induced_from_all_turns_to_all_mirrors():
    rep = induced(O2, irrep(SO2, 2))
    for a, flip in ((0.3, False), (1.1, True)):
        for b, other in ((0.7, True), (-0.4, False)):
            product = rep.at(a + (-b if flip else b), flip != other)
            np.testing.assert_allclose(rep.at(a, flip) @ rep.at(b, other), product, atol=1e-12)
    np.testing.assert_allclose(rep.at(0.5)[:2, :2], irrep(SO2, 2).at(0.5), atol=1e-12)
    assert on_parts(rep, 2).size == 2


def test_parts_are_permuted_as_the_cosets():
    for group, subgroup in PAIRS:
        inner = induced(subgroup, irrep(subgroup, min(1, subgroup.n // 2)))
        rep = induced(group, inner)
        assert on_parts(rep, inner.size) == induced(group, trivial(subgroup)), group
    assert on_parts(irrep(D(4), 1), 2) == trivial(D(4))


def test_an_imported_copy_is_recognised():
    for rep in (regular(D(3)), trivial(C(4)), irrep(O2, 3), irrep(D(4), 2, odd=True)):
        assert repr(recognised(type(rep)(rep.group, rep.irreps, rep.basis.copy(), "copy"))) == repr(rep)


def test_mirrors_of_any_direction():
    for axis in (45.0, 30.0):
        group = D(2, axis=axis)
        np.testing.assert_allclose(vector(group).matrix(2), group.matrix(2), atol=1e-12)
        along = np.array([-np.sin(np.radians(axis)), -np.cos(np.radians(axis))])  # x right, y down
        np.testing.assert_allclose(group.matrix(2) @ along, along, atol=1e-12)
        assert vector(O2).restrict(group).size == 2
    np.testing.assert_array_equal(D(2, axis=45).elements_in(D(4)), [0, 2, 5, 7])
    assert not D(2, axis=30).is_subgroup_of(D(4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: induced(C(4), trivial(C(3))), "C3 is not a subgroup of C4"),
        (lambda: induced(O2, trivial(C(4))), "C4 has too many cosets in O2"),
        (lambda: on_parts(vector(D(4)), 3), "does not permute parts of 3"),
        (lambda: on_parts(irrep(D(3), 1), 1), "does not permute parts of 1"),
        (lambda: D(2, axis=180), "below 180 degrees.*got 180"),
        (lambda: D(2, axis=-5), "below 180 degrees.*got -5"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
