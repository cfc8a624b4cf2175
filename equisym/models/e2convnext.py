"""ConvNeXt on fields: depthwise group convolutions between linear layers on features that stay in irreps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.models.e2vit import IsotypicMlp
from equisym.models.field_classifier import HeadOptions
from equisym.models.irrep_classifier import IrrepClassifier
from equisym.models.registry import register
from equisym.models.stages import Block, after_stages
from equisym.nn import (
    GroupConv2d,
    GroupDepthwiseConv2d,
    IsotypicNorm,
    IsotypicTransform,
    LiftConv2d,
)
from equisym.nn.arguments import counts


class ConvNeXtBlock(Block):
    r"""A 7x7 depthwise convolution of regular fields, then norm, linear layers and GELU in irreps, beside a shortcut.

    .. math:: y = f + \gamma\, Q\, M(n(Q^\top (\psi \star f)))

    Args:
        fields: regular fields of input and output.
        group: the point group.

    Shape:
        ``(B, fields * order, H, W)`` -> the same, best in channels_last.

    Source: Liu et al., A ConvNet for the 2020s (2022), figure 4.
    """

    def __init__(self, fields: int, *, group: PointGroup) -> None:
        super().__init__()
        self.order = group.order
        self.depthwise = GroupDepthwiseConv2d(fields, 7, group=group, padding=3)
        self.to_irreps, self.norm = IsotypicTransform(group=group), IsotypicNorm(fields, group=group)
        self.mlp, self.to_fields = IsotypicMlp(fields, group=group), IsotypicTransform(group=group, inverse=True)
        self.scale = nn.Parameter(torch.full((fields,), 1e-2))

    def compute(self, x: Tensor) -> Tensor:
        y = self.to_irreps(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.mlp(self.norm(y))
        y = y * self.scale.repeat(self.order).to(y.dtype)  # alike for all components, so before they become elements
        return x + self.to_fields(y).permute(0, 3, 1, 2)


class FieldNorm(nn.Module):
    """:class:`equisym.nn.IsotypicNorm` of maps of regular fields: one mean square for each pixel."""

    def __init__(self, fields: int, *, group: PointGroup) -> None:
        super().__init__()
        self.to_irreps, self.norm = IsotypicTransform(group=group), IsotypicNorm(fields, group=group)
        self.to_fields = IsotypicTransform(group=group, inverse=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.to_fields(self.norm(self.to_irreps(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


class E2ConvNeXt(IrrepClassifier):
    """ConvNeXt whose answer does not change when the image is turned or flipped by a group element.

    The stem and the steps between stages have even kernels, 4x4 and 2x2, as in the original, which turn about the
    corner of four pixels: exact at multiples of ``4 * 2 ** (stages - 1)``, 64, 224 and 256 among them.

    The defaults are a small one, 192 wide at the end, exact at multiples of 16; ConvNeXt-T has width (12, 24, 48, 96)
    and depths (3, 3, 9, 3).

    Args:
        group: C_n or D_n with n dividing 4, or its name.
        width: regular fields of each stage.
        depths: blocks of each stage.
        in_channels: channels of the image.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Raises:
        ValueError: for a group that leaves the pixel grid.

    Source: Liu et al., A ConvNet for the 2020s (2022), with the linear layers of Bökman et al. (2025).
    """

    def __init__(
        self,
        *,
        group: PointGroup | str = "D4",
        width: Sequence[int] = (6, 12, 24),
        depths: Sequence[int] = (2, 2, 2),
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        width, depths = counts("width", width), counts("depths", depths)
        if len(width) != len(depths):
            raise ValueError(f"width and depths must have a number for each stage (got {width} and {depths})")
        super().__init__(group, 4 * 2 ** (len(width) - 1))
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),
            LiftConv2d(in_channels, width[0], 4, group=self.group, stride=4),
            FieldNorm(width[0], group=self.group),
        )
        stages: list[nn.Module] = []
        self.ends: list[int] = []
        for stage, (fields, depth) in enumerate(zip(width, depths, strict=True)):
            if stage:
                before = width[stage - 1]
                stages.append(FieldNorm(before, group=self.group))
                stages.append(GroupConv2d(before, fields, 2, group=self.group, stride=2))
            stages += [ConvNeXtBlock(fields, group=self.group) for _ in range(depth)]
            self.ends.append(len(stages) - 1)
        self.stages = nn.Sequential(*stages)
        self.transform = IsotypicTransform(group=self.group)
        self.finish(width[-1], **head)

    @property
    def stage_count(self) -> int:
        """Number of stages."""
        return len(self.ends)

    def after_stages(self, x: Tensor) -> Iterator[Tensor]:
        """Maps after each stage: ``(B, width[i] * order, H', W')``."""
        return after_stages(self.stages, self.ends, self.stem(x))

    def pooled(self, features: Tensor) -> Tensor:
        """The normalised mean over the pixels."""
        return self.norm(self.transform(features.mean((-2, -1))))


register(E2ConvNeXt, "e2convnext")
