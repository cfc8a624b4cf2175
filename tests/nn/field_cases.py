"""The layers between fields of any representation: one case for each."""

from __future__ import annotations

from collections.abc import Callable

from layer_types import ALL, FINITE, ON_GRID, TILTED, Case, Made, mixed, permuted, reg, same, scalars
from torch import nn

from equisym.groups import O2, SO2, C, D, Group, PointGroup, induced, irrep, irreps, regular, trivial, vector
from equisym.nn import (
    BlurPool2d,
    ConcatenatedNonlinearity,
    DiscMask2d,
    FieldBatchNorm2d,
    FieldBranches2d,
    FieldDropout2d,
    FieldGroupNorm2d,
    FieldInstanceNorm2d,
    FieldLayerNorm2d,
    FieldMagnitude2d,
    FieldMax2d,
    FieldType,
    FourierNonlinearity,
    GatedNonlinearity,
    MaxBlurPool2d,
    NormMaxPool2d,
    NormNonlinearity,
    PointwiseNonlinearity,
    Restrict2d,
    RingBasis,
    SelectFields2d,
    SplitFields2d,
    SteerableConv2d,
    SteerableConvTranspose2d,
    TensorProductNonlinearity,
    Upsample2d,
)


def bent(group: Group) -> FieldType:
    """Induced fields: of the turns, where there are mirrors, else of nothing."""
    inner = (C(group.n if group.mirrors else 1)) if isinstance(group, PointGroup) else SO2
    frequency = 1 if not isinstance(inner, PointGroup) or inner.n > 1 else 0
    return FieldType.of((2, induced(group, irrep(inner, frequency))))


def part_of(group: Group) -> int:
    """Components of the parts of those."""
    return 2 if not isinstance(group, PointGroup) or (group.mirrors and group.n > 2) else 1


def gated(group: Group) -> Made:
    layer = GatedNonlinearity(mixed(group))
    return layer, layer.in_type, mixed(group)


def bent_gated(group: Group) -> Made:
    layer = GatedNonlinearity(bent(group), bias=True, part=part_of(group))
    return layer, layer.in_type, bent(group)


def magnitudes(group: Group) -> Made:
    layer = FieldMagnitude2d(bent(group), part=part_of(group))
    return layer, bent(group), layer.norm_type


def both_signs(group: PointGroup) -> Made:
    odd = [irrep(group, i.frequency, odd=i.odd) for i in irreps(group) if i.size == 1]
    fields = FieldType(group, (*odd, regular(group)))
    layer = ConcatenatedNonlinearity(fields)
    return layer, fields, layer.out_type


def products(group: Group) -> Made:
    fields = FieldType.of((3, vector(group)))
    out = FieldType.of((3, vector(group).tensor(vector(group))))
    return TensorProductNonlinearity(fields, out), fields, out


def selected(group: Group) -> Made:
    fields = mixed(group)
    layer = SelectFields2d(fields, [len(fields) - 1, *range(len(fields) - 1)])
    return layer, fields, layer.out_type


def taken_apart(group: PointGroup) -> Made:
    inner = C(group.n)
    fields = (FieldType.of((1, trivial(group))) + reg(group, 2)).restrict(inner)
    layer = SplitFields2d(fields)
    return layer, fields, layer.out_type


def branched(group: Group) -> Made:
    fields = FieldType.of((2, trivial(group)), (2, vector(group)))
    gate = NormNonlinearity(FieldType.of((2, vector(group))), "sigmoid", bias=False)
    return (
        FieldBranches2d(fields, [((2, 3), gate), ((0, 1), nn.Tanh())]),
        fields,
        FieldType.of((2, vector(group)), (2, trivial(group))),
    )


def fourier(group: Group) -> Made:
    samples = None if isinstance(group, PointGroup) else 12
    layer = FourierNonlinearity(2, group=group, max_frequency=2, samples=samples)
    return layer, layer.field_type, layer.field_type


def steerable(layer: type[nn.Module], kernel_size: int = 3, **options) -> Callable[[Group], Made]:
    return lambda g: (layer(mixed(g), mixed(g), kernel_size, **options), mixed(g), mixed(g))


