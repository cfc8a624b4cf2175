"""Batch normalisation that keeps the symmetry: one mean, variance, scale and shift for all elements of a field."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import check_group


class GroupBatchNorm2d(nn.Module):
    r"""Batch normalisation of regular fields.

    .. math:: y(g, x) = \gamma\,\frac{f(g, x) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    with mu and sigma^2 over the batch, the pixels x and the elements g of ``group``, one of each for a field, so that
    the layer commutes with every permutation of the elements.

    Args:
        fields: number of regular fields; the input has ``fields * group.order`` channels.
        group: the point group.
        eps: added to the variance.
        momentum: weight of the newest batch in the running averages.

    Shape:
        ``(B, fields * order, H, W)`` -> the same.

    Raises:
        ValueError: at construction if there are no fields; at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> GroupBatchNorm2d(2, group=C(4))(torch.randn(3, 8, 5, 5)).shape
    torch.Size([3, 8, 5, 5])
    """

    def __init__(self, fields: int, *, group: PointGroup, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        check_group(group)
        if fields < 1:
            raise ValueError(f"fields must be at least 1 (got {fields})")
        self.fields, self.group = fields, group
        self.norm = nn.BatchNorm3d(fields, eps, momentum)  # a child, so that its synchronised form can replace it

    def forward(self, x: Tensor) -> Tensor:
        channels = self.fields * self.group.order
        if x.shape[1] != channels:
            raise ValueError(
                f"input must have {channels} channels, {self.fields} fields of {self.group} (got {x.shape[1]})"
            )
        y = self.norm(x.unflatten(1, (self.fields, self.group.order))).flatten(1, 2)
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            y = y.contiguous(memory_format=torch.channels_last)  # the norm's own layout is channels first
        return y

    @torch.no_grad()
    def to_plain(self) -> nn.BatchNorm2d:
        """The same function as an ordinary :class:`torch.nn.BatchNorm2d` (running statistics)."""
        plain = nn.BatchNorm2d(self.fields * self.group.order, self.norm.eps, self.norm.momentum)
        plain.to(self.norm.weight)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(plain, name).copy_(getattr(self.norm, name).repeat_interleave(self.group.order))
        return plain.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}"
