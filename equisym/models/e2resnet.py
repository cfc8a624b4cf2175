"""Residual networks on fields of any point group: invariant classifiers of images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from equisym.groups import PointGroup
from equisym.models.blocks import BottleneckBlock, ResidualBlock
from equisym.models.field_classifier import FieldClassifier, even_layout
from equisym.models.registry import register
from equisym.models.sharing import Sharing, parse_group


class E2ResNet(FieldClassifier):
    r"""A residual network whose answer does not change when the image is rotated or flipped by a group element.

    .. math:: \Phi(g f) = \Phi(f) \quad\text{for all } g \text{ in the group}

    exactly for n dividing 4 and input sizes of 1 modulo ``size_step``; a first call at another size warns.

    Args:
        group: the point group.
        width: fields of the first stage; each further stage doubles it.
        blocks: residual blocks of each stage; every stage but the first halves the resolution.
        stem_kernel: side of the lifting kernel, odd; it halves the resolution.
        stem_pool: whether a 3x3 maximum halves the resolution once more.
        num_classes: size of the answer.
        in_channels: channels of the image.
        conv: how weights are shared, a kind of :class:`Sharing`.
        bottleneck: whether the blocks are bottlenecks, with 4 times as many fields between them.
        pool: how fields are pooled before the head: ``"max"`` or ``"correlation"``, of :class:`FieldClassifier`; by
            default the second where the fields are of a group, the first where there is none.
        exact_at: an input size at which the invariance is to be exact; multiples of ``size_step`` choose even kernels
            in strided layers, None and one pixel more choose odd ones.
        dropout: probability of dropping a pooled feature in training.

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
        conv: str = "regular",
        bottleneck: bool = False,
        pool: str | None = None,
        exact_at: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        sharing, step = Sharing.of(conv, group), 2 ** (len(blocks) + stem_pool)
        even = even_layout(exact_at, step)
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
        for stage, count in enumerate(blocks):
            out, made = width * 2**stage, []
            for block in range(count):
                made.append(kind(sharing, fields, out, 2 if stage and block == 0 else 1, even=even))
                fields = out * kind.expansion
            stages.append(nn.Sequential(*made))
            found.append(fields)
        self.stages = nn.Sequential(*stages)
        if pool is None:
            pool = "correlation" if sharing.invariance.order > 1 and sharing.multiplicity > 1 else "max"
        self.finish(sharing, found, pool=pool, dropout=dropout, num_classes=num_classes)


@register
def e2resnet(
    *,
    num_classes: int = 17,
    in_channels: int = 1,
    group: PointGroup | str = "D4",
    width: int = 8,
    blocks: Sequence[int] = (1, 1, 1),
    stem_kernel: int = 5,
    conv: str = "regular",
    pool: str | None = None,
    exact_at: int | None = None,
    dropout: float = 0.0,
) -> E2ResNet:
    """A small one for two CPU cores: three stages of one block, 5x5 stem, exact at 65, 97, 129 ..."""
    return E2ResNet(
        group=parse_group(group),
        width=width,
        blocks=blocks,
        stem_kernel=stem_kernel,
        stem_pool=False,
        num_classes=num_classes,
        in_channels=in_channels,
        conv=conv,
        pool=pool,
        exact_at=exact_at,
        dropout=dropout,
    )


def _by_depth(name: str, blocks: tuple[int, ...], bottleneck: bool) -> None:
    """Register ResNet's plan of a depth: 7x7 stem with pooling, four stages, exact at 65, 129, 225."""

    def builder(
        *,
        num_classes: int = 17,
        in_channels: int = 1,
        group: PointGroup | str = "D4",
        width: int = 22,
        conv: str = "regular",
        pool: str | None = None,
        exact_at: int | None = None,
        dropout: float = 0.0,
    ) -> E2ResNet:
        return E2ResNet(
            group=parse_group(group),
            width=width,
            blocks=blocks,
            stem_kernel=7,
            stem_pool=True,
            num_classes=num_classes,
            in_channels=in_channels,
            conv=conv,
            bottleneck=bottleneck,
            pool=pool,
            exact_at=exact_at,
            dropout=dropout,
        )

    builder.__name__ = name
    register(builder)


_by_depth("e2resnet18", (2, 2, 2, 2), bottleneck=False)
_by_depth("e2resnet34", (3, 4, 6, 3), bottleneck=False)
_by_depth("e2resnet50", (3, 4, 6, 3), bottleneck=True)
