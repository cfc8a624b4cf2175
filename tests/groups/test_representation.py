import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equisym.groups import (
    O2,
    SO2,
    C,
    D,
    Irrep,
    PointGroup,
    Representation,
    direct_sum,
    irrep,
    irreps,
    is_subgroup,
    quotient,
    regular,
    trivial,
    vector,
)
from equisym.groups.representation import decompose

point_groups = st.builds(PointGroup, st.integers(1, 16), st.booleans())


def is_homomorphism(rep: Representation, group: PointGroup) -> bool:
    matrices = np.stack([rep.matrix(g) for g in range(group.order)])
    products = np.einsum("gab,hbc->ghac", matrices, matrices)
    return np.allclose(products, matrices[group.product_table], atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(point_groups)
def test_irreps_are_representations_and_complete(group):
    found = irreps(group)
    assert all(is_homomorphism(irrep(group, i.frequency, odd=i.odd), group) for i in found)
    # over the reals, sum of d^2 / dim(End) counts the elements
    assert sum(i.size**2 // len(i.endomorphisms) for i in found) == group.order
    characters = [
        np.array([np.trace(irrep(group, i.frequency, odd=i.odd).matrix(g)) for g in range(group.order)]) for i in found
    ]
    gram = np.array(characters) @ np.array(characters).T / group.order
    assert np.allclose(gram, np.diag([len(i.endomorphisms) for i in found]), atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(point_groups)
def test_regular_is_the_groups_own_permutation(group):
    rep = regular(group)
    for g in range(group.order):
        assert np.allclose(rep.matrix(g), np.eye(group.order)[group.regular_permutation(g)], atol=1e-12)
    assert rep.is_permutation
    assert rep.trivial_basis.shape == (group.order, 1)


@settings(deadline=None, max_examples=25)
@given(point_groups)
def test_vector_is_the_groups_own_matrix(group):
    assert all(np.allclose(vector(group).matrix(g), group.matrix(g), atol=1e-12) for g in range(group.order))


@pytest.mark.parametrize(("group", "subgroup"), [(D(4), C(4)), (D(4), D(1)), (D(6), D(2)), (C(8), C(2)), (D(3), C(1))])
def test_quotient_permutes_cosets(group, subgroup):
    rep = quotient(group, subgroup)
    assert rep.size == group.order // subgroup.order
    assert rep.is_permutation
    assert is_homomorphism(rep, group)
    fixed = {g for g in range(group.order) if np.allclose(rep.matrix(g)[0, 0], 1)}
    step = group.n // subgroup.n
    assert fixed == {step * i + group.n * s for s in range(1 + subgroup.mirrors) for i in range(subgroup.n)}


@pytest.mark.parametrize("subgroup", [C(1), C(4), D(1), D(4), C(6), D(3), SO2])
def test_restriction_keeps_the_matrices(subgroup):
    rep = direct_sum([irrep(O2, 3), irrep(O2, 0, odd=True), vector(O2)])
    small = rep.restrict(subgroup)
    assert small.group == subgroup
    n = subgroup.n if isinstance(subgroup, PointGroup) else 7
    for i in range(n):
        for flip in (False, True) if subgroup.mirrors else (False,):
            assert np.allclose(small.at(2 * math.pi * i / n, flip), rep.at(2 * math.pi * i / n, flip), atol=1e-12)


def test_tensor_product_splits_by_the_sum_and_difference_of_frequencies():
    parts = irrep(O2, 1).tensor(irrep(O2, 3)).irreps
    assert [p.frequency for p in parts] == [2, 4]
    squared = irrep(O2, 2).tensor(irrep(O2, 2)).irreps
    assert squared == (Irrep(O2, 0), Irrep(O2, 0, odd=True), Irrep(O2, 4))


def test_representations_are_values():
    assert regular(C(4)) == regular(C(4))
    assert len({regular(C(4)), regular(C(4)), regular(D(2))}) == 2
    assert irrep(C(6), 1) != irrep(C(6), 2)
    assert repr(irrep(D(4), 2, odd=True)) == "irrep(D(4), 2, odd=True)"
    with pytest.raises(ValueError, match="read-only"):
        regular(C(4)).basis[0, 0] = 2.0


def test_subgroups():
    assert is_subgroup(D(4), O2)
    assert is_subgroup(SO2, O2)
    assert not is_subgroup(D(4), SO2)
    assert not is_subgroup(SO2, C(64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: irrep(C(4), 3), "at most 2 for C4 .got 3"),
        (lambda: irrep(C(4), -1), "at least 0 .got -1"),
        (lambda: irrep(C(4), 0, odd=True), "mirrors"),
        (lambda: irrep(D(5), 1, odd=True), "size 1"),
        (lambda: irreps(SO2), "infinitely many"),
        (lambda: quotient(C(4), C(3)), "C3 is not a subgroup of C4"),
        (lambda: trivial(C(4)).restrict(D(2)), "D2 is not a subgroup of C4"),
        (lambda: trivial(SO2).matrix(0), "not numbered"),
        (lambda: direct_sum([trivial(C(2)), trivial(C(4))]), "one group"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_matrices_that_are_not_orthogonal_are_refused():
    sheared = np.array([[-1.0, 1.0], [0.0, 1.0]])  # of order 2, as it must be, but no isometry
    with pytest.raises(ValueError, match="sheared is not an orthogonal representation of C2"):
        decompose(C(2), lambda angle, _: sheared if angle else np.eye(2), "sheared", 1)


def test_the_matrix_at_an_angle_is_that_of_the_rotation_alone():
    for representation in (vector(D(4)), regular(D(4)), vector(O2)):
        np.testing.assert_array_equal(representation.at(math.pi / 2), representation.at(math.pi / 2, False))
        assert not np.allclose(representation.at(math.pi / 2), representation.at(math.pi / 2, True))
