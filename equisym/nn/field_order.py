"""Fields in another order, taken apart, or led through layers of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equisym.groups import Representation
from equisym.groups.coset_action import recognised
from equisym.groups.representation import decompose, generating
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types


class SelectFields2d(ConstantModule):
    """Some of the fields, or all of them in another order.

    Args:
        in_type: fields of the input.
        fields: number of each field of the output in the input, counted from 0.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H, W)``.

    Raises:
        ValueError: at construction for a field that is not there; at the call for a wrong number of channels.

    >>> from equisym.groups import C, irrep, regular
    >>> fields = FieldType.of((1, regular(C(4))), (2, irrep(C(4), 1)))
    >>> SelectFields2d(fields, (2, 0)).out_type
    FieldType(C(4), 1 x irrep(C(4), 1) + 1 x regular(C(4)))
    """

    channels: Tensor

    def __init__(self, in_type: FieldType, fields: Sequence[int]) -> None:
        super().__init__()
        check_types((in_type,))
        self.in_type, self.fields = in_type, tuple(fields)
        if not self.fields or not all(0 <= f < len(in_type) for f in self.fields):
            raise ValueError(f"fields must be some of 0 .. {len(in_type) - 1} (got {self.fields})")
        self.out_type = FieldType(in_type.group, tuple(in_type.fields[f] for f in self.fields))
        channels = [in_type.starts[f] + np.arange(in_type.fields[f].size) for f in self.fields]
        self.register_constant("channels", np.concatenate(channels))

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x, linear=True)
        return x.index_select(-3, self.channels)

    def extra_repr(self) -> str:
        return f"{self.in_type!r}, {self.fields}"


class SplitFields2d(ConstantModule):
    """Each field as the smaller fields that it consists of, where putting its channels in order takes it apart.

    A restricted regular field falls apart into regular fields of the subgroup. Only the order of the channels changes.

    Args:
        in_type: fields of the input.

    Shape:
        ``(B, in_type.size, H, W)`` -> the same, as fields of ``out_type``.

    Raises:
        ValueError: at the call for a wrong number of channels.

    >>> from equisym.groups import C, D
    >>> restricted = FieldType.regular(D(4), 1).restrict(C(4))
    >>> SplitFields2d(restricted).out_type
    FieldType(C(4), 2 x regular(C(4)))
    """

    channels: Tensor

    def __init__(self, in_type: FieldType) -> None:
        super().__init__()
        check_types((in_type,))
        self.in_type = in_type
        parts = {rep: parts_of(rep) for rep, _ in in_type.distinct}
        self.out_type = FieldType(in_type.group, tuple(part for rep in in_type.fields for _, part in parts[rep]))
        pairs = zip(in_type.starts, in_type.fields, strict=True)
        channels = [start + members for start, rep in pairs for members, _ in parts[rep]]
        self.register_constant("channels", np.concatenate(channels))

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x, linear=True)
        return x.index_select(-3, self.channels)

    def extra_repr(self) -> str:
        return repr(self.in_type)


def parts_of(representation: Representation) -> list[tuple[NDArray[np.int64], Representation]]:
    """The coordinates that the group mixes only among themselves, by the first of them, and how it acts on them."""
    mixed = (
        np.stack([np.abs(representation.at(*element)) for element in generating(representation.group)]).sum(0) > 1e-9
    )
    joined = mixed | mixed.T | np.eye(len(mixed), dtype=bool)
    label = np.arange(len(mixed))
    for _ in range(len(mixed)):  # the least label spreads one step at a time
        label = np.where(joined, label[None], len(mixed)).min(1)
    found = []
    for first in np.unique(label):
        members = np.flatnonzero(label == first)
        found.append((members, _on_members(representation, members)))
    return found


def _on_members(rep: Representation, members: NDArray[np.int64]) -> Representation:
    if len(members) == rep.size:
        return recognised(rep)
    top = max(part.frequency for part in rep.irreps)
    name = f"part({rep}, {', '.join(map(str, members))})"
    part = decompose(rep.group, lambda angle, flip: rep.at(angle, flip)[np.ix_(members, members)], name, top)
    return recognised(part)


class FieldBranches2d(nn.Module):
    """Sets of fields through layers of their own, and the answers side by side: a mixed non-linearity, for example.

    Args:
        in_type: fields of the input.
        branches: pairs of field numbers, as :class:`SelectFields2d` takes them, and a layer.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, C, H', W')``, C being the sum of the layers' channels.

    Raises:
        ValueError: at construction for a field that is not there; at the call for a wrong number of channels.

    >>> from equisym.groups import D, irrep, regular
    >>> from equisym.nn import NormNonlinearity
    >>> fields = FieldType.of((2, regular(D(4))), (2, irrep(D(4), 1)))
    >>> vectors = FieldType(fields.group, fields.fields[2:])
    >>> mixed = FieldBranches2d(fields, [((0, 1), nn.ReLU()), ((2, 3), NormNonlinearity(vectors))])
    >>> mixed(torch.randn(1, 20, 3, 3)).shape
    torch.Size([1, 20, 3, 3])
    """

    def __init__(self, in_type: FieldType, branches: Sequence[tuple[Sequence[int], nn.Module]]) -> None:
        super().__init__()
        self.selections = nn.ModuleList(SelectFields2d(in_type, fields) for fields, _ in branches)
        self.layers = nn.ModuleList(layer for _, layer in branches)
        if not len(self.layers):
            raise ValueError("branches must hold at least one pair of field numbers and a layer (got none)")
        self.in_type = in_type

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x, linear=True)
        parts = zip(self.selections, self.layers, strict=True)
        return torch.cat([layer(select(x)) for select, layer in parts], -3)
