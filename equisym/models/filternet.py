"""A plain residual network whose input is the image and maps of where it is symmetric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import torch
from torch import Tensor, nn

from equisym.groups import C
from equisym.models.e2resnet import E2ResNet
from equisym.models.field_classifier import Classifier, HeadOptions
from equisym.models.last_layer import NoLastLayer
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

    def get_classifier(self) -> nn.Linear | NoLastLayer:
        """The last linear layer."""
        return self.network.get_classifier()

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """As :meth:`HasLastLayer.reset_classifier`, of the ResNet."""
        self.network.reset_classifier(num_classes, global_pool)

    @property
    def stage_count(self) -> int:
        """Number of stages of the ResNet."""
        return self.network.stage_count

    def after_stages(self, x: Tensor) -> Iterator[Tensor]:
        """Maps after each stage of the ResNet."""
        return self.network.after_stages(self._with_symmetries(x))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """As :meth:`FieldClassifier.forward_head`."""
        return self.network.forward_head(maps, pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self._with_symmetries(x))

    def _with_symmetries(self, x: Tensor) -> Tensor:
        x = self.standardise(x)
        return torch.cat([x, *(symmetry(x) for symmetry in self.filters)], 1)


register(FilterNet, "filternet")
