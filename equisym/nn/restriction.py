"""Restriction of fields to a subgroup: the same numbers, equivariant to fewer transformations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from equisym.groups import Group, PointGroup, is_subgroup
from equisym.nn.arguments import channels_of, check_group, count
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types


def coset_order(group: PointGroup, subgroup: PointGroup, *, left: bool) -> NDArray[np.int64]:
    """The elements of a group coset by coset: rows g K of left cosets, or H t of right ones, by their least elements.

    Returns:
        Elements, (number of cosets, order of the subgroup); within a row the subgroup's elements run in their order.
    """
    members = subgroup.elements_in(group)
    cosets = group.product_table[:, members] if left else group.product_table[members].T  # [t, h] = t h or h t
    _, first = np.unique(cosets.min(1), return_index=True)
    return cosets[np.sort(first)]


class RestrictRegular2d(ConstantModule):
    r"""Regular fields of a group as regular fields of a subgroup, for layers that are equivariant to a smaller group.

    .. math:: G = H t_1 \cup H t_2 \cup \dots, \qquad y_{c,j}(h) = x_c(h\, t_j)

    Each regular field of G splits into one regular field of H for each right coset H t_j. Only the order of
    the channels changes.

    Args:
        fields: regular fields of the input.
        group: G.
        to: H.

    Shape:
        ``(B, fields * |G|, H, W)`` -> the same, as ``fields * |G| / |H|`` regular fields of H.

    Raises:
        ValueError: at construction if H is not a subgroup; at the call for a wrong number of channels.

    >>> from equisym.groups import C, D
    >>> RestrictRegular2d(2, group=D(4), to=C(4)).out_fields
    4
    """

    order: Tensor

    def __init__(self, fields: int, *, group: PointGroup, to: PointGroup) -> None:
        super().__init__()
        check_group(group)
        check_group(to)
        if not is_subgroup(to, group):
            raise ValueError(f"{to} is not a subgroup of {group}: cannot restrict its fields to it")
        self.fields, self.group, self.to_group = count("fields", fields), group, to
        self.out_fields = fields * group.order // to.order
        order = (np.arange(fields)[:, None] * group.order + coset_order(group, to, left=False).ravel()).ravel()
        self.register_constant("order", order)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and channels_of(x) != len(self.order):  # a symbolic trace has no shape yet
            raise ValueError(f"input must have {len(self.order)} channels (got {x.shape[-3]})")
        return x.index_select(-3, self.order)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}, to={self.to_group!r}"


class Restrict2d(nn.Module):
    """Fields of any representation as fields of a subgroup: the tensor is unchanged, ``out_type`` is the new type.

    Args:
        in_type: fields of the input.
        to: the group that the following layers respect.

    Shape:
        ``(B, in_type.size, H, W)`` -> the same tensor.

    Raises:
        ValueError: at construction if it is not a subgroup; at the call for a wrong number of channels.

    >>> from equisym.groups import D, O2, irrep
    >>> Restrict2d(FieldType.of((1, irrep(O2, 3))), to=D(4)).out_type.fields[0].irreps
    (Irrep(group=D(4), frequency=1, odd=False),)
    """

    def __init__(self, in_type: FieldType, *, to: Group) -> None:
        super().__init__()
        check_types((in_type,))
        self.in_type, self.to_group = in_type, to
        self.out_type = in_type.restrict(to)

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x, linear=True)
        return x

    def extra_repr(self) -> str:
        return f"{self.in_type!r}, to={self.to_group!r}"
