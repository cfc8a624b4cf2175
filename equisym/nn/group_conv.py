"""Regular group convolutions: from an image to regular fields, and from regular fields to regular fields."""

from __future__ import annotations

import math
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import Whole, check_group, count, whole
from equisym.nn.expanded_conv import ConvOptions, ExpandedConv2d, PaddingMode, is_channels_last
from equisym.nn.input_transform_conv import convolve_turned, turning_is_cheaper
from equisym.nn.kernel import GroupKernel


class RegularConv2d(ExpandedConv2d):
    """What lifting, group and transposed group convolutions share: weights and bias counted in fields."""

    lifting: ClassVar[bool] = False
    gain: ClassVar[float] = math.sqrt(2)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        group: PointGroup,
        stride: Whole = 1,
        padding: Whole | str = 0,
        dilation: Whole = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
        basis: str | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        check_group(group)
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)
        if in_channels % self.groups or out_channels % self.groups:
            raise ValueError(f"groups must divide the fields, {in_channels} in and {out_channels} out (got {groups})")
        self.group, self.basis = group, basis
        options = {"lifting": self.lifting, "basis": basis, "device": device, "dtype": dtype}
        self.kernel = GroupKernel(self.kernel_size, group, **options)
        shape = (out_channels, in_channels // self.groups, *self.kernel.weight_shape)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew (He initialisation of the expanded filters) and set the bias to zero."""
        self.kernel.initialise(self.weight, gain=self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the plain convolution's output."""
        return self.in_channels * (1 if self.lifting else self.group.order), self.out_channels * self.group.order

    def what_comes(self) -> str:
        """What the channels of the input are, for messages."""
        return "an image" if self.lifting else f"{self.in_channels} fields of {self.group}"

    def filters(self, *, channels_last: bool = False) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution that this layer performs."""
        bias = None if self.bias is None else self.bias.repeat_interleave(self.group.order)
        return self.kernel(self.weight, channels_last=channels_last), bias

    def filters_for(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The filters in the layout that suits an input."""
        return self.filters(channels_last=self.channels_last or is_channels_last(x))

    def call(self) -> str:
        """The sizes and the group with which the layer was made."""
        text = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, group={self.group!r}"
        return text if self.basis is None else f"{text}, basis={self.basis!r}"


class LiftConv2d(RegularConv2d):
    r"""Lifting convolution: an image in, one response for each group element out.

    .. math:: (f \star \psi)(g, x) = \sum_{i}\sum_{y} f_i(y)\, \psi_i(g^{-1}(y - x))

    f has ``in_channels`` channels, g runs over ``group`` and psi is one of ``out_channels`` learned kernels of side
    ``kernel_size``; turning the input by h moves the response from (g, x) to (h g, h x). Exact for n dividing 4;
    for other n the error is measured in the documentation.

    Args:
        in_channels: channels of the image.
        out_channels: regular fields of the output; the tensor has ``out_channels * group.order`` channels.
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group, such as ``D(4)``.
        stride: step; it keeps the symmetry where it divides the padded size less the kernel's extent.
        padding: pixels added on each side, or ``"same"`` or ``"valid"``.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts of input and output that are connected only to each other.
        padding_mode: what is added: ``"zeros"``, ``"circular"`` (periodic images), ``"reflect"`` or ``"replicate"``.
        basis: what the free weights are: ``"steerable"``, coefficients of band-limited kernels sorted by the group's
            irreps, from which Adam learns most; ``"circular"``, coefficients of the same kernels by waves on rings; or
            ``"pixels"``, one for each pixel of any kernel, where n divides 4.
        bias: whether to add one learned number per field.
        device: where to make the weights.
        dtype: of the weights.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for kernels that the group cannot turn, at the call for a wrong number of channels.

    >>> from equisym.groups import D
    >>> LiftConv2d(1, 8, 3, group=D(4), padding=1)(torch.zeros(2, 1, 9, 9)).shape
    torch.Size([2, 64, 9, 9])

    Source: Cohen & Welling, Group Equivariant Convolutional Networks (2016), equation 10.
    """

    lifting = True


class GroupConv2d(RegularConv2d):
    r"""Group convolution: regular fields in, regular fields out.

    .. math:: (f \star \psi)(g, x) = \sum_{i}\sum_{h}\sum_{y} f_i(h, y)\, \psi_i(g^{-1}h, g^{-1}(y - x))

    f has ``in_channels`` regular fields of ``group``, h and g run over its elements, and psi is one of ``out_channels``
    learned kernels on the group.

    Args:
        in_channels: regular fields of the input, which has ``in_channels * group.order`` channels.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group of both.
        stride: step; it keeps the symmetry where it divides the padded size less the kernel's extent.
        padding: pixels added on each side, or ``"same"`` or ``"valid"``.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts of input and output that are connected only to each other.
        padding_mode: what is added: ``"zeros"``, ``"circular"`` (periodic images), ``"reflect"`` or ``"replicate"``.
        basis: what the free weights are: ``"steerable"``, coefficients of band-limited kernels sorted by the group's
            irreps, from which Adam learns most; ``"circular"``, coefficients of the same kernels by waves on rings; or
            ``"pixels"``, one for each pixel of any kernel, where n divides 4.
        bias: whether to add one learned number per field.
        device: where to make the weights.
        dtype: of the weights.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')``, the group element fastest.

    Raises:
        ValueError: at construction for kernels that the group cannot turn, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> layer = GroupConv2d(2, 3, 3, group=C(4), padding=1)
    >>> layer(torch.zeros(1, 8, 9, 9)).shape, layer.weight.numel()
    (torch.Size([1, 12, 9, 9]), 144)

    Source: Cohen & Welling, Group Equivariant Convolutional Networks (2016), equation 11.
    """

    def forward(self, x: Tensor) -> Tensor:
        self.check_channels(x)
        plan = {"group": self.group, "kernel_size": self.kernel_size, "stride": self.stride, "dilation": self.dilation}
        if (
            self.kernel.exact
            and not self.channels_last
            and turning_is_cheaper(x, self.weight, padding=self.padding, **plan)
        ):
            x, padding = self.pad(x)
            plan |= {"sources": self.kernel.products, "groups": self.groups, "padding": padding}
            return convolve_turned(x, self.kernel.pixel_weights(self.weight), self.bias, **plan)
        return super().forward(x)


class GroupConvTranspose2d(RegularConv2d):
    r"""Transposed group convolution: the output grid is ``stride`` times finer.

    .. math:: y(g, x) = \sum_{i}\sum_{h}\sum_{z} \psi_i(g^{-1}h, g^{-1}(x - s\,z))\, f_i(h, z)

    f has ``in_channels`` regular fields of ``group``, h and g run over its elements, s is ``stride`` and psi one of
    ``out_channels`` learned kernels on the group.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group of both.
        stride: refinement of the grid.
        padding: rows and columns cut from each side of the full output.
        output_padding: rows and columns added at the bottom and at the right only, which breaks the symmetry; for maps
            of exactly ``stride`` times the size take an even kernel of ``stride + 2 * padding`` pixels instead.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts of input and output that are connected only to each other.
        bias: whether to add one learned number per field.
        device: where to make the weights.
        dtype: of the weights.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')`` with
        H' = (H - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1.

    Raises:
        ValueError: at construction for kernels that the group cannot turn, at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> layer = GroupConvTranspose2d(2, 3, 3, group=C(4), stride=2, padding=1)
    >>> layer(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 12, 9, 9])
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        group: PointGroup,
        output_padding: Whole = 0,
        **options: Unpack[ConvOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, group=group, **options)
        self.output_padding = whole("output_padding", output_padding, 0)
