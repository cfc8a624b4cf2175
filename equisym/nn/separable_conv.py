"""Depthwise and separable group convolutions: the same symmetry at a fraction of the arithmetic."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import nn

from equisym.groups import PointGroup
from equisym.nn.arguments import Whole, count
from equisym.nn.expanded_conv import GridOptions, WeightOptions
from equisym.nn.group_conv import GroupConv2d, RegularConv2d


class GroupDepthwiseConv2d(RegularConv2d):
    r"""Filters each orientation of each regular field on its own, by one kernel that rotates with it.

    .. math:: y_c(g, x) = \sum_{y} \psi_c(g^{-1}(y - x))\, f_c(g, y)

    f_c is one of ``fields`` regular fields of ``group``, g an element and psi_c a learned kernel of side
    ``kernel_size``. Of a group convolution this keeps one kernel per field and no mixing: ``kernel_size**2`` products
    per output number.

    Args:
        fields: regular fields of input and output.
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group.
        options: ``stride``, ``padding``, ``dilation``, ``padding_mode``, ``bias``, ``device`` and ``dtype``, as
            :class:`GroupConv2d` takes them.

    Shape:
        ``(B, fields * order, H, W)`` -> ``(B, fields * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for kernels that the group cannot turn, at the call for a wrong number of channels.

    >>> from equisym.groups import D
    >>> GroupDepthwiseConv2d(2, 3, group=D(4), padding=1)(torch.zeros(1, 16, 9, 9)).shape
    torch.Size([1, 16, 9, 9])
    """

    lifting = True
    gain = 1.0
    printed = tuple(name for name in RegularConv2d.printed if name != "groups")

    def __init__(
        self,
        fields: int,
        kernel_size: Whole,
        *,
        group: PointGroup,
        **options: Unpack[WeightOptions],
    ) -> None:
        fields = count("fields", fields)
        super().__init__(fields, fields, kernel_size, group=group, groups=fields, **options)
        self.fields = fields
        self.groups = fields * group.order  # of the plain convolution

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the output."""
        return self.groups, self.groups

    def what_comes(self) -> str:
        """What the channels of the input are, for messages."""
        return f"{self.fields} fields of {self.group}"

    def call(self) -> str:
        """The sizes and the group with which the layer was made."""
        return f"{self.fields}, {self.kernel_size}, group={self.group!r}"


class SeparableGroupConv2d(nn.Sequential):
    """A depthwise group convolution in space, then a 1x1 group convolution over fields and elements.

    For C fields of a group of order n it needs about ``k**2 + C n`` products per output number, where the full group
    convolution needs ``k**2 C n``.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group.
        bias: whether to add one learned number per output field.
        device: where to make the weights.
        dtype: of the weights.
        options: ``stride``, ``padding``, ``dilation`` and ``padding_mode`` of the depthwise part.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for kernels that the group cannot turn, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> SeparableGroupConv2d(2, 3, 3, group=C(4), padding=1)(torch.zeros(1, 8, 9, 9)).shape
    torch.Size([1, 12, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        group: PointGroup,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[GridOptions],
    ) -> None:
        place = {"group": group, "device": device, "dtype": dtype}
        super().__init__(
            GroupDepthwiseConv2d(in_channels, kernel_size, bias=False, **place, **options),
            GroupConv2d(in_channels, out_channels, 1, bias=bias, **place),
        )
