"""Networks told to keep their maps in channels_last do so, from images of one channel on."""

import pytest
import torch
from torch import nn

from equisym.groups import C, D
from equisym.models import build
from equisym.nn import (
    GroupBatchNorm2d,
    GroupConv2d,
    LiftConv2d,
    RotatingConv2d,
    SeparableGroupConv2d,
    SteerableConv2d,
    to_plain,
)


def _layouts(network: nn.Module, x: torch.Tensor) -> list[bool]:
    """Of the answers of the convolutions and norms, in order, whether they are pixel by pixel."""
    found: list[bool] = []
    kinds = (nn.Conv2d, GroupConv2d, SteerableConv2d, SeparableGroupConv2d, GroupBatchNorm2d, nn.BatchNorm2d)
    hooks = [
        module.register_forward_hook(lambda layer, given, y: found.append(y.stride(1) == 1))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("group", ["D4", "D6"])
def test_maps_of_a_whole_network_stay_in_channels_last(group):
    network = build("e2resnet", group=group, width=2, pool="max").to(memory_format=torch.channels_last)
    x = torch.randn(2, 1, 33, 33).to(memory_format=torch.channels_last)
    _, *rest = _layouts(network, x)
    assert len(rest) > 8
    assert all(rest)


def test_the_folded_network_keeps_the_layout():
    layers = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), GroupConv2d(2, 3, 3, group=D(4)), nn.ReLU())
    x = torch.randn(2, 1, 9, 9)
    before = layers(x)
    layers.to(memory_format=torch.channels_last)
    plain = to_plain(layers)
    assert plain(x).stride(1) == 1
    torch.testing.assert_close(plain(x), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (lambda: GroupConv2d(2, 3, 3, group=D(4)), 16),
        (lambda: GroupConv2d(2, 3, 3, group=C(6)), 12),
        (lambda: SeparableGroupConv2d(2, 3, 3, group=D(4)), 16),
        (lambda: RotatingConv2d(8, 3, 3, rotations=4), 8),
    ],
)
def test_the_wish_for_a_layout_survives_other_moves_and_can_be_taken_back(layer, channels):
    layer, x = layer().to(memory_format=torch.channels_last), torch.randn(2, channels, 9, 9)
    assert layer.double()(x.double()).stride(1) == 1
    assert layer.float().to("cpu")(x).stride(1) == 1
    assert layer.to(memory_format=torch.contiguous_format)(x).stride(1) > 1