FIELD_CASES = (
    Case(
        "SteerableConv2d-even", steerable(SteerableConv2d, stride=2, padding=1, kernel_size=4), groups=ON_GRID, size=8
    ),
    Case(
        "MaxBlurPool2d",
        same(lambda _: MaxBlurPool2d(3, 2), permuted),
        groups=ON_GRID,
        checks_channels=False,
        names_group=False,
    ),
    Case("DiscMask2d", same(lambda _: DiscMask2d(), mixed), groups=ON_GRID, checks_channels=False, names_group=False),
    Case(
        "Upsample2d-size",
        same(lambda _: Upsample2d(size=8), mixed),
        groups=ON_GRID,
        checks_channels=False,
        names_group=False,
    ),
    Case("SteerableConv2d", steerable(SteerableConv2d, padding=1), groups=ALL),
    Case("SteerableConv2d-stride2", steerable(SteerableConv2d, stride=2, padding=1), groups=ALL),
    Case("SteerableConv2d-dilated", steerable(SteerableConv2d, dilation=2, padding=2), groups=ALL),
    Case(
        "SteerableConv2d-grouped",
        lambda g: (
            SteerableConv2d(mixed(g) + mixed(g), mixed(g) + mixed(g), 3, groups=2, padding=1),
            mixed(g) + mixed(g),
            mixed(g) + mixed(g),
        ),
        groups=ALL,
    ),
    Case(
        "SteerableConvTranspose2d",
        lambda g: (SteerableConvTranspose2d(mixed(g), mixed(g), 5, stride=2, padding=2), mixed(g), mixed(g)),
        groups=ALL,
        size=5,
        finer=True,
    ),
    Case(
        "SteerableConv2d-rings",
        steerable(SteerableConv2d, 5, padding=2, basis=RingBasis(((0.0, 0.4, 0), (1.3, 0.5, 2), (2.2, 0.7, 3)))),
        groups=ALL,
    ),
    Case(
        "SteerableConv2d-periodic",
        steerable(SteerableConv2d, padding="same", padding_mode="circular"),
        groups=ALL,
    ),
    Case("FieldBatchNorm2d", same(lambda g: FieldBatchNorm2d(mixed(g)), mixed), groups=ALL),
    Case("FieldBatchNorm2d-train", same(lambda g: FieldBatchNorm2d(mixed(g)), mixed), groups=ALL, train=True),
    Case(
        "FieldBatchNorm2d-one-mean-train",
        same(lambda g: FieldBatchNorm2d(permuted(g), one_mean=True), permuted),
        train=True,
    ),
    Case(
        "FieldInstanceNorm2d",
        same(lambda g: FieldInstanceNorm2d(mixed(g)), mixed),
        groups=ALL,
    ),
    Case(
        "FieldGroupNorm2d",
        same(lambda g: FieldGroupNorm2d(2, mixed(g) + mixed(g)), lambda g: mixed(g) + mixed(g)),
        groups=ALL,
    ),
    Case("FieldLayerNorm2d", same(lambda g: FieldLayerNorm2d(mixed(g)), mixed), groups=ALL),
    Case("FieldDropout2d", same(lambda g: FieldDropout2d(mixed(g)), mixed), groups=ALL),
    Case("PointwiseNonlinearity", same(lambda g: PointwiseNonlinearity(permuted(g)), permuted), names_group=False),
    Case("NormNonlinearity", same(lambda g: NormNonlinearity(mixed(g)), mixed), groups=ALL),
    Case("GatedNonlinearity", gated, groups=ALL),
    *(
        Case(f"NormNonlinearity-{f}", same(lambda g, f=f: NormNonlinearity(mixed(g), f, bias=f != "squash"), mixed))
        for f in ("softplus", "sigmoid", "squash")
    ),
    Case(
        "NormNonlinearity-induced",
        same(lambda g: NormNonlinearity(bent(g), part=part_of(g)), bent),
        groups=(*FINITE, O2),
    ),
    Case("GatedNonlinearity-induced", bent_gated, groups=(*FINITE, O2)),
    Case("FieldMagnitude2d-induced", magnitudes, groups=(*FINITE, O2)),
    Case("ConcatenatedNonlinearity", both_signs),
    Case("TensorProductNonlinearity", products, groups=ALL),
    Case("FieldMax2d", lambda g: (FieldMax2d(permuted(g)), permuted(g), scalars(g, 4))),
    Case("SelectFields2d", selected, groups=ALL),
    Case("SplitFields2d", taken_apart, groups=(*TILTED, C(4), D(2), D(3), D(4))),
    Case("FieldBranches2d", branched, groups=ALL),
    Case("FourierNonlinearity", fourier, groups=ALL),
    Case("NormMaxPool2d", same(lambda g: NormMaxPool2d(mixed(g), 3, 2), mixed), groups=ALL),
    Case("NormMaxPool2d-padded", same(lambda g: NormMaxPool2d(mixed(g), 3, 2, padding=1), mixed), groups=ALL),
    Case("FieldMagnitude2d", lambda g: (FieldMagnitude2d(mixed(g)), mixed(g), scalars(g, len(mixed(g)))), groups=ALL),
    Case(
        "BlurPool2d-unpadded",
        same(lambda _: BlurPool2d(1, sigma=0.66, radius=2, padding=0), mixed),
        groups=ALL,
        checks_channels=False,
        names_group=False,
    ),
    Case(
        "DiscMask2d-area",
        same(lambda _: DiscMask2d(1, sigma=2, profile="area"), mixed),
        groups=ON_GRID,
        checks_channels=False,
        names_group=False,
    ),
    Case("BlurPool2d", same(lambda _: BlurPool2d(2), mixed), groups=ALL, checks_channels=False, names_group=False),
    Case(
        "Upsample2d",
        same(lambda _: Upsample2d(2), mixed),
        groups=ALL,
        checks_channels=False,
        names_group=False,
        finer=True,
    ),
    Case("Restrict2d", lambda g: (Restrict2d(mixed(g), to=g), mixed(g), mixed(g)), groups=ALL),
)
