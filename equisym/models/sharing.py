"""Kinds of weight sharing: a factory of layers for each, found by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from equisym.groups import C, D, PointGroup, trivial
from equisym.groups.representation import generators as group_generators
from equisym.nn import (
    FieldType,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupPool2d,
    LiftConv2d,
    OrbitConv2d,
    ReparamConv2d,
    RotatingConv2d,
    SeparableGroupConv2d,
    SteerableConv2d,
)


@dataclass(frozen=True)
class Sharing:
    """Makes layers that share weights in one way, their sizes counted in fields; the base class has regular fields.

    A kind defines how its layers are made: :meth:`lift` from the image to fields and :meth:`conv` from fields to
    fields, both with a padding at which stride 1 keeps the size. :meth:`of` finds a kind by its name.

    Args:
        group: the point group.

    Raises:
        ValueError: for an unknown kind, or a group that the kind does not support.

    >>> import torch
    >>> from equisym.groups import D
    >>> Sharing.of("separable", D(4)).conv(2, 3, 3)(torch.zeros(1, 16, 9, 9)).shape
    torch.Size([1, 24, 9, 9])
    """

    group: PointGroup
    basis: ClassVar[str | None] = None  # of the kernels of group convolutions

    def __post_init__(self) -> None:
        """Raise for a group that the kind does not support."""

    @staticmethod
    def of(kind: str, group: PointGroup) -> Sharing:
        """The factory of a kind, one of ``KINDS``."""
        if kind not in KINDS:
            raise ValueError(f"conv must be one of {', '.join(KINDS)} (got {kind!r})")
        return KINDS[kind](group)

    @property
    def invariance(self) -> PointGroup:
        """The group whose action on the image leaves the network's answer unchanged."""
        return self.group

    @property
    def multiplicity(self) -> int:
        """Channels of a field."""
        return self.group.order

    def lift(self, in_channels: int, fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """The first layer: from the image to fields."""
        steps = _steps(kernel_size, stride)
        return LiftConv2d(in_channels, fields, kernel_size, group=self.group, basis=self.basis, **steps)

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer: from fields to fields."""
        steps = _steps(kernel_size, stride)
        return GroupConv2d(in_fields, out_fields, kernel_size, group=self.group, basis=self.basis, **steps)

    def norm(self, fields: int) -> nn.Module:
        """Batch normalisation that keeps the symmetry."""
        return GroupBatchNorm2d(fields, group=self.group)

    def pool(self) -> nn.Module:
        """From fields to maps that rotate with the input like images."""
        return GroupPool2d(group=self.group)

    def pooled(self, fields: int) -> int:
        """Channels of a feature map after :meth:`pool`."""
        return fields


class Regular(Sharing):
    """Group convolutions."""


class Pixels(Sharing):
    """Group convolutions with a weight for each pixel, where the group keeps the pixel grid."""

    basis = "pixels"


class BandLimited(Sharing):
    """Group convolutions with the same kernels in other coordinates, waves on rings."""

    basis = "circular"


class Separable(Sharing):
    """Group convolutions, depthwise in space and then 1x1."""

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer: from fields to fields."""
        if kernel_size == 1:
            return super().conv(in_fields, out_fields, kernel_size, stride=stride)
        steps = _steps(kernel_size, stride)
        return SeparableGroupConv2d(in_fields, out_fields, kernel_size, group=self.group, **steps)


class Steerable(Sharing):
    """Convolutions with kernels from the projectors of the group."""

    def lift(self, in_channels: int, fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """The first layer: from the image to fields."""
        image = FieldType.of((in_channels, trivial(self.group)))
        return SteerableConv2d(image, self._fields(fields), kernel_size, **_steps(kernel_size, stride))

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer: from fields to fields."""
        types = self._fields(in_fields), self._fields(out_fields)
        return SteerableConv2d(*types, kernel_size, **_steps(kernel_size, stride))

    def _fields(self, number: int) -> FieldType:
        return FieldType.regular(self.group, number)


class Orbit(Sharing):
    """Weights shared along orbits of channels and pixels; the group must keep the pixel grid."""

    def __post_init__(self) -> None:
        if 4 % self.group.n or self.group.axis:
            raise ValueError(f"orbit sharing needs a group that keeps the pixel grid, n in 1, 2, 4 (got {self.group})")

    def lift(self, in_channels: int, fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """The first layer: from the image to fields."""
        return self._shared(in_channels, 1, fields, kernel_size, stride)

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer: from fields to fields."""
        return self._shared(in_fields, self.group.order, out_fields, kernel_size, stride)

    def _shared(self, fields: int, size: int, out_fields: int, kernel_size: int, stride: int) -> nn.Module:
        group, quarter = self.group, 4 // self.group.n

        def moved(number: int, size: int, g: int) -> list[int]:
            within = [group.product(g, h) for h in range(group.order)] if size > 1 else [0]
            return [f * size + h for f in range(number) for h in within]

        square = [quarter * (g % group.n) + 4 * (g // group.n) for g in range(D(group.n).order)]
        return OrbitConv2d(
            fields * size,
            out_fields * group.order,
            kernel_size,
            generators=[
                (moved(fields, size, g), moved(out_fields, group.order, g), square[g]) for g in group_generators(group)
            ],
            **_steps(kernel_size, stride),
        )


class Channelwise(Sharing):
    """The kinds whose layers count channels and know no fields: lifting is a convolution like the others."""

    def lift(self, in_channels: int, fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """The first layer: from the image to channels."""
        return self.convolution(in_channels, fields * self.multiplicity, kernel_size, stride)

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer, between as many channels as the fields have."""
        channels = in_fields * self.multiplicity, out_fields * self.multiplicity
        return self.convolution(*channels, kernel_size, stride)

    def convolution(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Module:
        """A convolution between channels."""
        raise NotImplementedError

    def norm(self, fields: int) -> nn.Module:
        """Batch normalisation of channels."""
        return nn.BatchNorm2d(fields * self.multiplicity)

    def pool(self) -> nn.Module:
        """The identity: a channel is a map already."""
        return nn.Identity()

    def pooled(self, fields: int) -> int:
        """Channels of a feature map after :meth:`pool`."""
        return fields * self.multiplicity


class Rotating(Channelwise):
    """Each kernel in all orientations, reduced to the maximum: a field is one channel."""

    def __post_init__(self) -> None:
        if self.group.mirrors:
            raise ValueError(f"rotating kernels only rotate (got {self.group}): use C{self.group.n}, or another conv")

    @property
    def multiplicity(self) -> int:
        """Channels of a field: one."""
        return 1

    def convolution(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Module:
        """A convolution between channels."""
        options = {"rotations": self.group.n, "reduce": "max", **_steps(kernel_size, stride)}
        return RotatingConv2d(in_channels, out_channels, kernel_size, **options)


class Plain(Channelwise):
    """Ordinary convolutions between as many channels as the group's fields have."""

    layer: ClassVar[type[nn.Module]] = nn.Conv2d

    @property
    def invariance(self) -> PointGroup:
        """No symmetry is built in."""
        return C(1)

    def convolution(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Module:
        """A convolution between channels."""
        return self.layer(in_channels, out_channels, kernel_size, **_steps(kernel_size, stride))


class Learned(Plain):
    """A sharing pattern learned with the weights, between as many channels as the group's fields have."""

    layer = ReparamConv2d


KINDS: dict[str, type[Sharing]] = {
    "regular": Regular,
    "pixels": Pixels,
    "band-limited": BandLimited,
    "separable": Separable,
    "steerable": Steerable,
    "orbit": Orbit,
    "rotating": Rotating,
    "learned": Learned,
    "plain": Plain,
}
"""The kinds by the name that the architectures' ``conv`` takes."""


def _steps(kernel_size: int, stride: int) -> dict:
    """Options of a convolution before a norm: odd kernels keep the size at stride 1, even ones halve it at stride 2."""
    return {"stride": stride, "padding": (kernel_size - 1) // 2, "bias": False}


def parse_group(group: PointGroup | str) -> PointGroup:
    """A point group, or its name."""
    return PointGroup.parse(group) if isinstance(group, str) else group
