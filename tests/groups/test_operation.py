"""Operations in fractional coordinates: text, composition, inverses and kinds."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equisym.groups import Operation

_LINEAR = [
    ((a, b), (c, d))
    for a in (-1, 0, 1)
    for b in (-1, 0, 1)
    for c in (-1, 0, 1)
    for d in (-1, 0, 1)
    if abs(a * d - b * c) == 1
]
FRACTIONS = st.builds(Fraction, st.integers(-24, 24), st.sampled_from([1, 2, 3, 4, 6, 12]))
OPERATIONS = st.builds(Operation, st.sampled_from(_LINEAR), st.tuples(FRACTIONS, FRACTIONS))


def modulo_lattice(points: np.ndarray) -> np.ndarray:
    return np.exp(2j * np.pi * points)


@given(OPERATIONS)
def test_text_round_trips(op):
    assert Operation.parse(str(op)) == op
    assert eval(repr(op), {"Operation": Operation}) == op
    assert all(0 <= t < 1 for t in op.w)


@given(OPERATIONS, OPERATIONS)
def test_composition_acts_right_factor_first(f, g):
    points = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(modulo_lattice((f @ g)(points)), modulo_lattice(f(g(points))), atol=1e-12)


@given(OPERATIONS, OPERATIONS, OPERATIONS)
def test_composition_associates_and_inverts(f, g, h):
    identity = Operation.parse("x,y")
    assert (f @ g) @ h == f @ (g @ h)
    assert f @ f.inverse() == f.inverse() @ f == identity
    assert (f @ g).inverse() == g.inverse() @ f.inverse()


@pytest.mark.parametrize(
    ("triplet", "kind", "order"),
    [
        ("x,y", "identity", 1),
        ("x+1/2,y+1/2", "translation", 1),
        ("-x,-y", "rotation", 2),
        ("-y,x-y", "rotation", 3),
        ("-y,x", "rotation", 4),
        ("x-y,x", "rotation", 6),
        ("-x,y", "mirror", 2),
        ("-x+1/2,y", "mirror", 2),
        ("y+1/2,x+1/2", "glide", 2),
        ("y+1/2,x-1/2", "glide", 2),
        ("-x,y+1/2", "glide", 2),
    ],
)
def test_kinds(triplet, kind, order):
    op = Operation.parse(triplet)
    assert (op.kind, op.rotation_order) == (kind, order)


@given(OPERATIONS)
def test_a_reflection_done_twice_is_twice_its_intrinsic_translation(op):
    if op.determinant == -1 and op.rotation_order == 2 and (op @ op).W == ((1, 0), (0, 1)):
        twice = Operation(((1, 0), (0, 1)), tuple(2 * t for t in op.intrinsic_translation))
        assert op @ op == twice


@pytest.mark.parametrize("text", ["", "x", "x,y,z", "x,", "x*2,y", "x,y+1/", "x,y+1/2/3", "(x,y)"])
def test_parse_refuses_other_text(text):
    with pytest.raises(ValueError, match="operation must read like '-x\\+1/2,y'"):
        Operation.parse(text)
