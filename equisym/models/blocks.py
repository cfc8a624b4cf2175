"""Building blocks on fields, of any sharing: basic, bottleneck and wide residual blocks, dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equisym.models.sharing import Sharing
from equisym.models.stages import Block


class ResidualBlock(Block):
    r"""Two 3x3 convolutions with norms and a shortcut: :math:`y = relu(n_2 c_2 relu(n_1 c_1 f) + s f)`.

    Args:
        sharing: kind of the layers.
        in_fields: fields of the input.
        out_fields: fields of the output.
        stride: of the first convolution and the shortcut; 2 is exact at odd sizes.
        even: whether strided layers have even kernels, 4x4 and 2x2, which are exact at even sizes.

    Source: He et al., Deep Residual Learning (2016), figure 5 left.
    """

    expansion = 1

    def __init__(
        self, sharing: Sharing, in_fields: int, out_fields: int, stride: int = 1, *, even: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = sharing.conv(in_fields, out_fields, _kernel(stride, even), stride=stride)
        self.norm1 = sharing.norm(out_fields)
        self.conv2 = sharing.conv(out_fields, out_fields, 3)
        self.norm2 = sharing.norm(out_fields)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(sharing, in_fields, out_fields, stride, even)

    def compute(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class BottleneckBlock(Block):
    """A 3x3 convolution between two 1x1 ones that narrow and widen by 4, with norms and a shortcut.

    The arguments are those of :class:`ResidualBlock`: ``out_fields`` counts the narrow part, the output has 4 times as
    many, and ``stride`` is that of the 3x3 convolution.

    Source: He et al., Deep Residual Learning (2016), figure 5 right.
    """

    expansion = 4

    def __init__(
        self, sharing: Sharing, in_fields: int, out_fields: int, stride: int = 1, *, even: bool = False
    ) -> None:
        super().__init__()
        wide = self.expansion * out_fields
        self.conv1, self.norm1 = sharing.conv(in_fields, out_fields, 1), sharing.norm(out_fields)
        self.conv2 = sharing.conv(out_fields, out_fields, _kernel(stride, even), stride=stride)
        self.norm2 = sharing.norm(out_fields)
        self.conv3, self.norm3 = sharing.conv(out_fields, wide, 1), sharing.norm(wide)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(sharing, in_fields, wide, stride, even)

    def compute(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.relu(self.norm2(self.conv2(y)))
        return self.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


class WideBlock(Block):
    """Norm and non-linearity before each of two 3x3 convolutions, with a plain shortcut.

    The arguments are those of :class:`ResidualBlock`.

    Source: Zagoruyko & Komodakis, Wide Residual Networks (2016), figure 1c.
    """

    def __init__(
        self, sharing: Sharing, in_fields: int, out_fields: int, stride: int = 1, *, even: bool = False
    ) -> None:
        super().__init__()
        self.norm1 = sharing.norm(in_fields)
        self.conv1 = sharing.conv(in_fields, out_fields, _kernel(stride, even), stride=stride)
        self.norm2, self.conv2 = sharing.norm(out_fields), sharing.conv(out_fields, out_fields, 3)
        self.relu = nn.ReLU()
        same = stride == 1 and in_fields == out_fields
        self.shortcut = (
            nn.Identity() if same else sharing.conv(in_fields, out_fields, _side(stride, even), stride=stride)
        )

    def compute(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu(self.norm1(x)))
        return self.conv2(self.relu(self.norm2(y))) + self.shortcut(x)


class DenseLayer(Block):
    """Appends ``growth`` new fields to its input: 1x1 then 3x3 convolution, norms first.

    Args:
        sharing: kind of the layers.
        in_fields: fields of the input.
        growth: fields added; the 1x1 convolution has 4 times as many.

    Source: Huang et al., Densely Connected Convolutional Networks (2017), section 3.
    """

    def __init__(self, sharing: Sharing, in_fields: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = sharing.norm(in_fields), sharing.conv(in_fields, 4 * growth, 1)
        self.norm2, self.conv2 = sharing.norm(4 * growth), sharing.conv(4 * growth, growth, 3)
        self.relu = nn.ReLU()

    def compute(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(self.relu(self.norm2(y)))], 1)


def _shortcut(sharing: Sharing, in_fields: int, out_fields: int, stride: int, even: bool) -> nn.Module:
    if stride == 1 and in_fields == out_fields:
        return nn.Identity()
    side = _side(stride, even)
    return nn.Sequential(sharing.conv(in_fields, out_fields, side, stride=stride), sharing.norm(out_fields))


def _kernel(stride: int, even: bool) -> int:
    """Side of a main kernel: even sizes are halved symmetrically by even kernels only."""
    return 4 if even and stride > 1 else 3


def _side(stride: int, even: bool) -> int:
    """Side of a shortcut's kernel."""
    return 2 if even and stride > 1 else 1
