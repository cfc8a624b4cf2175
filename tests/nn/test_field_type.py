"""Field types: sums, equal parts, restriction, the action on channels, and what they refuse."""

import numpy as np
import pytest
import torch

from equisym.groups import SO2, C, D, irrep, regular, trivial, vector
from equisym.nn import FieldType, act

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
    torch.testing.assert_close(fields.act_on_channels(x, np.pi / 2, flip), torch.einsum("ij,bjhw->bihw", matrix, x))


def test_an_element_moves_channels_and_pixels():
    fields = FieldType.of((1, vector(D(4))), (1, trivial(D(4))))
    x = torch.randn(2, fields.size, 3, 3, dtype=torch.float64)
    for g in range(8):
        turned = torch.rot90(x.flip(-1) if g >= 4 else x, g % 4, (-2, -1))
        moved = torch.cat(
            (torch.einsum("ij,bjhw->bihw", torch.from_numpy(D(4).matrix(g)), turned[:, :2]), turned[:, 2:]), 1
        )
        torch.testing.assert_close(fields.act(x, g), moved)
    torch.testing.assert_close(
        FieldType.regular(D(4), 2).act(maps := torch.randn(1, 16, 3, 3), 5), act(maps, 5, D(4), regular=True)
    )
    whole = FieldType.of((1, irrep(SO2, 1)))
    assert whole.act(torch.ones(1, 2), 1, group=C(4)).shape == (1, 2)
    for wrong in (None, D(4)):
        with pytest.raises(ValueError, match="does not act on fields of SO2: give a point group"):
            whole.act(torch.ones(1, 2), 1, group=wrong)


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


def test_one_map_without_a_batch_is_moved_as_in_a_batch():
    torch.manual_seed(0)
    fields = FieldType.of((1, regular(D(6))), (1, irrep(D(6), 1)))
    x = torch.randn(14, 28, 28, dtype=torch.float64)
    for g in range(12):
        torch.testing.assert_close(fields.act(x, g), fields.act(x[None], g)[0])
        torch.testing.assert_close(act(x[:12], g, D(6), regular=True), act(x[None, :12], g, D(6), regular=True)[0])
