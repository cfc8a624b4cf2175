"""Vision transformer on features that stay in irreps: block-diagonal linear layers, equivariant at every layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.models.field_classifier import HeadOptions
from equisym.models.irrep_classifier import IrrepClassifier
from equisym.models.registry import register
from equisym.models.stages import Block, after_stages
from equisym.nn import (
    IsotypicLinear,
    IsotypicNonlinearity,
    IsotypicNorm,
    IsotypicTransform,
    LiftConv2d,
)
from equisym.nn.arguments import count


class IsotypicMlp(nn.Sequential):
    """Linear layer to ``ratio`` times the fields, GELU on the group, linear layer back."""

    def __init__(self, fields: int, *, group: PointGroup, ratio: int = 4) -> None:
        super().__init__(
            IsotypicLinear(fields, ratio * fields, group=group),
            IsotypicNonlinearity(group=group),
            IsotypicLinear(ratio * fields, fields, group=group),
        )


class IsotypicAttention(nn.Module):
    r"""Self-attention of tokens whose features are irreps of a group.

    .. math:: y_t = W \sum_s \operatorname{softmax}_s\!\left(\langle q_t, k_s\rangle / \sqrt d\right) v_s

    q, k and v are equivariant linear maps of the tokens. The products run over whole fields, which the group turns by
    orthogonal matrices, so that the weights are invariant and y turns as v does.

    Args:
        fields: regular fields of a token.
        heads: parts that the fields are split into.
        group: the point group.

    Shape:
        ``(B, T, fields * order)`` -> the same.
    """

    def __init__(self, fields: int, heads: int, *, group: PointGroup) -> None:
        super().__init__()
        if fields % count("heads", heads):
            raise ValueError(f"heads must divide the {fields} fields (got {heads})")
        self.heads, self.order = heads, group.order
        self.qkv = IsotypicLinear(fields, 3 * fields, group=group)
        self.proj = IsotypicLinear(fields, fields, group=group)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).unflatten(-1, (self.order, 3, self.heads, -1))  # (B, T, component, 3, head, field)
        q, k, v = parts.permute(3, 0, 4, 1, 2, 5).flatten(-2).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v).unflatten(-1, (self.order, -1))
        return self.proj(y.permute(0, 2, 3, 1, 4).flatten(2))


class TransformerBlock(Block):
    """Attention, then a two-layer network on each token, each after a norm and beside a shortcut."""

    def __init__(self, fields: int, heads: int, *, group: PointGroup) -> None:
        super().__init__()
        self.norm1, self.attention = IsotypicNorm(fields, group=group), IsotypicAttention(fields, heads, group=group)
        self.norm2, self.mlp = IsotypicNorm(fields, group=group), IsotypicMlp(fields, group=group)

    def compute(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PositionField(nn.Module):
    r"""A learned map of regular fields that the group leaves unchanged: :math:`p(g, x) = P(g^{-1} x)`.

    Args:
        fields: regular fields.
        side: of the map P; other sizes are interpolated, corners on corners.
        group: a group that keeps the pixel grid.

    Shape:
        Height and width -> ``(1, H, W, fields * order)`` with the element fastest.
    """

    def __init__(self, fields: int, side: int, *, group: PointGroup) -> None:
        super().__init__()
        self.group = group
        self.weight = nn.Parameter(torch.empty(fields, side, side))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, height: int, width: int) -> Tensor:
        n, turned = self.group.n, []
        for g in range(self.group.order):
            image = self.weight.flip(-1) if g >= n else self.weight
            turned.append(torch.rot90(image, int(self.group.quarter_turns(g)), (-2, -1)))
        whole = functional.interpolate(
            torch.stack(turned, 1).flatten(0, 1).unsqueeze(0), (height, width), mode="bilinear", align_corners=True
        )
        return whole.permute(0, 2, 3, 1)


class E2ViT(IrrepClassifier):
    r"""A vision transformer whose answer does not change when the image is turned or flipped by a group element.

    Patches are lifted to regular fields by one convolution with an even kernel, and stay in irreps from there on, where
    linear layers are block-diagonal: for D(4) 5.33 times fewer multiplications than dense ones of the same width. Exact
    at multiples of ``patch``.

    The defaults are a small one, 192 wide, for images of 64 pixels; ViT-B has width 96, depth 12, heads 12, patch 16
    and size 224.

    Args:
        group: C_n or D_n with n dividing 4, or its name.
        width: regular fields of a token, which has ``width * group.order`` numbers.
        depth: transformer blocks.
        heads: of each attention.
        patch: pixels of a side of a patch.
        size: image size that the learned positions are made for.
        in_channels: channels of the image.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Raises:
        ValueError: for a group that leaves the pixel grid.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words (2021), with the linear layers of Bökman et al. (2025).
    """

    def __init__(
        self,
        *,
        group: PointGroup | str = "D4",
        width: int = 24,
        depth: int = 6,
        heads: int = 3,
        patch: int = 8,
        size: int = 64,
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        width, depth, patch = count("width", width), count("depth", depth), count("patch", patch)
        super().__init__(group, patch)
        self.standardise = nn.InstanceNorm2d(in_channels)
        self.patches = LiftConv2d(in_channels, width, patch, group=self.group, stride=patch)
        self.position = PositionField(width, count("size", size, patch) // patch, group=self.group)
        self.transform = IsotypicTransform(group=self.group)
        self.to_fields = IsotypicTransform(group=self.group, inverse=True)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, group=self.group) for _ in range(depth)))
        self.finish(width, **head)

    @property
    def stage_count(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def after_stages(self, x: Tensor) -> Iterator[Tensor]:
        """Tokens after each block, in irreps: ``(B, tokens, width * order)``."""
        maps = self.patches(self.standardise(x)).permute(0, 2, 3, 1)
        tokens = self.transform(maps + self.position(maps.shape[1], maps.shape[2]).to(maps.dtype))
        return after_stages(self.blocks, range(len(self.blocks)), tokens.flatten(1, 2))

    def as_maps(self, features: Tensor, image: Tensor, *, norm: bool) -> Tensor:
        """Tokens as maps of regular fields."""
        tokens = self.to_fields(self.norm(features) if norm else features)
        return tokens.transpose(1, 2).unflatten(2, (image.shape[-2] // self.patches.stride, -1)).contiguous()

    def finished(self, features: Tensor) -> Tensor:
        """The tokens' norm."""
        return self.norm(features)

    def pooled(self, features: Tensor) -> Tensor:
        """The mean token."""
        return features.mean(1)


register(E2ViT, "e2vit")
