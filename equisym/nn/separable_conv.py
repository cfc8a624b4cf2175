"""Depthwise and separable group convolutions: the same symmetry at a fraction of the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.nn.group_conv import GroupConv2d, check_group
from equisym.nn.kernel import GroupKernel


class GroupDepthwiseConv2d(nn.Module):
    r"""Filters each orientation of each regular field on its own, by one kernel that turns with it.

    .. math:: y_c(g, x) = \sum_{y} \psi_c(g^{-1}(y - x))\, f_c(g, y)

    f_c is one of ``fields`` regular fields of ``group``, g an element and psi_c a learned kernel of side
    ``kernel_size``. Of a group convolution this keeps one kernel per field and no mixing: ``kernel_size**2`` products
    per output number.

    Args:
        fields: regular fields of input and output.
        kernel_size: side of the kernel, odd.
        group: the point group.
        stride: step; 2 keeps the symmetry when the padded size minus the kernel is even.
        padding: zeros added on each side.
        bias: whether to add one learned number per field.

    Shape:
        ``(B, fields * order, H, W)`` -> ``(B, fields * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for even kernels, at the call for a wrong number of channels.

    >>> from equisym.groups import D
    >>> GroupDepthwiseConv2d(2, 3, group=D(4), padding=1)(torch.zeros(1, 16, 9, 9)).shape
    torch.Size([1, 16, 9, 9])
    """

    def __init__(
        self, fields: int, kernel_size: int, *, group: PointGroup, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        check_group(group)
        if min(fields, stride) < 1 or padding < 0:
            raise ValueError(f"fields and stride must be positive (got {fields}, {stride}, padding={padding})")
        self.fields, self.kernel_size, self.group = fields, kernel_size, group
        self.stride, self.padding = stride, padding
        self.kernel = GroupKernel(kernel_size, group, lifting=True)
        self.weight = nn.Parameter(torch.empty(fields, 1, *self.kernel.weight_shape))
        self.bias = nn.Parameter(torch.zeros(fields)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the kernels so that the output has the input's mean square; set the bias to zero."""
        self.kernel.initialise(self.weight, gain=1.0)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain depthwise convolution performed."""
        bias = None if self.bias is None else self.bias.repeat_interleave(self.group.order)
        return self.kernel(self.weight), bias

    def forward(self, x: Tensor) -> Tensor:
        channels = self.fields * self.group.order
        if x.shape[1] != channels:
            raise ValueError(f"input must have {channels} channels, {self.fields} fields (got {x.shape[1]})")
        weight, bias = self.filters()
        return functional.conv2d(x, weight, bias, self.stride, self.padding, groups=channels)

    @torch.no_grad()
    def to_plain(self) -> nn.Conv2d:
        """The same function as an ordinary depthwise :class:`torch.nn.Conv2d`."""
        weight, bias = self.filters()
        channels = len(weight)
        plain = nn.Conv2d(
            channels, channels, self.kernel_size, self.stride, self.padding, groups=channels, bias=bias is not None
        ).to(weight)
        plain.weight.copy_(weight)
        if plain.bias is not None and bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)

    def extra_repr(self) -> str:
        text = f"{self.fields}, {self.kernel_size}, group={self.group!r}"
        text += f", stride={self.stride}" if self.stride != 1 else ""
        text += f", padding={self.padding}" if self.padding else ""
        return text + (", bias=False" if self.bias is None else "")


class SeparableGroupConv2d(nn.Sequential):
    """A depthwise group convolution in space, then a 1x1 group convolution over fields and elements.

    For C fields of a group of order n it needs about ``k**2 + C n`` products per output number, where the full group
    convolution needs ``k**2 C n``.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel, odd.
        group: the point group.
        stride: step of the depthwise part.
        padding: zeros added on each side.
        bias: whether to add one learned number per output field.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for even kernels, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> SeparableGroupConv2d(2, 3, 3, group=C(4), padding=1)(torch.zeros(1, 8, 9, 9)).shape
    torch.Size([1, 12, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        group: PointGroup,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(
            GroupDepthwiseConv2d(in_channels, kernel_size, group=group, stride=stride, padding=padding, bias=False),
            GroupConv2d(in_channels, out_channels, 1, group=group, bias=bias),
        )
