"""A convolution with rotated copies of its kernels: one kernel, n orientations."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from equisym.groups import C
from equisym.nn.arguments import Whole, count
from equisym.nn.expanded_conv import ConvOptions
from equisym.nn.group_conv import LiftConv2d

REDUCTIONS = ("none", "max", "mean")


class RotatingConv2d(LiftConv2d):
    r"""Convolution with every kernel in n orientations; keeps all responses, their maximum or their mean.

    .. math:: y_r = R_r K \star x, \ r < n, \qquad y = \max_r y_r \text{ or } \tfrac1n \textstyle\sum_r y_r

    R_r rotates the kernel K by r 360/``rotations`` degrees. Unreduced it is the lifting convolution on C_n. Reduced,
    the output rotates with the input like an image and can be followed by any layer; but the maximum discards the
    relative orientation of neighbouring features, so a stack of such layers cannot distinguish a pattern from one with
    the same parts individually rotated. With one rotation it is :class:`torch.nn.Conv2d`. Exact for 1, 2 and 4
    rotations; for other numbers the kernels are band-limited and the error is measured in the documentation.

    Args:
        in_channels: channels of the input.
        out_channels: learned kernels.
        kernel_size: side of the kernel; even only for 1, 2 and 4 rotations.
        rotations: n, the number of orientations.
        reduce: ``"none"``, ``"max"`` or ``"mean"``.
        options: ``stride``, ``padding``, ``dilation``, ``groups``, ``padding_mode``, ``bias``, ``device`` and
            ``dtype``, as :class:`LiftConv2d` takes them.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H', W')``, or ``(B, out_channels * rotations, H', W')`` with
        the orientation fastest if not reduced.

    Raises:
        ValueError: at construction for kernels that cannot be rotated so or an unknown reduction; at the call for a
            wrong number of channels.

    >>> import torch
    >>> RotatingConv2d(1, 8, 3, rotations=4, reduce="max", padding=1)(torch.zeros(2, 1, 9, 9)).shape
    torch.Size([2, 8, 9, 9])

    Source: after Shin & Yun, Rotating-kernel convolution (2019), in our definition.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        rotations: int,
        reduce: str = "none",
        **options: Unpack[ConvOptions],
    ) -> None:
        if reduce not in REDUCTIONS:
            raise ValueError(f"reduce must be one of {', '.join(REDUCTIONS)} (got {reduce!r})")
        group = C(count("rotations", rotations))
        super().__init__(in_channels, out_channels, kernel_size, group=group, **options)
        self.rotations, self.reduce = rotations, reduce

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the plain convolution's output."""
        return self.in_channels, self.out_channels * (1 if self.reduce == "mean" else self.rotations)

    def filters(self, *, channels_last: bool = False) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution; the mean response is the response of the mean kernel."""
        weight, bias = super().filters(channels_last=channels_last)
        if self.reduce == "mean":
            return weight.unflatten(0, (-1, self.rotations)).mean(1), self.bias
        return weight, bias

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y.unflatten(-3, (-1, self.rotations)).amax(-3) if self.reduce == "max" else y

    def to_plain(self) -> nn.Module:
        """The same function from torch.nn parts: a convolution, and a pooling over the orientations if reduced."""
        plain = super().to_plain()
        if self.reduce != "max":
            return plain
        fields = nn.Unflatten(1, (self.out_channels, self.rotations))
        pool = nn.MaxPool3d((self.rotations, 1, 1))
        return nn.Sequential(plain, fields, pool, nn.Flatten(1, 2)).train(self.training)

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        text = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, rotations={self.rotations}"
        return text + (f", reduce={self.reduce!r}" if self.reduce != "none" else "")
