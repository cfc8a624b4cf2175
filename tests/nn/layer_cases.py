"""One case for each layer: how to build it for a group, and the types of its input and output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equisym.groups import O2, SO2, C, D, Group, PointGroup, irrep, irreps, quotient, regular, trivial
from equisym.nn import (
    BlurPool2d,
    CorrelationPool2d,
    DiscMask2d,
    FieldBatchNorm2d,
    FieldDropout2d,
    FieldGroupNorm2d,
    FieldInstanceNorm2d,
    FieldLayerNorm2d,
    FieldMagnitude2d,
    FieldType,
    FourierNonlinearity,
    GatedNonlinearity,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupDepthwiseConv2d,
    GroupPool2d,
    GroupResidualBlock,
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
    RotatingConv2d,
    SeparableGroupConv2d,
    SteerableConv2d,
    SteerableConvTranspose2d,
    SymmetryCorrelation2d,
    SymmetryFilter2d,
    Upsample2d,
    WallpaperConv2d,
)

FINITE = (C(1), C(2), C(3), C(4), C(6), C(8), D(1), D(2), D(3), D(4), D(6), D(8))
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
    turns = [q for q in range(4) if not isinstance(group, PointGroup) or (q * group.n) % 4 == 0]
    return [(q, flip) for flip in ((False, True) if group.mirrors else (False,)) for q in turns]


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
        fields += [regular(group), quotient(group, D(1) if group.mirrors else C(1)), fields[0], regular(group)]
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
    for g, pixel in [(1 % n, step % 4)] + ([(n, 4)] if group.mirrors else []):
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


def fourier(group: Group) -> Made:
    samples = None if isinstance(group, PointGroup) else 12
    layer = FourierNonlinearity(2, group=group, max_frequency=2, samples=samples)
    return layer, layer.field_type, layer.field_type


def steerable(layer: type[nn.Module], kernel_size: int = 3, **options) -> Callable[[Group], Made]:
    return lambda g: (layer(mixed(g), mixed(g), kernel_size, **options), mixed(g), mixed(g))


def pooled_to(group: PointGroup) -> Made:
    """From D_n to C_n: mirrors pooled, turns kept."""
    inner = C(group.n)
    layer = GroupPool2d(group=group, to=inner)
    return layer, reg(group, 2).restrict(inner), layer.out_type(2)


def pooled_over(group: PointGroup) -> Made:
    layer = GroupPool2d(group=group, over=D(1) if group.mirrors else C(group.n // 2 or 1), reduce="mean")
    return layer, reg(group, 2), layer.out_type(2)


def same(layer: Callable[[Group], nn.Module], of: Callable[[Group], FieldType]) -> Callable[[Group], Made]:
    return lambda g: (layer(g), of(g), of(g))


CASES = (
    Case("LiftConv2d", lambda g: (LiftConv2d(2, 3, 3, group=g, padding=1), scalars(g, 2), reg(g, 3))),
    *(
        Case(
            f"LiftConv2d-padding-{mode}",
            lambda g, mode=mode: (LiftConv2d(2, 3, 3, group=g, padding=2, padding_mode=mode), scalars(g, 2), reg(g, 3)),
            groups=ON_GRID,
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
        groups=ON_GRID,
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
    Case("GroupPool2d-to", pooled_to, groups=(D(1), D(2), D(4)), checks_channels=False),
    Case("GroupPool2d-over", pooled_over, groups=ON_GRID, checks_channels=False),
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
        groups=ON_GRID,
    ),
    Case(
        "GroupConv2d-circular",
        lambda g: (GroupConv2d(2, 3, 3, group=g, padding=1, basis="circular"), reg(g, 2), reg(g, 3)),
        groups=ON_GRID,
    ),
    Case(
        "LiftConv2d-steerable",
        lambda g: (LiftConv2d(2, 3, 5, group=g, padding=2, basis="steerable"), scalars(g, 2), reg(g, 3)),
    ),
    Case(
        "GroupConv2d-steerable",
        lambda g: (GroupConv2d(2, 3, 3, group=g, padding=1, basis="steerable"), reg(g, 2), reg(g, 3)),
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
    Case("CorrelationPool2d", correlation, groups=FINITE[1:], checks_channels=False),
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
    Case("FieldBatchNorm2d", same(lambda g: FieldBatchNorm2d(mixed(g)), mixed), groups=ALL),
    Case("FieldBatchNorm2d-train", same(lambda g: FieldBatchNorm2d(mixed(g)), mixed), groups=ALL, train=True),
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
    Case("FourierNonlinearity", fourier, groups=ALL),
    Case("NormMaxPool2d", same(lambda g: NormMaxPool2d(mixed(g), 3, 2), mixed), groups=ALL),
    Case("FieldMagnitude2d", lambda g: (FieldMagnitude2d(mixed(g)), mixed(g), scalars(g, len(mixed(g)))), groups=ALL),
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
