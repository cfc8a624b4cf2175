"""Field types: sums, equal parts, restriction, the action on channels, and what they refuse."""

import numpy as np
import pytest
import torch

from equisym.groups import C, D, irrep, regular, trivial, vector
from equisym.nn import FieldType

PAIR = FieldType.of((1, regular(C(4))), (1, irrep(C(4), 1)))


def test_sums_and_starts():
    both = PAIR + FieldType.of((2, trivial(C(4))))
    assert (both.size, both.starts, len(both)) == (8, (0, 4, 6, 7), 4)
    assert [(rep, starts) for rep, starts in both.distinct][2] == (trivial(C(4)), (6, 7))
    assert str(both) == "1 x regular(C(4)) + 1 x irrep(C(4), 1) + 2 x trivial(C(4))"


def test_equal_parts():
    assert (PAIR + PAIR).split(2) == PAIR
    three = FieldType.regular(C(4), 3)
    assert three.split(3) == FieldType.regular(C(4), 1)
    for fields, parts in ((three, 2), (PAIR, 2), (PAIR + PAIR, 4)):
        with pytest.raises(ValueError, match=f"groups={parts} needs a type of {parts} equal parts"):
            fields.split(parts)


@pytest.mark.parametrize("flip", [False, True])
def test_the_action_is_the_matrix_of_the_whole_representation(flip):
    fields = FieldType.of((2, regular(D(4))), (1, vector(D(4))), (1, regular(D(4))))
    x = torch.randn(2, fields.size, 3, 3, dtype=torch.float64)
    matrix = torch.from_numpy(np.asarray(fields.representation.at(np.pi / 2, flip), np.float64))
    torch.testing.assert_close(fields.act(x, np.pi / 2, flip), torch.einsum("ij,bjhw->bihw", matrix, x))


def test_restriction_keeps_the_channels():
    fields = FieldType.of((1, regular(D(4))), (1, vector(D(4))))
    fewer = fields.restrict(C(2))
    assert (fewer.group, fewer.size, fewer.starts) == (C(2), fields.size, fields.starts)
    with pytest.raises(ValueError, match="is not a subgroup"):
        fields.restrict(C(3))


def test_what_is_no_type():
    with pytest.raises(ValueError, match="at least one representation"):
        FieldType(C(4), ())
    with pytest.raises(ValueError, match="must be a representation of"):
        FieldType(C(4), (regular(D(4)),))
    with pytest.raises(ValueError, match="at least one pair"):
        FieldType.of()
