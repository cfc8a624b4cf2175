"""What a layer under test is: how to build it for a group, and the types of its input and output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equisym.groups import O2, SO2, C, D, Group, PointGroup, irrep, irreps, quotient, regular, trivial
from equisym.nn import FieldType

TILTED = (D(1, axis=45), D(2, axis=135))  # mirrors along the diagonals
FINITE = (*TILTED, C(1), C(2), C(3), C(4), C(6), C(8), D(1), D(2), D(3), D(4), D(6), D(8))
ALL = (*FINITE, SO2, O2)
CYCLIC = tuple(g for g in FINITE if not g.mirrors)
ON_GRID = tuple(g for g in FINITE if g.exact_on_grid)

Made = tuple[nn.Module, FieldType, FieldType]


@dataclass(frozen=True)
class Case:
    """A layer under test."""

    name: str
    make: Callable[..., Made]
    groups: tuple[Group, ...] = FINITE
    size: int = 7
    train: bool = False
    checks_channels: bool = True
    names_group: bool = True
    finer: bool = False


def groups_of(case: Case) -> tuple[Group, ...]:
    return case.groups


def elements_on_grid(group: Group) -> list[tuple[int, bool]]:
    """The elements that keep the pixel grid, as quarter turns and whether the flip acts first."""
    if isinstance(group, PointGroup):
        turns = [(group.quarter_turns(g), g >= group.n) for g in range(group.order)]
        return [(int(q), flip) for q, flip in turns if q == int(q)]
    return [(q, flip) for flip in ((False, True) if group.mirrors else (False,)) for q in range(4)]


def act_on(x: Tensor, field_type: FieldType, quarter_turns: int, flip: bool) -> Tensor:
    """The action of such an element on a feature map: channels by the representation, pixels by rot90."""
    x = field_type.act_on_channels(x, quarter_turns * math.pi / 2, flip)
    return torch.rot90(x.flip(-1) if flip else x, quarter_turns, (-2, -1))


def scalars(group: Group, number: int) -> FieldType:
    return FieldType.of((number, trivial(group)))


def mixed(group: Group) -> FieldType:
    """Every irrep up to frequency 2, and where there are, regular and quotient fields, with one out of order."""
    fields = [irrep(group, i.frequency, odd=i.odd) for i in irreps(group, 2)]
    if isinstance(group, PointGroup):
        fields += [
            regular(group),
            quotient(group, D(1, axis=group.axis) if group.mirrors else C(1)),
            fields[0],
            regular(group),
        ]
    return FieldType(group, (*fields, fields[-1]))


def permuted(group: Group) -> FieldType:
    assert isinstance(group, PointGroup)
    return FieldType.of((1, trivial(group)), (2, regular(group)), (1, quotient(group, C(group.n))))


def reg(group: Group, number: int) -> FieldType:
    assert isinstance(group, PointGroup)
    return FieldType.regular(group, number)


def same(layer: Callable[[Group], nn.Module], of: Callable[[Group], FieldType]) -> Callable[[Group], Made]:
    return lambda g: (layer(g), of(g), of(g))
