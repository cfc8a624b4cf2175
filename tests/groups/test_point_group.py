"""The algebra of C_n and D_n, and its agreement with what torch does to images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equisym.groups import C, D, PointGroup

AXES = st.sampled_from([0.0, 0.0, 7.5, 22.5, 30.0, 45.0, 90.0, 135.0])
GROUPS = st.one_of(st.builds(C, st.integers(1, 24)), st.builds(D, st.integers(1, 24), axis=AXES))


@st.composite
def elements(draw: st.DrawFn, count: int) -> tuple[PointGroup, list[int]]:
    group = draw(GROUPS)
    return group, draw(st.lists(st.integers(0, group.order - 1), min_size=count, max_size=count))


@given(elements(3))
def test_products_stay_inside_and_associate(drawn):
    group, (f, g, h) = drawn
    assert 0 <= group.product(f, g) < group.order
    assert group.product(group.product(f, g), h) == group.product(f, group.product(g, h))


@given(elements(1))
def test_identity_and_inverse(drawn):
    group, (g,) = drawn
    assert group.product(0, g) == group.product(g, 0) == g
    assert group.product(g, group.inverse(g)) == group.product(group.inverse(g), g) == 0


@given(elements(2))
def test_matrices_multiply_as_elements_do(drawn):
    group, (g, h) = drawn
    np.testing.assert_allclose(group.matrix(g) @ group.matrix(h), group.matrix(group.product(g, h)), atol=1e-14)
    np.testing.assert_allclose(group.matrix(g).T @ group.matrix(g), np.eye(2), atol=1e-14)


@given(elements(2))
def test_matrices_tell_elements_apart(drawn):
    group, (g, h) = drawn
    assert (g == h) == np.allclose(group.matrix(g), group.matrix(h))
    assert np.linalg.det(group.matrix(g)) == pytest.approx(-1 if g >= group.n else 1)


@given(elements(2))
def test_regular_representation(drawn):
    group, (g, h) = drawn
    product, one = group.product(g, h), np.eye(group.order)
    at_g, at_h = one[group.regular_permutation(g)], one[group.regular_permutation(h)]
    np.testing.assert_array_equal(at_g @ at_h, one[group.regular_permutation(product)])
    np.testing.assert_array_equal(at_g @ one[h], one[product])
    f = np.random.default_rng(g).normal(size=group.order)
    np.testing.assert_array_equal(f[group.regular_permutation(g)], at_g @ f)


@given(GROUPS)
def test_tables_hold_the_products_and_inverses(group):
    elements = range(group.order)
    np.testing.assert_array_equal(group.product_table, [[group.product(g, h) for h in elements] for g in elements])
    np.testing.assert_array_equal(group.inverse_table, [group.inverse(g) for g in elements])


@given(GROUPS)
def test_text_round_trips_and_groups_are_values(group):
    assert PointGroup.parse(str(group)) == group
    assert eval(repr(group), {"C": C, "D": D}) == group
    assert hash(PointGroup(group.n, group.mirrors, group.axis)) == hash(group)
    assert group.order == len({tuple(group.matrix(g).round(6).ravel() + 0.0) for g in range(group.order)})


@given(GROUPS, GROUPS)
def test_subgroups_are_subsets_of_matrices(group, other):
    def matrices(of: PointGroup) -> set[tuple[float, ...]]:
        return {tuple(of.matrix(g).round(6).ravel() + 0.0) for g in range(of.order)}

    assert group.is_subgroup_of(other) == (matrices(group) <= matrices(other))


@pytest.mark.parametrize("group", [C(1), C(2), C(4), D(1), D(2), D(4)], ids=str)
def test_matrices_move_pixels_as_rot90_and_flip_do(group):
    assert group.exact_on_grid
    for g in range(group.order):
        image = torch.zeros(5, 5)
        image[1, 4] = 1  # the pixel at x = 2, y = -1 from the centre
        flipped = image.flip(-1) if g >= group.n else image
        moved = torch.rot90(flipped, (g % group.n) * (4 // group.n), (-2, -1))
        x, y = group.matrix(g) @ (2, -1)
        assert moved[int(y) + 2, int(x) + 2] == 1


@pytest.mark.parametrize("n", [3, 5, 6, 8, 12])
def test_other_rotations_are_not_exact_on_the_grid(n):
    assert not C(n).exact_on_grid
    assert not D(n).exact_on_grid


@pytest.mark.parametrize("n", [0, -3, 2.0, True, "4"])
def test_order_must_be_a_positive_integer(n):
    with pytest.raises(ValueError, match="n must be an integer of at least 1"):
        PointGroup(n)


@pytest.mark.parametrize("text", ["", "4", "C", "C0", "E4", "D-2", "C4D4", "D4x"])
def test_parse_refuses_other_text(text):
    with pytest.raises(ValueError, match=r"group must be C or D followed by a number .* write C4 or D4"):
        PointGroup.parse(text)


@pytest.mark.parametrize("element", [-1, 8])
@pytest.mark.parametrize("use", ["matrix", "inverse", "regular_permutation"])
def test_elements_outside_the_group_are_refused(element, use):
    with pytest.raises(ValueError, match=rf"element must lie in 0\.\.7 for D4 \(got {element}\)"):
        getattr(D(4), use)(element)
    with pytest.raises(ValueError, match=r"element must lie in 0\.\.7 for D4"):
        D(4).product(0, element)
