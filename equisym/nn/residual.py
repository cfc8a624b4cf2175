"""The basic residual block on regular fields."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import Place, Whole, whole
from equisym.nn.group_conv import GroupConv2d
from equisym.nn.normalisation import GroupBatchNorm2d


class GroupResidualBlock(nn.Module):
    r"""Two 3x3 group convolutions with field-wise norms and a shortcut.

    .. math:: y = \mathrm{relu}(n_2(c_2(\mathrm{relu}(n_1(c_1(f))))) + s(f))

    s is the identity, or a 1x1 group convolution with norm where the fields or the size change.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        group: the point group.
        stride: of the first convolution and the shortcut; 2 is exact at odd sizes.
        place: ``device`` and ``dtype`` of the weights.

    Shape:
        ``(B, in_channels * order, H, W)`` -> ``(B, out_channels * order, H', W')``

    >>> import torch
    >>> from equisym.groups import D
    >>> GroupResidualBlock(2, 4, group=D(4), stride=2)(torch.randn(1, 16, 9, 9)).shape
    torch.Size([1, 32, 5, 5])

    Source: He et al., Deep Residual Learning (2016), figure 5 left, with group convolutions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, group: PointGroup, stride: Whole = 1, **place: Unpack[Place]
    ) -> None:
        super().__init__()
        stride = whole("stride", stride)
        self.conv1 = GroupConv2d(
            in_channels, out_channels, 3, group=group, stride=stride, padding=1, bias=False, **place
        )
        self.norm1 = GroupBatchNorm2d(out_channels, group=group, **place)
        self.conv2 = GroupConv2d(out_channels, out_channels, 3, group=group, padding=1, bias=False, **place)
        self.norm2 = GroupBatchNorm2d(out_channels, group=group, **place)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                GroupConv2d(in_channels, out_channels, 1, group=group, stride=stride, bias=False, **place),
                GroupBatchNorm2d(out_channels, group=group, **place),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))
