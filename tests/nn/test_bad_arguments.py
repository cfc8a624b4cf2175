"""Wrong arguments fail when the layer is built, or at its first call, with a sentence that names what came."""

import pytest
import torch

from equisym import nn as layers
from equisym.groups import SO2, C, D, irrep, trivial
from equisym.nn import FieldType

REGULAR = {
    "LiftConv2d": lambda **o: layers.LiftConv2d(1, 2, **{"kernel_size": 3, **o}),
    "GroupConv2d": lambda **o: layers.GroupConv2d(2, 2, **{"kernel_size": 3, **o}),
    "GroupConvTranspose2d": lambda **o: layers.GroupConvTranspose2d(2, 2, **{"kernel_size": 3, **o}),
    "GroupDepthwiseConv2d": lambda **o: layers.GroupDepthwiseConv2d(2, **{"kernel_size": 3, **o}),
    "SeparableGroupConv2d": lambda **o: layers.SeparableGroupConv2d(2, 2, **{"kernel_size": 3, **o}),
}
TYPED = [
    layers.FieldBatchNorm2d,
    layers.FieldInstanceNorm2d,
    layers.FieldLayerNorm2d,
    layers.FieldDropout2d,
    layers.GatedNonlinearity,
    layers.NormNonlinearity,
    layers.FieldMagnitude2d,
    layers.PointwiseNonlinearity,
    lambda t: layers.FieldGroupNorm2d(1, t),
    lambda t: layers.NormMaxPool2d(t, 3),
    lambda t: layers.Restrict2d(t, to=C(2)),
    lambda t: layers.SteerableConv2d(t, t, 3),
    lambda t: layers.SteerableConvTranspose2d(t, t, 3),
]
fields = FieldType.regular(C(4), 1)


@pytest.mark.parametrize("name", REGULAR)
def test_regular_convolutions(name):
    make = REGULAR[name]
    with pytest.raises(ValueError, match=r"odd for D3 \(got 4\).*use 3 or 5"):
        make(group=D(3), kernel_size=4)
    with pytest.raises(ValueError, match=r"basis='circular' needs an odd kernel_size \(got 4\): use 5"):
        make(group=D(4), kernel_size=4, basis="circular")
    with pytest.raises(TypeError, match=r"PointGroup such as D\(4\) \(got 'p4'\)"):
        make(group="p4")
    with pytest.raises(TypeError, match="PointGroup"):
        make(group=SO2)
    with pytest.raises(ValueError, match="stride.*(got 0|got 2, 0)"):
        make(group=D(4), stride=0)
    layer = make(group=D(4))
    channels = 1 if name == "LiftConv2d" else 16
    with pytest.raises(ValueError, match=rf"must have {channels} channels.*got 12"):
        layer(torch.zeros(1, 12, 9, 9))  # fields of a group of order 12, or of another number


@pytest.mark.parametrize("layer", TYPED)
def test_fields_must_be_a_type(layer):
    with pytest.raises(TypeError, match=r"field type is needed.*got 8"):
        layer(8)


@pytest.mark.parametrize(
    "make",
    [
        lambda g: layers.GroupBatchNorm2d(2, group=g),
        lambda g: layers.GroupPool2d(group=g),
        lambda g: layers.GroupResidualBlock(2, 2, group=g),
        lambda g: layers.RestrictRegular2d(1, group=g, to=C(2)),
        lambda g: layers.SymmetryCorrelation2d(group=g),
        lambda g: layers.FourierNonlinearity(1, group=g, max_frequency=1),
    ],
)
def test_an_unknown_group_is_named(make):
    with pytest.raises(TypeError, match="group must be a .*got 'D5'"):
        make("D5")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.SteerableConv2d(fields, FieldType.regular(D(4), 1), 3), "one group .got C4 and D4"),
        (lambda: fields + FieldType.of((1, trivial(D(4)))), "representation of C4 .got trivial.D.4.. of D4"),
        (lambda: FieldType.of((1, trivial(C(4))), (1, irrep(C(8), 1))), "of C4 .got irrep.C.8., 1. of C8"),
        (lambda: layers.RotatingConv2d(1, 1, 3, rotations=0), "at least 1 .got 0"),
        (lambda: layers.RotatingConv2d(1, 1, 4, rotations=8), "odd for C8 .got 4"),
        (lambda: layers.RotatingConv2d(1, 1, 3, rotations=4, reduce="sum"), "none, max, mean .got 'sum'"),
        (lambda: layers.RotatingConv2d(2, 1, 3, rotations=4)(torch.zeros(1, 3, 5, 5)), "2 channels, an image .got 3"),
        (lambda: layers.NormMaxPool2d(fields, 0), "positive .got 0"),
        (lambda: layers.NormMaxPool2d(fields, 2, 0), "positive .got 2 and 0"),
        (lambda: layers.OrbitConv2d(1, 1, 3, generators=[], stride=0), "stride must be at least 1 .got 0"),
        (lambda: layers.FourierNonlinearity(0, group=SO2, max_frequency=1, samples=4), "got 0 and 1"),
        (lambda: layers.SymmetryFilter2d(0, 1, 3), "got 0 in and 1 out"),
        (lambda: layers.SymmetryFilter2d(1, 1, 4), "odd .got 4.: every pixel"),
        (lambda: layers.SymmetryFilter2d(2, 1, 3)(torch.zeros(1, 1, 5, 5)), "2 channels .got 1"),
        (lambda: layers.SymmetryCorrelation2d(group=C(4))(torch.zeros(1, 1, 5, 7)), "square maps .got 5 x 7"),
        (lambda: layers.WallpaperConv2d(0, 1, 3, group="p4", cell=4), "got 0 in and 1 out"),
        (lambda: layers.WallpaperConv2d(1, 1, 4, group="p4", cell=4), "odd .got 4.: use 5"),
        (lambda: layers.RestrictRegular2d(1, group=D(4), to=C(2))(torch.zeros(1, 9, 3, 3)), "8 channels .got 9"),
        (lambda: layers.RestrictRegular2d(0, group=D(4), to=C(2)), "at least 1 .got 0"),
    ],
)
def test_what_came_and_what_was_needed(make, message):
    with pytest.raises(ValueError, match=message):
        make()
