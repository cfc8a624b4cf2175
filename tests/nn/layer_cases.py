"""One case for each layer: those of regular fields here, those between any fields in field_cases."""

from __future__ import annotations

from collections.abc import Callable

from field_cases import FIELD_CASES
from layer_types import CYCLIC, FINITE, ON_GRID, Case, Made, reg, same, scalars
from torch import nn

from equisym.groups import C, D, Group, PointGroup, irrep, regular
from equisym.nn import (
    CorrelationPool2d,
    FieldLinear,
    FieldType,
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
    OrbitConv2d,
    OrbitLinear,
    ReparamConv2d,
    ReparamLinear,
    RestrictRegular2d,
    RotatingConv2d,
    SeparableGroupConv2d,
    SymmetryCorrelation2d,
    SymmetryFilter2d,
    WallpaperConv2d,
)


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
    Case("GroupPool2d-to", pooled_to, checks_channels=False),
    Case("GroupPool2d-over", pooled_over, checks_channels=False),
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
    *FIELD_CASES,
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
