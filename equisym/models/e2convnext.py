"""ConvNeXt on fields: depthwise group convolutions between linear layers on features that stay in irreps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.models.e2vit import IsotypicMlp
from equisym.models.field_classifier import Classifier
from equisym.models.registry import register
from equisym.models.sharing import parse_group
from equisym.nn import (
    GroupConv2d,
    GroupDepthwiseConv2d,
    IsotypicInvariants,
    IsotypicNorm,
    IsotypicTransform,
    LiftConv2d,
)


class ConvNeXtBlock(nn.Module):
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

    def forward(self, x: Tensor) -> Tensor:
        y = self.to_irreps(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.to_fields(self.mlp(self.norm(y))).permute(0, 3, 1, 2)
        scale = self.scale.repeat_interleave(self.order).unsqueeze(-1).unsqueeze(-1)
        return torch.addcmul(x, y.to(x.dtype), scale.to(x.dtype))


class FieldNorm(nn.Module):
    """:class:`equisym.nn.IsotypicNorm` of maps of regular fields: one mean square for each pixel."""

    def __init__(self, fields: int, *, group: PointGroup) -> None:
        super().__init__()
        self.to_irreps, self.norm = IsotypicTransform(group=group), IsotypicNorm(fields, group=group)
        self.to_fields = IsotypicTransform(group=group, inverse=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.to_fields(self.norm(self.to_irreps(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


class E2ConvNeXt(Classifier):
    """ConvNeXt whose answer does not change when the image is turned or flipped by a group element.

    The stem and the steps between stages have even kernels, 4x4 and 2x2, as in the original, which turn about the
    corner of four pixels: exact at multiples of ``4 * 2 ** (stages - 1)``, 64, 224 and 256 among them.

    Args:
        group: C_n or D_n with n dividing 4.
        fields: regular fields of each stage.
        depths: blocks of each stage.
        num_classes: size of the answer.
        in_channels: channels of the image.
        dropout: probability of dropping a pooled feature in training.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Raises:
        ValueError: for a group that leaves the pixel grid.

    Source: Liu et al., A ConvNet for the 2020s (2022), with the linear layers of Bökman et al. (2025).
    """

    def __init__(
        self,
        *,
        group: PointGroup,
        fields: Sequence[int],
        depths: Sequence[int],
        num_classes: int,
        in_channels: int,
        dropout: float = 0.0,
    ) -> None:
        if not group.exact_on_grid:
            raise ValueError(f"group must keep the pixel grid, n in 1, 2, 4 (got {group})")
        super().__init__(group, 4 * 2 ** (len(fields) - 1), rest=0)
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),
            LiftConv2d(in_channels, fields[0], 4, group=group, stride=4),
            FieldNorm(fields[0], group=group),
        )
        stages: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(fields, depths, strict=True)):
            if stage:
                before = fields[stage - 1]
                stages += [FieldNorm(before, group=group), GroupConv2d(before, width, 2, group=group, stride=2)]
            stages += [ConvNeXtBlock(width, group=group) for _ in range(depth)]
        self.stages = nn.Sequential(*stages)
        self.transform, self.norm = IsotypicTransform(group=group), IsotypicNorm(fields[-1], group=group)
        self.invariants = IsotypicInvariants(fields[-1], group=group)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(self.invariants.out_features, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps after the last stage: ``(B, fields * order, H', W')``."""
        return self.stages(self.stem(x))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of maps, or the invariant features before the linear layer."""
        pooled = self.norm(self.transform(maps.mean((-2, -1))))
        pooled = self.dropout(self.invariants(pooled))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


@register
def e2convnext(
    *,
    num_classes: int = 17,
    in_channels: int = 1,
    group: PointGroup | str = "D4",
    width: Sequence[int] = (6, 12, 24),
    depths: Sequence[int] = (2, 2, 2),
    dropout: float = 0.0,
) -> E2ConvNeXt:
    """A small one, 192 wide at the end, exact at multiples of 16; ConvNeXt-T has (12, 24, 48, 96) and (3, 3, 9, 3)."""
    return E2ConvNeXt(
        group=parse_group(group),
        fields=width,
        depths=depths,
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
    )
