"""Residual networks on fields of any point group: invariant classifiers of images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Unpack

from torch import nn

from equisym.groups import PointGroup
from equisym.models.blocks import BottleneckBlock, ResidualBlock
from equisym.models.field_classifier import FieldClassifier, HeadOptions, even_layout
from equisym.models.registry import register
from equisym.models.sharing import Sharing, parse_group
from equisym.nn.arguments import count, counts, odd


class E2ResNet(FieldClassifier):
    r"""A residual network whose answer does not change when the image is rotated or flipped by a group element.

    .. math:: \Phi(g f) = \Phi(f) \quad\text{for all } g \text{ in the group}

    exactly for n dividing 4 and input sizes of 1 modulo ``size_step``; a first call at another size warns.
    The defaults are a small one for two CPU cores, exact at 65, 97, 129 ...

    Args:
        group: the point group, or its name.
        width: fields of the first stage; each further stage doubles it.
        blocks: residual blocks of each stage; every stage but the first halves the resolution.
        stem_kernel: side of the lifting kernel, odd; it halves the resolution.
        stem_pool: whether a 3x3 maximum halves the resolution once more.
        in_channels: channels of the image.
        conv: how weights are shared, a kind of :class:`Sharing`.
        bottleneck: whether the blocks are bottlenecks, with 4 times as many fields between them.
        pool: how fields are pooled before the head: ``"max"`` or ``"correlation"``, of :class:`FieldClassifier`; by
            default the second where the fields are of a group, the first where there is none.
        exact_at: an input size at which the invariance is to be exact; multiples of ``size_step`` choose even kernels
            in strided layers, None and one pixel more choose odd ones.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    def __init__(
        self,
        *,
        group: PointGroup | str = "D4",
        width: int = 8,
        blocks: Sequence[int] = (1, 1, 1),
        stem_kernel: int = 5,
        stem_pool: bool = False,
        conv: str = "regular",
        bottleneck: bool = False,
        pool: str | None = None,
        exact_at: int | None = None,
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        width, blocks, stem_kernel = count("width", width), counts("blocks", blocks), odd("stem_kernel", stem_kernel)
        sharing, step = Sharing.of(conv, parse_group(group)), 2 ** (len(blocks) + stem_pool)
        even = even_layout(exact_at, step, sharing)
        super().__init__(sharing.invariance, step, rest=0 if even else 1)
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),  # symmetry does not depend on brightness and contrast
            sharing.lift(in_channels, width, stem_kernel + even, stride=2),
            sharing.norm(width),
            nn.ReLU(inplace=True),
            (nn.MaxPool2d(2) if even else nn.MaxPool2d(3, 2, 1)) if stem_pool else nn.Identity(),
        )
        kind = BottleneckBlock if bottleneck else ResidualBlock
        stages, fields, found = [], width, []
        for stage, number in enumerate(blocks):
            out, made = width * 2**stage, []
            for block in range(number):
                made.append(kind(sharing, fields, out, 2 if stage and block == 0 else 1, even=even))
                fields = out * kind.expansion
            stages.append(nn.Sequential(*made))
            found.append(fields)
        self.stages = nn.Sequential(*stages)
        if pool is None:
            pool = "correlation" if sharing.invariance.order > 1 and sharing.multiplicity > 1 else "max"
        self.finish(sharing, found, pool=pool, **head)


# ResNet's plans of a depth: 7x7 stem with pooling, four stages, exact at 65, 129, 225.
_deep = partial(E2ResNet, width=22, stem_kernel=7, stem_pool=True)

register(E2ResNet, "e2resnet")
register(partial(_deep, blocks=(2, 2, 2, 2)), "e2resnet18")
register(partial(_deep, blocks=(3, 4, 6, 3)), "e2resnet34")
register(partial(_deep, blocks=(3, 4, 6, 3), bottleneck=True), "e2resnet50")
