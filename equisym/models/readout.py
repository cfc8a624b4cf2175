"""Correlation readout: from the fields of all stages to logits, by how symmetric they are about each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.models.last_layer import last_layer
from equisym.nn import CorrelationPool2d
from equisym.nn.expanded_conv import is_channels_last
from equisym.nn.fused import is_plain_call
from equisym.nn.normalisation import ChannelBatchNorm2d


class CorrelationReadout(nn.Module):
    """Correlation pooling of each stage's fields, two 1x1 layers, mean and maximum over the pixels, one linear layer.

    The maps of all fields together, which say whether the image is symmetric about a pixel whatever the feature, are
    pooled besides, as they are.

    Args:
        group: the point group of the fields.
        fields: regular fields of each stage.
        channels: of the 1x1 layers, which mix the maps of all fields.
        dropout: probability of dropping a pooled feature in training.
        num_classes: size of the answer.

    Shape:
        a list of ``(B, fields[i] * order, H_i, W_i)`` -> ``(B, num_classes)``.
    """

    def __init__(
        self, group: PointGroup, fields: Sequence[int], *, channels: int, dropout: float, num_classes: int
    ) -> None:
        super().__init__()
        pools = [CorrelationPool2d(group=group) for _ in fields]
        self.pools = nn.ModuleList(pools)
        self.mixers = nn.ModuleList(
            nn.Sequential(
                _Pointwise(pool.out_channels(n), channels, 1, bias=False),
                ChannelBatchNorm2d(channels),
                nn.ReLU(inplace=True),
                _Pointwise(channels, channels, 1, bias=False),
                ChannelBatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for pool, n in zip(pools, fields, strict=True)
        )
        self.together = len(pools[0].classes)
        features = 2 * len(fields) * (channels + self.together)
        self.norm = nn.BatchNorm1d(features)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.linear = last_layer(features, num_classes)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        features = []
        for fields, pool, mixer in zip(stages, self.pools, self.mixers, strict=True):
            maps = pool(fields)
            for pooled in (mixer(maps), maps[:, -self.together :]):
                features += [pooled.mean((-2, -1)), pooled.flatten(2).max(2).values]
        return self.linear(self.dropout(self.norm(torch.cat(features, 1))))


class _Pointwise(nn.Conv2d):
    """A 1x1 convolution; on a GPU in channels_last one matrix product, for any number of channels."""

    def forward(self, input: Tensor) -> Tensor:
        if not is_plain_call(input) or not input.is_cuda or not is_channels_last(input):
            return super().forward(input)
        return functional.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1)).permute(0, 3, 1, 2)

    def to_plain(self) -> nn.Conv2d:
        """The layer of torch."""
        plain = nn.Conv2d(self.in_channels, self.out_channels, 1, bias=False).to(self.weight)
        plain.load_state_dict(self.state_dict())
        return plain.train(self.training)
