"""A convolution whose kernels turn: one kernel, n orientations."""

from __future__ import annotations

import torch
from torch import Tensor

from equisym.groups import C
from equisym.nn.group_conv import _RegularConv2d

REDUCTIONS = ("none", "max", "mean")


class RotatingConv2d(_RegularConv2d):
    r"""Convolution with every kernel in n orientations, and the answers kept, or reduced to their greatest or mean.

    .. math:: y_r = R_r K \star x, \ r < n, \qquad y = \max_r y_r \text{ or } \tfrac1n \textstyle\sum_r y_r

    R_r turns the kernel K by r 360/``rotations`` degrees. Unreduced it is the lifting convolution on C_n. Reduced, the
    output turns with the input as an image does, and stacks with any layer; but the maximum forgets by how much
    neighbouring features are turned against each other, so a stack of such layers cannot tell a pattern from the same
    parts turned one by one. With one rotation it is :class:`torch.nn.Conv2d`. Exact for 1, 2 and 4 rotations; for other
    numbers the kernels are band-limited and the error is measured in the documentation.

    Args:
        in_channels: channels of the input.
        out_channels: learned kernels.
        kernel_size: side of the kernel, odd unless there is one rotation.
        rotations: n, the number of orientations.
        reduce: ``"none"``, ``"max"`` or ``"mean"``.
        stride: step; 2 keeps the symmetry when the padded size minus the kernel is even.
        padding: zeros added on each side.
        bias: whether to add one learned number per kernel.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H', W')``, or ``(B, out_channels * rotations, H', W')`` with
        the orientation fastest if not reduced.

    Raises:
        ValueError: at construction for even kernels or an unknown reduction; at the call for wrong channels.

    >>> RotatingConv2d(1, 8, 3, rotations=4, reduce="max", padding=1)(torch.zeros(2, 1, 9, 9)).shape
    torch.Size([2, 8, 9, 9])

    Source: after Shin & Yun, Rotating-kernel convolution (2019), in our definition.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        rotations: int,
        reduce: str = "none",
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        if reduce not in REDUCTIONS:
            raise ValueError(f"reduce must be one of {', '.join(REDUCTIONS)} (got {reduce!r})")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            group=C(rotations),
            stride=stride,
            padding=padding,
            bias=bias,
            lifting=True,
        )
        self.rotations, self.reduce = rotations, reduce

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution; the mean of answers is one answer of the mean kernel."""
        weight, bias = super().filters()
        if self.reduce == "mean":
            return weight.unflatten(0, (-1, self.rotations)).mean(1), self.bias
        return weight, bias

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y.unflatten(1, (-1, self.rotations)).amax(2) if self.reduce == "max" else y

    def to_plain(self) -> torch.nn.Module:
        """The same function from torch.nn parts: a convolution, and a pooling over the orientations if reduced."""
        plain = super().to_plain()
        if self.reduce != "max":
            return plain
        fields = torch.nn.Unflatten(1, (self.out_channels, self.rotations))
        pool = torch.nn.MaxPool3d((self.rotations, 1, 1))
        return torch.nn.Sequential(plain, fields, pool, torch.nn.Flatten(1, 2)).train(self.training)

    def extra_repr(self) -> str:
        text = super().extra_repr().replace(f"group={self.group!r}", f"rotations={self.rotations}")
        return text + (f", reduce={self.reduce!r}" if self.reduce != "none" else "")
