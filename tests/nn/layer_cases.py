"""One case for each layer: how to build it for a group, and the types of its input and output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equisym.groups import O2, SO2, C, D, Group, PointGroup, induced, irrep, irreps, quotient, regular, trivial, vector
from equisym.nn import (
    BlurPool2d,
    ConcatenatedNonlinearity,
    CorrelationPool2d,
    DiscMask2d,
    FieldBatchNorm2d,
    FieldBranches2d,
    FieldDropout2d,
    FieldGroupNorm2d,
    FieldInstanceNorm2d,
    FieldLayerNorm2d,
    FieldLinear,
    FieldMagnitude2d,
    FieldMax2d,
    FieldType,
    FourierNonlinearity,
    GatedNonlinearity,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupDepthwiseConv2d,
    GroupPool2d,
    GroupResidualBlock,
    IsotypicInvariants,
    IsotypicLinear,
    IsotypicNonlinearity,
    IsotypicNorm,
    IsotypicTransform,
    LiftConv2d,
    MaxBlurPool2d,
    NormMaxPool2d,
    NormNonlinearity,
    OrbitConv2d,
    OrbitLinear,
    PointwiseNonlinearity,
    ReparamConv2d,
    ReparamLinear,
    Restrict2d,
    RestrictRegular2d,
    RingBasis,
    RotatingConv2d,
    SelectFields2d,
    SeparableGroupConv2d,
    SplitFields2d,
    SteerableConv2d,
    SteerableConvTranspose2d,
    SymmetryCorrelation2d,
    SymmetryFilter2d,
    TensorProductNonlinearity,
    Upsample2d,
    WallpaperConv2d,
)

TILTED = (D(1, axis=45), D(2, axis=135))  # mirrors along the diagonals
FINITE = (*TILTED, C(1), C(2), C(3), C(4), C(6), C(8), D(1), D(2), D(3), D(4), D(6), D(8))
ALL = (*FINITE, SO2, O2)
CYCLIC = tuple(g for g in FINITE if not g.mirrors)
ON_GRID = tuple(g for g in FINITE if g.exact_on_grid)

Made = tuple[nn.Module, FieldType, FieldType]


@dataclass(frozen=True)
class Case:
    """A layer under test."""

    name: str
    make: Callable[..., Made]
    groups: tuple[Group, ...] = FINITE
    size: int = 7
    train: bool = False
    checks_channels: bool = True
    names_group: bool = True
    finer: bool = False


def groups_of(case: Case) -> tuple[Group, ...]:
    return case.groups


def elements_on_grid(group: Group) -> list[tuple[int, bool]]:
    """The elements that keep the pixel grid, as quarter turns and whether the flip acts first."""
    if isinstance(group, PointGroup):
        turns = [(group.quarter_turns(g), g >= group.n) for g in range(group.order)]
        return [(int(q), flip) for q, flip in turns if q == int(q)]
    return [(q, flip) for flip in ((False, True) if group.mirrors else (False,)) for q in range(4)]


def act_on(x: Tensor, field_type: FieldType, quarter_turns: int, flip: bool) -> Tensor:
    """The action of such an element on a feature map: channels by the representation, pixels by rot90."""
    x = field_type.act(x, quarter_turns * math.pi / 2, flip)
    return torch.rot90(x.flip(-1) if flip else x, quarter_turns, (-2, -1))


def scalars(group: Group, number: int) -> FieldType:
    return FieldType.of((number, trivial(group)))


def mixed(group: Group) -> FieldType:
    """Every irrep up to frequency 2, and where there are, regular and quotient fields, with one out of order."""
    fields = [irrep(group, i.frequency, odd=i.odd) for i in irreps(group, 2)]
    if isinstance(group, PointGroup):
        fields += [
            regular(group),
            quotient(group, D(1, axis=group.axis) if group.mirrors else C(1)),
            fields[0],
            regular(group),
        ]
    return FieldType(group, (*fields, fields[-1]))


def permuted(group: Group) -> FieldType:
    assert isinstance(group, PointGroup)
    return FieldType.of((1, trivial(group)), (2, regular(group)), (1, quotient(group, C(group.n))))


def reg(group: Group, number: int) -> FieldType:
    assert isinstance(group, PointGroup)
    return FieldType.regular(group, number)


def orbit_conv(group: PointGroup) -> Made:
    """The group convolution of C_n or D_n, n dividing 4, stated by its generators alone."""
    step, n = 4 // group.n, group.n
    generators = []
    for g, pixel in [(1 % n, step % 4)] + ([(n, 4 + int(group.quarter_turns(n)))] if group.mirrors else []):
        move = group.product_table[g]  # element h goes to g h
        both = [(move + group.order * c).tolist() for c in range(2)]
        generators.append((both[0] + both[1], both[0] + both[1], pixel))
    layer = OrbitConv2d(2 * group.order, 2 * group.order, 3, generators=generators, padding=1)
    return layer, reg(group, 2), reg(group, 2)


def rotating(reduce: str) -> Callable[[PointGroup], Made]:
    def make(group: PointGroup) -> Made:
        layer = RotatingConv2d(2, 3, 3, rotations=group.n, reduce=reduce, padding=1)
        return layer, scalars(group, 2), reg(group, 3) if reduce == "none" else scalars(group, 3)

    return make


def restricted(group: PointGroup) -> Made:
    inner = C(group.n)
    return (
        RestrictRegular2d(2, group=group, to=inner),
        reg(group, 2).restrict(inner),
        reg(inner, 2 * group.order // inner.order),
    )


def correlation(group: PointGroup) -> Made:
    layer = CorrelationPool2d(group=group)
    return layer, reg(group, 2), scalars(group, layer.out_channels(2))


def gated(group: Group) -> Made:
    layer = GatedNonlinearity(mixed(group))
    return layer, layer.in_type, mixed(group)


def bent(group: Group) -> FieldType:
    """Induced fields: of the turns, where there are mirrors, else of nothing."""
    inner = (C(group.n if group.mirrors else 1)) if isinstance(group, PointGroup) else SO2
    frequency = 1 if not isinstance(inner, PointGroup) or inner.n > 1 else 0
    return FieldType.of((2, induced(group, irrep(inner, frequency))))


def part_of(group: Group) -> int:
    """Components of the parts of those."""
    return 2 if not isinstance(group, PointGroup) or (group.mirrors and group.n > 2) else 1


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


def pooled_to(group: PointGroup) -> Made:
    """From D_n to C_n, mirrors pooled and turns kept; from C_n to the turns by twice the angle, where there are any."""
    inner = C(group.n if group.mirrors or group.n % 2 else group.n // 2)
    layer = GroupPool2d(group=group, to=inner)
    return layer, reg(group, 2).restrict(inner), layer.out_type(2)


def pooled_over(group: PointGroup) -> Made:
    layer = GroupPool2d(
        group=group, over=D(1, axis=group.axis) if group.mirrors else C(group.n // 2 or 1), reduce="mean"
    )
    return layer, reg(group, 2), layer.out_type(2)


def same(layer: Callable[[Group], nn.Module], of: Callable[[Group], FieldType]) -> Callable[[Group], Made]:
    return lambda g: (layer(g), of(g), of(g))


CASES = (
    Case("LiftConv2d", lambda g: (LiftConv2d(2, 3, 3, group=g, padding=1), scalars(g, 2), reg(g, 3))),
    *(
        Case(
            f"LiftConv2d-padding-{mode}",
            lambda g, mode=mode: (LiftConv2d(2, 3, 3, group=g, padding=2, padding_mode=mode), scalars(g, 2), reg(g, 3)),
        )
        for mode in ("circular", "reflect", "replicate")
    ),
    Case(
        "LiftConv2d-even",
        lambda g: (LiftConv2d(2, 3, 4, group=g, stride=2, padding=1), scalars(g, 2), reg(g, 3)),
        groups=ON_GRID,
        size=8,
    ),
    Case(
        "GroupConv2d-even",
        lambda g: (GroupConv2d(2, 3, 2, group=g, stride=2), reg(g, 2), reg(g, 3)),
        groups=ON_GRID,
        size=8,
    ),
    Case(
        "GroupConv2d-periodic",
        lambda g: (GroupConv2d(2, 3, 3, group=g, padding="same", padding_mode="circular"), reg(g, 2), reg(g, 3)),
    ),
    Case(
        "GroupConvTranspose2d-even",
        lambda g: (GroupConvTranspose2d(2, 2, 4, group=g, stride=2, padding=1, groups=2), reg(g, 2), reg(g, 2)),
        groups=ON_GRID,
        size=4,
    ),
    Case(
        "SteerableConv2d-even", steerable(SteerableConv2d, stride=2, padding=1, kernel_size=4), groups=ON_GRID, size=8
    ),
    Case("GroupPool2d-to", pooled_to, checks_channels=False),
    Case("GroupPool2d-over", pooled_over, checks_channels=False),
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
    Case(
        "LiftConv2d-5-stride2", lambda g: (LiftConv2d(1, 2, 5, group=g, stride=2, padding=2), scalars(g, 1), reg(g, 2))
    ),
    Case("GroupConv2d", lambda g: (GroupConv2d(2, 3, 3, group=g, padding=1), reg(g, 2), reg(g, 3))),
    Case(
        "LiftConv2d-circular",
        lambda g: (LiftConv2d(2, 3, 5, group=g, padding=2, basis="circular"), scalars(g, 2), reg(g, 3)),
    ),
    Case(
        "GroupConv2d-circular",
        lambda g: (GroupConv2d(2, 3, 3, group=g, padding=1, basis="circular"), reg(g, 2), reg(g, 3)),
    ),
    Case(
        "LiftConv2d-pixels",
        lambda g: (LiftConv2d(2, 3, 5, group=g, padding=2, basis="pixels"), scalars(g, 2), reg(g, 3)),
        groups=ON_GRID,
    ),
    Case(
        "GroupConv2d-pixels",
        lambda g: (GroupConv2d(2, 3, 3, group=g, padding=1, basis="pixels"), reg(g, 2), reg(g, 3)),
        groups=ON_GRID,
    ),
    Case("GroupConv2d-1x1", lambda g: (GroupConv2d(2, 3, 1, group=g), reg(g, 2), reg(g, 3))),
    Case("GroupConv2d-stride2", lambda g: (GroupConv2d(2, 2, 3, group=g, stride=2, padding=1), reg(g, 2), reg(g, 2))),
    Case("GroupConv2d-dilated", lambda g: (GroupConv2d(2, 2, 3, group=g, dilation=2, padding=2), reg(g, 2), reg(g, 2))),
    Case("GroupConv2d-grouped", lambda g: (GroupConv2d(4, 2, 3, group=g, groups=2, padding=1), reg(g, 4), reg(g, 2))),
    Case(
        "GroupConvTranspose2d",
        lambda g: (GroupConvTranspose2d(2, 3, 5, group=g, stride=2, padding=2), reg(g, 2), reg(g, 3)),
        size=5,
        finer=True,
    ),
    Case("GroupDepthwiseConv2d", lambda g: (GroupDepthwiseConv2d(3, 3, group=g, padding=1), reg(g, 3), reg(g, 3))),
    Case(
        "SeparableGroupConv2d",
        lambda g: (SeparableGroupConv2d(2, 3, 3, group=g, padding=1), reg(g, 2), reg(g, 3)),
    ),
    Case(
        "GroupResidualBlock",
        lambda g: (GroupResidualBlock(2, 3, group=g, stride=2), reg(g, 2), reg(g, 3)),
    ),
    Case("GroupBatchNorm2d", same(lambda g: GroupBatchNorm2d(3, group=g), lambda g: reg(g, 3))),
    Case(
        "GroupBatchNorm2d-train",
        same(lambda g: GroupBatchNorm2d(3, group=g), lambda g: reg(g, 3)),
        train=True,
    ),
    Case("GroupPool2d", lambda g: (GroupPool2d(group=g), reg(g, 3), scalars(g, 3)), checks_channels=False),
    Case(
        "GroupPool2d-mean",
        lambda g: (GroupPool2d(group=g, reduce="mean"), reg(g, 3), scalars(g, 3)),
        checks_channels=False,
    ),
    Case("CorrelationPool2d", correlation, groups=tuple(g for g in FINITE if g.order > 1), checks_channels=False),
    Case("SteerableConv2d", steerable(SteerableConv2d, padding=1), groups=ALL),
    Case("SteerableConv2d-stride2", steerable(SteerableConv2d, stride=2, padding=1), groups=ALL),
    Case("SteerableConv2d-dilated", steerable(SteerableConv2d, dilation=2, padding=2), groups=(C(4), O2)),
    Case(
        "SteerableConv2d-grouped",
        lambda g: (
            SteerableConv2d(mixed(g) + mixed(g), mixed(g) + mixed(g), 3, groups=2, padding=1),
            mixed(g) + mixed(g),
            mixed(g) + mixed(g),
        ),
        groups=(C(6), D(4), SO2),
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
    Case(
        "NormMaxPool2d-padded", same(lambda g: NormMaxPool2d(mixed(g), 3, 2, padding=1), mixed), groups=(C(4), D(4), O2)
    ),
    Case("FieldMagnitude2d", lambda g: (FieldMagnitude2d(mixed(g)), mixed(g), scalars(g, len(mixed(g)))), groups=ALL),
    Case(
        "BlurPool2d-unpadded",
        same(lambda _: BlurPool2d(1, sigma=0.66, radius=2, padding=0), mixed),
        groups=(C(4), D(4), O2),
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
    Case("RestrictRegular2d", restricted, groups=(D(2), D(4), D(3), C(4))),
    Case("RotatingConv2d", rotating("none"), groups=CYCLIC, names_group=False),
    Case("RotatingConv2d-max", rotating("max"), groups=CYCLIC, names_group=False),
    Case("RotatingConv2d-mean", rotating("mean"), groups=CYCLIC, names_group=False),
    Case("OrbitConv2d", orbit_conv, groups=ON_GRID, names_group=False),
    Case(
        "SymmetryFilter2d",
        lambda g: (SymmetryFilter2d(2, 3, 3, kind="rotation", order=g.n), scalars(g, 2), scalars(g, 3)),
        groups=(C(2), C(3), C(4), C(6), C(8)),
        names_group=False,
    ),
)


def untyped(layer: Callable[[], nn.Module], channels: int = 2) -> Callable[[Group], Made]:
    return lambda g: (layer(), scalars(g, channels), scalars(g, channels))


def mixed_of_eight() -> FieldType:
    return FieldType.of((1, regular(C(4))), (2, irrep(C(4), 1)))


def cycle(n: int) -> tuple[list[int], list[int]]:
    return ([*range(1, n), 0],) * 2


# Layers whose symmetry is no point group about the middle of the map; it has tests of its own. What a module owes its
# users they owe too.
OTHERS = (
    Case("OrbitLinear", untyped(lambda: OrbitLinear(7, 7, generators=[cycle(7)])), checks_channels=False),
    Case(
        "OrbitLinear-channels",
        untyped(lambda: OrbitLinear(7, 7, generators=[cycle(7)], channels=(7, 3))),
        checks_channels=False,
    ),
    *(
        Case(name, untyped(make), size=8, checks_channels=False)
        for name, make in (
            ("IsotypicTransform", lambda: IsotypicTransform(group=D(2))),
            ("IsotypicLinear", lambda: IsotypicLinear(2, 3, group=D(2))),
            ("IsotypicLinear-turning", lambda: IsotypicLinear(2, 3, group=C(4), bias=False)),
            ("IsotypicNonlinearity", lambda: IsotypicNonlinearity(group=D(4))),
            ("IsotypicNorm", lambda: IsotypicNorm(2, group=D(2))),
            ("IsotypicInvariants", lambda: IsotypicInvariants(1, group=D(4))),
            ("FieldLinear", lambda: FieldLinear(mixed_of_eight(), mixed_of_eight())),
        )
    ),
    Case("WallpaperConv2d", untyped(lambda: WallpaperConv2d(2, 3, 3, group="p4g", cell=4)), size=8),
    Case("WallpaperConv2d-hexagonal", untyped(lambda: WallpaperConv2d(2, 3, 5, group="p6", cell=1)), size=8),
    Case("ReparamLinear", untyped(lambda: ReparamLinear(7, 5, free_weights=4)), checks_channels=False),
    Case("ReparamConv2d", untyped(lambda: ReparamConv2d(2, 3, 3, padding=1))),
    Case(
        "SymmetryCorrelation2d",
        untyped(lambda: SymmetryCorrelation2d(group=D(4), periodic=False)),
        checks_channels=False,
    ),
)
