"""A plain residual network whose input is the image and maps of where it is symmetric."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from equisym.groups import C
from equisym.models.e2resnet import E2ResNet
from equisym.models.field_classifier import Classifier, HeadOptions
from equisym.models.registry import register
from equisym.nn import SymmetryFilter2d
from equisym.nn.arguments import count, odd

_ORDERS = (2, 3, 4, 6)
_AXES = (0, 45, 90, 135)


class FilterNet(Classifier):
    """Symmetry filters of the four rotations and of four mirrors, stacked on the image as channels of a plain ResNet.

    The defaults go before the small ResNet of this library with plain convolutions.

    Args:
        filters: learned kernels of each rotation and each mirror.
        kernel_size: side of these kernels, odd: how far a symmetry must reach.
        width: channels of the ResNet's first stage.
        in_channels: channels of the image.
        head: ``num_classes`` and ``dropout``, see :class:`HeadOptions`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    def __init__(
        self,
        *,
        filters: int = 2,
        kernel_size: int = 9,
        width: int = 23,
        in_channels: int = 1,
        **head: Unpack[HeadOptions],
    ) -> None:
        filters, kernel_size = count("filters", filters), odd("kernel_size", kernel_size)
        super().__init__(C(1), 1)
        self.standardise = nn.InstanceNorm2d(in_channels)
        rotations = [SymmetryFilter2d(in_channels, filters, kernel_size, order=n) for n in _ORDERS]
        mirrors = [SymmetryFilter2d(in_channels, filters, kernel_size, kind="mirror", axis=a) for a in _AXES]
        self.filters = nn.ModuleList([*rotations, *mirrors])
        channels = in_channels + filters * len(self.filters)
        self.network = E2ResNet(group=C(1), width=width, in_channels=channels, **head)

    def _last(self) -> tuple[nn.Module, str]:
        return self.network._last()

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardise(x)
        return self.network(torch.cat([x, *(symmetry(x) for symmetry in self.filters)], 1))


register(FilterNet, "filternet")
