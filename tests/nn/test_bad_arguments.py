"""Wrong arguments fail when the layer is built, or at its first call, with a sentence that names what came."""

import inspect

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
        (lambda: layers.NormMaxPool2d(fields, 0), "kernel_size must be at least 1 .got 0"),
        (lambda: layers.NormMaxPool2d(fields, 2, 0), "stride must be at least 1 .got 0"),
        (lambda: layers.OrbitConv2d(1, 1, 3, generators=[], stride=0), "stride must be at least 1 .got 0"),
        (
            lambda: layers.FourierNonlinearity(0, group=SO2, max_frequency=1, samples=4),
            "fields must be at least 1 .got 0",
        ),
        (lambda: layers.Upsample2d(size=(3, 4, 5)), r"size must be one number or two .got .3, 4, 5"),
        (lambda: layers.Upsample2d(size=[4, 0]), "size must be at least 1 .got 0"),
        (lambda: layers.FieldDropout2d(fields, 1.0), "p must be at least 0 and below 1 .got 1.0"),
        (lambda: layers.CorrelationPool2d(group=D(4), eps=-1), "eps must be positive .got -1"),
        (lambda: layers.IsotypicNorm(2, group=D(4), eps=0), "eps must be positive .got 0"),
        (
            lambda: layers.equivariance_report(torch.nn.Identity(), torch.zeros(1, 9, 9), group=D(4)),
            "maps .B, C, H, W.*1, 9, 9",
        ),
        (lambda: layers.SymmetryFilter2d(0, 1, 3), "in_channels must be at least 1 .got 0"),
        (lambda: layers.SymmetryFilter2d(1, 1, 4), "odd .got 4.: every pixel"),
        (lambda: layers.SymmetryFilter2d(2, 1, 3)(torch.zeros(1, 1, 5, 5)), "2 channels .got 1"),
        (lambda: layers.SymmetryCorrelation2d(group=C(4))(torch.zeros(1, 1, 5, 7)), "square maps .got 5 x 7"),
        (lambda: layers.WallpaperConv2d(0, 1, 3, group="p4", cell=4), "in_channels must be at least 1 .got 0"),
        (lambda: layers.WallpaperConv2d(1, 1, 4, group="p4", cell=4), "odd .got 4.: use 5"),
        (lambda: layers.RestrictRegular2d(1, group=D(4), to=C(2))(torch.zeros(1, 9, 3, 3)), "8 channels .got 9"),
        (lambda: layers.SteerableConvTranspose2d(fields, fields, 3, padding="same"), "no meaning in a transposed"),
        (lambda: layers.BlurPool2d(2, sigma=0), "sigma must be positive .got 0"),
        (lambda: layers.DiscMask2d(-1), "margin must be at least 0 .got -1"),
        (lambda: layers.RestrictRegular2d(0, group=D(4), to=C(2)), "at least 1 .got 0"),
    ],
)
def test_what_came_and_what_was_needed(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "layer",
    [
        layers.LiftConv2d(1, 2, 3, group=D(4)),
        layers.GroupBatchNorm2d(2, group=D(4)),
        layers.GroupPool2d(group=D(4)),
        layers.RestrictRegular2d(1, group=D(4), to=C(4)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_lone_image_is_told_to_need_channels(layer):
    with pytest.raises(ValueError, match=r"maps .B, C, H, W. or .C, H, W. .got the shape .9, 9"):
        layer(torch.zeros(9, 9))


D4_FIELDS = FieldType.regular(D(4), 2)
NUMBERS = {  # how to make each layer that takes numbers, and which of its arguments are numbers
    layers.LiftConv2d: (
        (1, 2, 3),
        {"group": D(4)},
        "in_channels out_channels kernel_size stride padding dilation groups",
    ),
    layers.GroupConvTranspose2d: ((1, 2, 3), {"group": D(4)}, "in_channels out_channels kernel_size output_padding"),
    layers.SteerableConv2d: ((D4_FIELDS, D4_FIELDS, 3), {}, "kernel_size groups stride"),
    layers.RotatingConv2d: ((1, 1, 3), {"rotations": 4}, "in_channels out_channels kernel_size rotations"),
    layers.OrbitConv2d: ((1, 1, 3), {"generators": []}, "in_channels out_channels kernel_size generators"),
    layers.OrbitLinear: ((2, 2), {"generators": [([1, 0], [1, 0])]}, "in_features out_features generators channels"),
    layers.ReparamConv2d: ((1, 1, 3), {}, "in_channels out_channels kernel_size"),
    layers.ReparamLinear: ((2, 2), {"free_weights": 2}, "in_features out_features free_weights"),
    layers.WallpaperConv2d: ((1, 1, 3), {"group": "p4", "cell": 2}, "in_channels out_channels kernel_size cell group"),
    layers.SymmetryFilter2d: ((1, 1, 3), {}, "in_channels out_channels kernel_size order eps"),
    layers.GroupBatchNorm2d: ((2,), {"group": D(4)}, "fields eps momentum"),
    layers.CorrelationPool2d: ((), {"group": D(4)}, "eps"),
    layers.IsotypicLinear: ((2, 2), {"group": D(4)}, "in_channels out_channels"),
    layers.IsotypicNorm: ((2,), {"group": D(4)}, "fields eps"),
    layers.IsotypicInvariants: ((2,), {"group": D(4)}, "fields"),
    layers.FourierNonlinearity: ((2,), {"group": D(4), "max_frequency": 1}, "fields max_frequency"),
    layers.FieldDropout2d: ((D4_FIELDS,), {}, "p"),
    layers.FieldBatchNorm2d: ((D4_FIELDS,), {}, "eps momentum"),
    layers.FieldGroupNorm2d: ((1, D4_FIELDS), {}, "num_groups eps"),
    layers.RestrictRegular2d: ((1,), {"group": D(4), "to": C(2)}, "fields"),
    layers.BlurPool2d: ((), {}, "stride sigma"),
    layers.MaxBlurPool2d: ((), {}, "kernel_size stride"),
    layers.NormMaxPool2d: ((D4_FIELDS, 2), {}, "kernel_size stride"),
    layers.DiscMask2d: ((), {}, "margin sigma"),
    layers.Upsample2d: ((), {}, "factor size"),
}


@pytest.mark.parametrize("wrong", ["3", object(), 1j], ids=["text", "object", "complex"])
@pytest.mark.parametrize("layer", NUMBERS, ids=lambda layer: layer.__name__)
def test_what_is_no_number_is_told_by_the_arguments_name(layer, wrong):
    positional, keywords, names = NUMBERS[layer]
    given = inspect.signature(layer).bind(*positional, **keywords).arguments
    given |= given.pop("options", {})
    layer(**given)
    for name in names.split():
        with pytest.raises((TypeError, ValueError), match=rf"{name} must be .*got "):
            layer(**{**given, name: wrong})
