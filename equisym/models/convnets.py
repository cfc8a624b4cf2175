"""Plain stacks of one kind of convolution, for the two techniques that are named after their layer."""

from __future__ import annotations

from typing import Unpack

from torch import nn

from equisym.groups import C, PointGroup
from equisym.models.field_classifier import FieldClassifier, HeadOptions
from equisym.models.registry import register
from equisym.models.sharing import Sharing, parse_group
from equisym.nn.arguments import count, odd


class ConvNet(FieldClassifier):
    """Convolution, norm and ReLU, four times, the last three at half the resolution each; exact at 1 modulo 8.

    Args:
        sharing: how weights are shared.
        width: fields of the first layer; each further one doubles it.
        kernel_size: side of the kernels, odd.
        in_channels: channels of the image.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    def __init__(
        self, sharing: Sharing, *, width: int, kernel_size: int = 5, in_channels: int = 1, **head: Unpack[HeadOptions]
    ) -> None:
        width, kernel_size = count("width", width), odd("kernel_size", kernel_size)
        super().__init__(sharing.invariance, 8)
        self.stem = nn.Sequential(
            nn.InstanceNorm2d(in_channels),
            sharing.lift(in_channels, width, kernel_size),
            sharing.norm(width),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        for stage in range(3):
            fields = width * 2**stage
            stages += [sharing.conv(fields, 2 * fields, kernel_size, stride=2), sharing.norm(2 * fields)]
            stages.append(nn.ReLU(inplace=True))
        self.stages = nn.Sequential(*stages)
        self.finish(sharing, [8 * width], pool="max", ends=range(2, len(stages), 3), **head)


@register
def rkcnn(
    *, rotations: int = 8, width: int = 16, kernel_size: int = 5, in_channels: int = 1, **head: Unpack[HeadOptions]
) -> ConvNet:
    """Rotating kernels with the maximum over orientations, then global pooling; exact for 4 rotations."""
    sharing = Sharing.of("rotating", C(rotations))
    return ConvNet(sharing, width=width, kernel_size=kernel_size, in_channels=in_channels, **head)


@register
def msrnet(
    *,
    group: PointGroup | str = "D4",
    width: int = 2,
    kernel_size: int = 5,
    in_channels: int = 1,
    **head: Unpack[HeadOptions],
) -> ConvNet:
    """Convolutions whose sharing pattern is learned with the weights; as many channels as fields of ``group``."""
    sharing = Sharing.of("learned", parse_group(group))
    return ConvNet(sharing, width=width, kernel_size=kernel_size, in_channels=in_channels, **head)
