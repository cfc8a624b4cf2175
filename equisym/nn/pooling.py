"""Pooling over the group: from regular fields to scalars, or to fields of fewer elements."""

from __future__ import annotations

from torch import Tensor, fx, nn

from equisym.groups import PointGroup, is_subgroup, quotient, regular, trivial
from equisym.nn.arguments import channels_of, check_group
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType
from equisym.nn.restriction import coset_order


class GroupPool2d(ConstantModule):
    r"""Pool each regular field over the group, or over part of it.

    .. math:: y(x) = \max_{g} f(g, x), \qquad y(h, x) = \max_{j} f(h\,t_j, x), \qquad y(gK, x) = \max_{k} f(g k, x)

    By default over all elements g of ``group`` G. With ``to``, a subgroup H, only the elements within each right coset
    H t_j are kept apart by h: from D(4) to C(4) the mirrors are pooled and the turns kept, and what follows is
    equivariant to H. With ``over``, a subgroup K, each left coset gK is one channel of a quotient field, which all of G
    permutes.

    Args:
        group: G, the point group of the fields.
        to: H; the output has regular fields of it.
        over: K; the output has fields of ``quotient(group, over)``.
        reduce: ``"max"`` or ``"mean"``.

    Shape:
        ``(B, fields * |G|, H, W)`` -> ``(B, fields * pooled_order, H, W)``, pooled_order being 1,
        \|H\| or \|G\| / \|K\|.

    Raises:
        ValueError: at construction for another ``reduce``, both ``to`` and ``over``, or no subgroup; at the call if the
            order does not divide the channels.

    >>> import torch
    >>> from equisym.groups import C, D
    >>> GroupPool2d(group=D(4))(torch.randn(1, 16, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    >>> GroupPool2d(group=D(4), to=C(4))(torch.randn(1, 16, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    members: Tensor

    def __init__(
        self,
        *,
        group: PointGroup,
        to: PointGroup | None = None,
        over: PointGroup | None = None,
        reduce: str = "max",
    ) -> None:
        super().__init__()
        check_group(group)
        if reduce not in ("max", "mean"):
            raise ValueError(f"reduce must be 'max' or 'mean' (got {reduce!r})")
        if to is not None and over is not None:
            raise ValueError(f"give to, the subgroup kept, or over, the one pooled, not both (got {to} and {over})")
        part = to or over
        if part is not None:
            check_group(part)
            if not is_subgroup(part, group):
                raise ValueError(f"{part} is not a subgroup of {group}: cannot pool its fields so")
        self.group, self.to_group, self.over, self.reduce = group, to, over, reduce
        self.pooled_order = 1
        if part is not None:
            within = coset_order(group, part, left=over is not None)  # (cosets, elements of the subgroup)
            members = within if over is not None else within.T
            self.pooled_order = len(members)
            self.register_constant("members", members.ravel())

    def out_type(self, fields: int) -> FieldType:
        """The type of the output for a number of regular fields of the input."""
        if self.to_group is not None:
            return FieldType.of((fields, regular(self.to_group)))
        return FieldType.of((fields, trivial(self.group) if self.over is None else quotient(self.group, self.over)))

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and channels_of(x) % self.group.order:  # a symbolic trace has no shape yet
            raise ValueError(
                f"input must have a multiple of {self.group.order} channels, fields of {self.group} (got {x.shape[-3]})"
            )
        fields = x.unflatten(-3, (-1, self.group.order))
        if self.pooled_order > 1:
            fields = fields.index_select(-3, self.members).unflatten(-3, (self.pooled_order, -1))
            fields = fields.flatten(-5, -4)
        return fields.max(-3).values if self.reduce == "max" else fields.mean(-3)

    def to_plain(self) -> nn.Module:
        """The same function from torch.nn parts: a pooling whose window is the group axis; a graph if it is partial."""
        if self.pooled_order > 1:
            return fx.symbolic_trace(self)
        window = (self.group.order, 1, 1)
        pool = nn.MaxPool3d(window) if self.reduce == "max" else nn.AvgPool3d(window)
        return nn.Sequential(nn.Unflatten(1, (-1, self.group.order)), pool, nn.Flatten(1, 2))

    def extra_repr(self) -> str:
        parts = [f"group={self.group!r}", *([f"to={self.to_group!r}"] if self.to_group else [])]
        parts += [f"over={self.over!r}"] if self.over else []
        return ", ".join([*parts, *([f"reduce={self.reduce!r}"] if self.reduce != "max" else [])])
