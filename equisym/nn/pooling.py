"""Pooling over the group: from regular fields to maps that no longer depend on the element."""

from __future__ import annotations

from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import check_group


class GroupPool2d(nn.Module):
    r"""Pool each regular field over the group.

    .. math:: y(x) = \max_{g} f(g, x) \quad\text{or}\quad \frac{1}{|G|}\sum_g f(g, x)

    Args:
        group: the point group of the fields; g runs over its elements.
        reduce: ``"max"`` or ``"mean"``.

    Shape:
        ``(B, fields * order, H, W)`` -> ``(B, fields, H, W)``, which rotates with the input like an image.

    Raises:
        ValueError: at construction for another ``reduce``; at the call if the order does not divide the channels.

    >>> import torch
    >>> from equisym.groups import D
    >>> GroupPool2d(group=D(4))(torch.randn(1, 16, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    """

    def __init__(self, *, group: PointGroup, reduce: str = "max") -> None:
        super().__init__()
        check_group(group)
        if reduce not in ("max", "mean"):
            raise ValueError(f"reduce must be 'max' or 'mean' (got {reduce!r})")
        self.group, self.reduce = group, reduce

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] % self.group.order:
            raise ValueError(
                f"input must have a multiple of {self.group.order} channels, fields of {self.group} (got {x.shape[1]})"
            )
        fields = x.unflatten(1, (-1, self.group.order))
        return fields.max(2).values if self.reduce == "max" else fields.mean(2)

    def to_plain(self) -> nn.Module:
        """The same function from torch.nn parts: a pooling whose window is the group axis."""
        window = (self.group.order, 1, 1)
        pool = nn.MaxPool3d(window) if self.reduce == "max" else nn.AvgPool3d(window)
        return nn.Sequential(nn.Unflatten(1, (-1, self.group.order)), pool, nn.Flatten(1, 2))

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + (f", reduce={self.reduce!r}" if self.reduce != "max" else "")
