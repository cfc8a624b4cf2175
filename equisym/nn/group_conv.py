"""Regular group convolutions: from an image to regular fields, and from regular fields to regular fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.nn.input_transform_conv import convolve_turned, turning_is_cheaper
from equisym.nn.kernel import GroupKernel


class _RegularConv2d(nn.Module):
    """What lifting and group convolution share: weights, bias, and a plain convolution with the expanded filters."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        group: PointGroup,
        stride: int,
        padding: int,
        bias: bool,
        lifting: bool,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        check_group(group)
        for name, value, least in (
            ("in_channels", in_channels, 1),
            ("out_channels", out_channels, 1),
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("dilation", dilation, 1),
            ("groups", groups, 1),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least} (got {value})")
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups must divide the fields, {in_channels} in and {out_channels} out (got {groups})")
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.group, self.stride, self.padding, self.dilation, self.groups = group, stride, padding, dilation, groups
        self.kernel = GroupKernel(kernel_size, group, lifting=lifting)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel.weight_shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew (He initialisation of the expanded filters) and set the bias to zero."""
        self.kernel.initialise(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def in_features(self) -> int:
        """Channels that the input tensor must have."""
        return self.in_channels * (1 if self.kernel.lifting else self.group.order)

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution that this layer performs."""
        bias = None if self.bias is None else self.bias.repeat_interleave(self.group.order)
        return self.kernel(self.weight), bias

    def check_channels(self, x: Tensor) -> None:
        """Refuse an input with another number of channels."""
        if x.shape[1] != self.in_features:
            what = "an image" if self.kernel.lifting else f"{self.in_channels} fields of {self.group}"
            raise ValueError(f"input must have {self.in_features} channels, {what} (got {x.shape[1]})")

    def forward(self, x: Tensor) -> Tensor:
        self.check_channels(x)
        weight, bias = self.filters()
        return functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    @torch.no_grad()
    def to_plain(self) -> nn.Module:
        """The same function as an ordinary :class:`torch.nn.Conv2d`."""
        weight, bias = self.filters()
        plain = nn.Conv2d(
            weight.shape[1] * self.groups,
            weight.shape[0],
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias=bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        plain.weight.copy_(weight)
        if bias is not None and plain.bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, group={self.group!r}"
        text += f", stride={self.stride}" if self.stride != 1 else ""
        text += f", padding={self.padding}" if self.padding else ""
        text += f", dilation={self.dilation}" if self.dilation != 1 else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + (", bias=False" if self.bias is None else "")


class LiftConv2d(_RegularConv2d):
    r"""Lifting convolution: an image in, one response for each group element out.

    .. math:: (f \star \psi)(g, x) = \sum_{i}\sum_{y} f_i(y)\, \psi_i(g^{-1}(y - x))

    f has ``in_channels`` channels, g runs over ``group`` and psi is one of ``out_channels`` learned kernels of side
    ``kernel_size``; turning the input by h moves the response from (g, x) to (h g, h x). Exact for n dividing 4 at odd
    sizes; for other n the kernels are band-limited and the error is measured in the documentation.

    Args:
        in_channels: channels of the image.
        out_channels: regular fields of the output; the tensor has ``out_channels * group.order`` channels.
        kernel_size: side of the kernel, odd.
        group: the point group, such as ``D(4)``.
        stride: step; 2 keeps the symmetry when the padded size minus the kernel is even.
        padding: zeros added on each side.
        dilation: distance between the kernel's pixels.
        bias: whether to add one learned number per field.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for even kernels, at the call for a wrong number of channels.

    >>> from equisym.groups import D
    >>> LiftConv2d(1, 8, 3, group=D(4), padding=1)(torch.zeros(2, 1, 9, 9)).shape
    torch.Size([2, 64, 9, 9])

    Source: Cohen & Welling, Group Equivariant Convolutional Networks (2016), equation 10.
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
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            group=group,
            stride=stride,
            padding=padding,
            dilation=dilation,
            bias=bias,
            lifting=True,
        )


class GroupConv2d(_RegularConv2d):
    r"""Group convolution: regular fields in, regular fields out.

    .. math:: (f \star \psi)(g, x) = \sum_{i}\sum_{h}\sum_{y} f_i(h, y)\, \psi_i(g^{-1}h, g^{-1}(y - x))

    f has ``in_channels`` regular fields of ``group``, h and g run over its elements, and psi is one of ``out_channels``
    learned kernels on the group. A pair of fields has ``order * kernel_size**2`` free weights when n divides 4.

    Args:
        in_channels: regular fields of the input, which has ``in_channels * group.order`` channels.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel, odd.
        group: the point group of both.
        stride: step; 2 keeps the symmetry when the padded size minus the kernel is even.
        padding: zeros added on each side.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts of both sets of fields that are connected only to each other.
        bias: whether to add one learned number per field.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for even kernels, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> layer = GroupConv2d(2, 3, 3, group=C(4), padding=1)
    >>> layer(torch.zeros(1, 8, 9, 9)).shape, layer.weight.numel()
    (torch.Size([1, 12, 9, 9]), 216)

    Source: Cohen & Welling, Group Equivariant Convolutional Networks (2016), equation 11.
    """

    sources: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        group: PointGroup,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            group=group,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            lifting=False,
        )

        self.register_buffer("sources", torch.from_numpy(group.product_table.copy()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.check_channels(x)
        plan = {"group": self.group, "kernel_size": self.kernel_size}
        plan |= {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        if turning_is_cheaper(x, self.weight, **plan):
            return convolve_turned(x, self.weight, self.bias, sources=self.sources, groups=self.groups, **plan)
        return super().forward(x)


class GroupConvTranspose2d(_RegularConv2d):
    r"""Transposed group convolution: the output grid is ``stride`` times finer.

    .. math:: y(g, x) = \sum_{i}\sum_{h}\sum_{z} \psi_i(g^{-1}h, g^{-1}(x - s\,z))\, f_i(h, z)

    f has ``in_channels`` regular fields of ``group``, h and g run over its elements, s is ``stride`` and psi one of
    ``out_channels`` learned kernels on the group.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel, odd.
        group: the point group of both.
        stride: refinement of the grid.
        padding: rows and columns cut from each side of the full output.
        bias: whether to add one learned number per field.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')`` with
        H' = (H - 1) * stride - 2 * padding + kernel_size.

    Raises:
        ValueError: at construction for even kernels, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> layer = GroupConvTranspose2d(2, 3, 3, group=C(4), stride=2, padding=1)
    >>> layer(torch.zeros(1, 8, 5, 5)).shape
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
            in_channels,
            out_channels,
            kernel_size,
            group=group,
            stride=stride,
            padding=padding,
            bias=bias,
            lifting=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        self.check_channels(x)
        weight, bias = self.filters()
        return functional.conv_transpose2d(x, weight.transpose(0, 1), bias, self.stride, self.padding)

    @torch.no_grad()
    def to_plain(self) -> nn.ConvTranspose2d:
        """The same function as an ordinary :class:`torch.nn.ConvTranspose2d`."""
        weight, bias = self.filters()
        plain = nn.ConvTranspose2d(
            weight.shape[1], weight.shape[0], self.kernel_size, self.stride, self.padding, bias=bias is not None
        ).to(weight)
        plain.weight.copy_(weight.transpose(0, 1))
        if plain.bias is not None and bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)


def check_group(group: PointGroup) -> None:
    """Refuse anything but a point group, with the way to get one."""
    if not isinstance(group, PointGroup):
        raise TypeError(f"group must be a PointGroup such as D(4) (got {group!r}): PointGroup.parse reads text")
