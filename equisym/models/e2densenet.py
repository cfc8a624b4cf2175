"""Densely connected networks on fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import nn

from equisym.groups import PointGroup
from equisym.models.blocks import DenseLayer
from equisym.models.field_classifier import FieldClassifier, HeadOptions
from equisym.models.registry import register
from equisym.models.sharing import Sharing, parse_group
from equisym.nn.arguments import count, counts


class E2DenseNet(FieldClassifier):
    """Blocks of layers that each add ``growth`` fields; between blocks fields and resolution are halved.

    The 3x3 mean that halves the resolution keeps the corners of odd sizes, where a 2x2 mean would lose them; exact at
    sizes of 1 modulo ``2 ** (number of blocks + 1)``. The defaults are DenseNet121's plan, over D4 with
    growth 12 about as many parameters.

    Args:
        group: the point group, or its name.
        conv: how weights are shared, a kind of :class:`Sharing`.
        growth: fields that a layer adds; the stem has twice as many.
        layers: dense layers of each block.
        in_channels: channels of the image.
        pool: how fields are pooled before the head, ``"max"`` or ``"correlation"``, of :class:`FieldClassifier`.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Source: Huang et al., Densely Connected Convolutional Networks (2017), table 1.
    """

    def __init__(
        self,
        *,
        group: PointGroup | str = "D4",
        growth: int = 12,
        layers: Sequence[int] = (6, 12, 24, 16),
        conv: str = "regular",
        pool: str = "max",
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        growth, layers, sharing = (
            count("growth", growth),
            counts("layers", layers),
            Sharing.of(conv, parse_group(group)),
        )
        super().__init__(sharing.invariance, 2 ** (len(layers) + 1))
        fields = 2 * growth
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),
            sharing.lift(in_channels, fields, 7, stride=2),
            sharing.norm(fields),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        stages: list[nn.Module] = []
        for block, number in enumerate(layers):
            if block:
                stages += [sharing.norm(fields), nn.ReLU(), sharing.conv(fields, fields // 2, 1)]
                stages.append(nn.AvgPool2d(3, 2, 1, count_include_pad=False))
                fields //= 2
            for _ in range(number):
                stages.append(DenseLayer(sharing, fields, growth))
                fields += growth
        self.stages = nn.Sequential(nn.Sequential(*stages, sharing.norm(fields), nn.ReLU(inplace=True)))
        self.finish(sharing, [fields], pool=pool, **head)


register(E2DenseNet, "e2densenet")
