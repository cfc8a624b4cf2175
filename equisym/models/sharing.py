"""How a network shares its weights, by one word: which layers it is made of."""

from __future__ import annotations

from dataclasses import dataclass

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

KINDS = ("regular", "separable", "steerable", "orbit", "rotating", "learned", "plain")


@dataclass(frozen=True)
class Sharing:
    """Makes the layers of one kind, all counted in fields.

    Args:
        kind: ``"regular"``: group convolutions; ``"separable"``: the same, depthwise then 1x1; ``"steerable"``: kernels
            from the projectors of the group; ``"orbit"``: weights shared along orbits of channels and pixels;
            ``"rotating"``: each kernel in all orientations, the greatest answer kept (a field is one channel);
            ``"learned"``: a sharing pattern learned with the weights; ``"plain"``: ordinary convolutions. The last two
            have as many channels as the group's fields.
        group: the point group.

    Raises:
        ValueError: for an unknown kind, or a group that the kind cannot do.

    >>> import torch
    >>> from equisym.groups import D
    >>> Sharing("separable", D(4)).conv(2, 3, 3)(torch.zeros(1, 16, 9, 9)).shape
    torch.Size([1, 24, 9, 9])
    """

    kind: str
    group: PointGroup

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"conv must be one of {', '.join(KINDS)} (got {self.kind!r})")
        if self.kind == "rotating" and self.group.mirrors:
            raise ValueError(f"rotating kernels only rotate (got {self.group}): use C{self.group.n}, or another conv")
        if self.kind == "orbit" and 4 % self.group.n:
            raise ValueError(f"orbit sharing needs a group that keeps the pixel grid, n in 1, 2, 4 (got {self.group})")

    @property
    def invariance(self) -> PointGroup:
        """The group whose action on the image leaves the network's answer unchanged."""
        return C(1) if self.kind in ("plain", "learned") else self.group

    @property
    def multiplicity(self) -> int:
        """Channels of a field."""
        return 1 if self.kind == "rotating" else self.group.order

    def lift(self, in_channels: int, fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """The first layer: from the image to fields."""
        padding = kernel_size // 2
        if self.kind in ("regular", "separable"):
            return LiftConv2d(
                in_channels, fields, kernel_size, group=self.group, stride=stride, padding=padding, bias=False
            )
        if self.kind == "steerable":
            image = FieldType.of((in_channels, trivial(self.group)))
            to = FieldType.regular(self.group, fields)
            return SteerableConv2d(image, to, kernel_size, stride=stride, padding=padding, bias=False)
        if self.kind == "orbit":
            return self._orbit(in_channels, fields, kernel_size, stride, lifting=True)
        return self._channelwise(in_channels, fields * self.multiplicity, kernel_size, stride)

    def conv(self, in_fields: int, out_fields: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
        """A further layer: from fields to fields, the padding such that stride 1 keeps the size."""
        padding = kernel_size // 2
        if self.kind == "separable" and kernel_size > 1:
            return SeparableGroupConv2d(
                in_fields, out_fields, kernel_size, group=self.group, stride=stride, padding=padding, bias=False
            )
        if self.kind in ("regular", "separable"):
            return GroupConv2d(
                in_fields, out_fields, kernel_size, group=self.group, stride=stride, padding=padding, bias=False
            )
        if self.kind == "steerable":
            in_type, out_type = (FieldType.regular(self.group, n) for n in (in_fields, out_fields))
            return SteerableConv2d(in_type, out_type, kernel_size, stride=stride, padding=padding, bias=False)
        if self.kind == "orbit":
            return self._orbit(in_fields, out_fields, kernel_size, stride, lifting=False)
        return self._channelwise(in_fields * self.multiplicity, out_fields * self.multiplicity, kernel_size, stride)

    def norm(self, fields: int) -> nn.Module:
        """Batch normalisation that keeps the symmetry."""
        if self.kind in ("rotating", "learned", "plain"):
            return nn.BatchNorm2d(fields * self.multiplicity)
        return GroupBatchNorm2d(fields, group=self.group)

    def pool(self) -> nn.Module:
        """From fields to maps that turn with the input as images do."""
        return nn.Identity() if self.kind in ("rotating", "learned", "plain") else GroupPool2d(group=self.group)

    def pooled(self, fields: int) -> int:
        """Channels of a feature map after :meth:`pool`."""
        return fields * self.multiplicity if self.kind in ("learned", "plain") else fields

    def _channelwise(self, channels_in: int, channels_out: int, kernel_size: int, stride: int) -> nn.Module:
        sizes, padding = (channels_in, channels_out, kernel_size), kernel_size // 2
        if self.kind == "rotating":
            turns = self.group.n
            return RotatingConv2d(*sizes, rotations=turns, reduce="max", stride=stride, padding=padding, bias=False)
        if self.kind == "learned":
            return ReparamConv2d(*sizes, stride=stride, padding=padding, bias=False)
        return nn.Conv2d(*sizes, stride, padding, bias=False)

    def _orbit(self, fields_in: int, fields_out: int, kernel_size: int, stride: int, *, lifting: bool) -> nn.Module:
        group = self.group

        def moved(fields: int, g: int) -> list[int]:
            return [f * group.order + group.product(g, h) for f in range(fields) for h in range(group.order)]

        quarter = 4 // group.n
        square = [quarter * (g % group.n) + 4 * (g // group.n) for g in range(D(group.n).order)]
        channels = fields_in if lifting else fields_in * group.order
        generators = [
            (list(range(fields_in)) if lifting else moved(fields_in, g), moved(fields_out, g), square[g])
            for g in group_generators(group)
        ]
        return OrbitConv2d(
            channels,
            fields_out * group.order,
            kernel_size,
            generators=generators,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        )


def parse_group(group: PointGroup | str) -> PointGroup:
    """A point group, or its name."""
    return PointGroup.parse(group) if isinstance(group, str) else group
