"""``device`` and ``dtype``, as torch's own layers take them, wherever there are weights."""

import itertools

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from equisym import nn as layers
from equisym.groups import C, D
from equisym.nn import FieldType

group = D(4)
fields = FieldType.regular(group, 2)
MAKE = {
    "LiftConv2d": lambda **o: layers.LiftConv2d(1, 2, 3, group=group, **o),
    "LiftConv2d off the grid": lambda **o: layers.LiftConv2d(1, 2, 3, group=C(6), **o),
    "GroupConv2d": lambda **o: layers.GroupConv2d(1, 2, 3, group=group, **o),
    "GroupConvTranspose2d": lambda **o: layers.GroupConvTranspose2d(1, 2, 3, group=group, **o),
    "GroupDepthwiseConv2d": lambda **o: layers.GroupDepthwiseConv2d(2, 3, group=group, **o),
    "SeparableGroupConv2d": lambda **o: layers.SeparableGroupConv2d(1, 2, 3, group=group, **o),
    "SteerableConv2d": lambda **o: layers.SteerableConv2d(fields, fields, 3, **o),
    "SteerableConvTranspose2d": lambda **o: layers.SteerableConvTranspose2d(fields, fields, 3, **o),
    "RotatingConv2d": lambda **o: layers.RotatingConv2d(1, 2, 3, rotations=8, reduce="max", **o),
    "OrbitConv2d": lambda **o: layers.OrbitConv2d(1, 1, 3, generators=[([0], [0], 1)], **o),
    "OrbitLinear": lambda **o: layers.OrbitLinear(2, 2, generators=[([1, 0], [1, 0])], **o),
    "ReparamConv2d": lambda **o: layers.ReparamConv2d(1, 2, 3, **o),
    "ReparamLinear": lambda **o: layers.ReparamLinear(2, 2, free_weights=2, **o),
    "WallpaperConv2d": lambda **o: layers.WallpaperConv2d(1, 2, 3, group="p4g", cell=4, **o),
    "SymmetryFilter2d": lambda **o: layers.SymmetryFilter2d(1, 2, 3, order=3, **o),
    "GroupResidualBlock": lambda **o: layers.GroupResidualBlock(2, 2, group=group, **o),
    "GroupBatchNorm2d": lambda **o: layers.GroupBatchNorm2d(2, group=group, **o),
    "FieldBatchNorm2d": lambda **o: layers.FieldBatchNorm2d(fields, **o),
    "FieldGroupNorm2d": lambda **o: layers.FieldGroupNorm2d(2, fields, **o),
    "FieldInstanceNorm2d": lambda **o: layers.FieldInstanceNorm2d(fields, **o),
    "FieldLayerNorm2d": lambda **o: layers.FieldLayerNorm2d(fields, **o),
    "IsotypicLinear": lambda **o: layers.IsotypicLinear(2, 2, group=group, **o),
    "IsotypicNorm": lambda **o: layers.IsotypicNorm(2, group=group, **o),
}


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_weights_and_constants_are_made_as_asked(name, dtype):
    layer = MAKE[name](device="cpu", dtype=dtype)
    floats = [t for t in [*layer.parameters(), *layer.buffers()] if t.is_floating_point()]
    assert floats
    assert {t.dtype for t in floats} == {dtype}
    assert layer.state_dict().keys() == MAKE[name]().state_dict().keys()


@pytest.mark.parametrize("name", MAKE)
def test_float64_constants_are_rounded_once(name):
    early, late = MAKE[name](dtype=torch.float64), MAKE[name]().double()
    for (place, ours), (_, theirs) in zip(early.named_buffers(), late.named_buffers(), strict=True):
        assert torch.equal(ours, theirs), place


@pytest.mark.parametrize("name", MAKE)
def test_made_on_the_meta_device_and_brought_off_it(name):
    layer, source = MAKE[name](device="meta"), MAKE[name]()
    assert {t.device.type for t in [*layer.parameters(), *layer.buffers()]} == {"meta"}
    layer.to_empty(device="cpu").load_state_dict(source.state_dict())
    for (place, ours), (_, theirs) in zip(layer.named_buffers(), source.named_buffers(), strict=True):
        assert torch.equal(ours, theirs), place


@pytest.mark.parametrize("name", MAKE)
def test_constants_follow_the_dtype_of_weights_put_in_place(name):
    precise, layer = MAKE[name](dtype=torch.float64), MAKE[name]()
    layer.load_state_dict(precise.state_dict(), assign=True)
    for (place, ours), (_, theirs) in zip(layer.named_buffers(), precise.named_buffers(), strict=True):
        assert ours.dtype == theirs.dtype, place
        assert torch.equal(ours, theirs), place


@pytest.mark.parametrize("decay", [0.9, 0.9995])
@pytest.mark.parametrize("name", MAKE)
def test_averages_that_take_buffers_along_leave_constants_as_they_are(name, decay):
    layer = MAKE[name]()
    average = AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    for _ in range(5):
        average.update_parameters(layer)
    held = {place: values.clone() for place, values in layer.named_buffers()}
    swap(layer.eval(), average.module)
    state = layer.state_dict()
    average.eval()
    for module in (layer, average.module):
        for place, values in module.named_buffers():
            assert place in state or torch.equal(values, held[place]), place


def swap(current, average):
    """As Lightning's callbacks do after ``eval()``: no version of a tensor counts what is written to its ``data``."""
    ours, theirs = [itertools.chain(module.parameters(), module.buffers()) for module in (current, average)]
    for own, other in zip(ours, theirs, strict=True):
        values = other.data.clone()
        other.data.copy_(own.data)
        own.data.copy_(values)
