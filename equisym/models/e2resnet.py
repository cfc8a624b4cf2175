"""Residual networks on regular fields: invariant classifiers of images, for any point group."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from equisym.groups import PointGroup
from equisym.models.registry import register
from equisym.nn import GroupBatchNorm2d, GroupPool2d, GroupResidualBlock, LiftConv2d


class E2ResNet(nn.Module):
    r"""A residual network whose answer does not change when the image is turned or flipped by a group element.

    .. math:: \Phi(g f) = \Phi(f) \quad\text{for all } g \text{ in the group}

    exactly for n dividing 4 and input sizes of 1 modulo ``size_step``; a first call at another size warns.

    Args:
        group: the point group.
        width: regular fields of the first stage; each further stage doubles it.
        blocks: residual blocks of each stage; every stage but the first halves the resolution.
        stem_kernel: side of the lifting kernel, odd; it halves the resolution.
        stem_pool: whether a 3x3 maximum halves the resolution once more.
        num_classes: size of the answer.
        in_channels: channels of the image.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    def __init__(
        self,
        *,
        group: PointGroup,
        width: int,
        blocks: Sequence[int],
        stem_kernel: int,
        stem_pool: bool,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.group = group
        self.size_step = 2 ** (len(blocks) + stem_pool)
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),  # brightness and contrast of an image say nothing about its symmetry
            LiftConv2d(in_channels, width, stem_kernel, group=group, stride=2, padding=stem_kernel // 2, bias=False),
            GroupBatchNorm2d(width, group=group),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1) if stem_pool else nn.Identity(),
        )
        stages, fields = [], width
        for stage, count in enumerate(blocks):
            for block in range(count):
                out = width * 2**stage
                stride = 2 if stage and block == 0 else 1
                stages.append(GroupResidualBlock(fields, out, group=group, stride=stride))
                fields = out
        self.stages = nn.Sequential(*stages)
        self.pool = GroupPool2d(group=group)
        self.head = nn.Linear(2 * fields, num_classes)
        self._told = False
        self.register_forward_pre_hook(_tell_inexact_size)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.pool(self.stages(self.stem(x)))
        # How much of a feature there is, and whether there is any: one 6-fold axis in the image is evidence enough.
        return self.head(torch.cat([maps.mean((-2, -1)), maps.amax((-2, -1))], 1))

    def nearest_exact_size(self, size: int) -> int:
        """The input size nearest to ``size`` at which the invariance is exact.

        >>> from equisym.models import build
        >>> build("e2resnet18", width=2).nearest_exact_size(224)
        225
        """
        step = self.size_step if self.group.order > 1 else 1
        return max(1, round((size - 1) / step)) * step + 1

    def to_plain(self) -> fx.GraphModule:
        """The same function from torch.nn parts alone; running it, or unpickling it, needs no equisym."""
        import copy

        plain = copy.deepcopy(self)
        for name, module in list(plain.named_modules()):
            convert = getattr(module, "to_plain", None)
            if name and convert is not None:
                plain.set_submodule(name, convert())
        return fx.symbolic_trace(plain)


def _tell_inexact_size(model: nn.Module, args: tuple[Tensor, ...]) -> None:
    if not isinstance(model, E2ResNet) or model._told or torch.compiler.is_compiling():
        return
    height, width = args[0].shape[-2:]
    nearest = model.nearest_exact_size(height), model.nearest_exact_size(width)
    if nearest != (height, width):
        model._told = True
        warnings.warn(
            f"input of {height} x {width} pixels is not exact for {model.group}: strided stages sample off centre and "
            f"the answer changes slightly when the image is turned; the nearest exact size is "
            f"{nearest[0]} x {nearest[1]}",
            stacklevel=3,
        )


def _parse(group: PointGroup | str) -> PointGroup:
    return PointGroup.parse(group) if isinstance(group, str) else group


@register
def e2resnet(
    *, num_classes: int = 17, in_channels: int = 1, group: PointGroup | str = "D4", width: int = 8
) -> E2ResNet:
    """A small one for two CPU cores: three stages of one block, 5x5 stem, exact at 65, 97, 129 ..."""
    return E2ResNet(
        group=_parse(group),
        width=width,
        blocks=(1, 1, 1),
        stem_kernel=5,
        stem_pool=False,
        num_classes=num_classes,
        in_channels=in_channels,
    )


@register
def e2resnet18(
    *, num_classes: int = 17, in_channels: int = 1, group: PointGroup | str = "D4", width: int = 22
) -> E2ResNet:
    """ResNet18's plan on regular fields: four stages of two blocks, 7x7 stem with pooling, exact at 65, 129, 225."""
    return E2ResNet(
        group=_parse(group),
        width=width,
        blocks=(2, 2, 2, 2),
        stem_kernel=7,
        stem_pool=True,
        num_classes=num_classes,
        in_channels=in_channels,
    )
