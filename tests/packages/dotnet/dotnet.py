"""A network of one's own: a package beside equisym whose architecture its commands find by name."""

from __future__ import annotations

from torch import nn

from equisym.groups import D
from equisym.models import register
from equisym.nn import GroupConv2d, GroupPool2d, LiftConv2d


@register
def dots(*, num_classes: int = 17, in_channels: int = 1, width: int = 4) -> nn.Module:
    """Two group convolutions of D4, the mean of what is invariant, and a linear layer."""
    return nn.Sequential(
        nn.InstanceNorm2d(in_channels),
        LiftConv2d(in_channels, width, 5, group=D(4), padding=2),
        nn.ReLU(),
        GroupConv2d(width, width, 3, group=D(4), stride=2, padding=1),
        nn.ReLU(),
        GroupPool2d(group=D(4)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )
