"""Wide residual networks on fields: few layers, many fields, no early loss of resolution."""

from __future__ import annotations

from typing import Unpack

from torch import nn

from equisym.groups import PointGroup
from equisym.models.blocks import WideBlock
from equisym.models.field_classifier import FieldClassifier, HeadOptions, even_layout
from equisym.models.registry import register
from equisym.models.sharing import Sharing, parse_group
from equisym.nn.arguments import count


class E2WideResNet(FieldClassifier):
    """Three stages of pre-activation blocks after a 3x3 stem at full resolution; exact at sizes of 1 modulo 4.

    The defaults have as many parameters over D4 as a plain WRN-16-4.

    Args:
        group: the point group, or its name.
        conv: how weights are shared, a kind of :class:`Sharing`.
        width: fields of the first stage; each further stage doubles it.
        depth: layers, 6 n + 4 for n blocks a stage.
        in_channels: channels of the image.
        pool: how fields are pooled before the head, ``"max"`` or ``"correlation"``, of :class:`FieldClassifier`.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.
        exact_at: an input size at which the invariance is to be exact: multiples of 4 choose even kernels in strided
            layers.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Raises:
        ValueError: for a depth that is not 6 n + 4.

    Source: Zagoruyko & Komodakis, Wide Residual Networks (2016), table 1.
    """

    def __init__(
        self,
        *,
        group: PointGroup | str = "D4",
        width: int = 22,
        depth: int = 16,
        conv: str = "regular",
        pool: str = "max",
        exact_at: int | None = None,
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        width, sharing = count("width", width), Sharing.of(conv, parse_group(group))
        even = even_layout(exact_at, 4, sharing)
        super().__init__(sharing.invariance, 4, rest=0 if even else 1)
        blocks, rest = divmod(count("depth", depth) - 4, 6)
        if rest or blocks < 1:
            raise ValueError(f"depth must be 6 n + 4 (got {depth}): use 10, 16, 22 or 28")
        self.stem = nn.Sequential(nn.InstanceNorm2d(in_channels), sharing.lift(in_channels, width, 3))
        stages, fields = [], width
        for stage in range(3):
            for block in range(blocks):
                out = width * 2**stage
                stages.append(WideBlock(sharing, fields, out, 2 if stage and block == 0 else 1, even=even))
                fields = out
        self.stages = nn.Sequential(nn.Sequential(*stages, sharing.norm(fields), nn.ReLU(inplace=True)))
        self.finish(sharing, [fields], pool=pool, **head)


register(E2WideResNet, "e2wideresnet")
