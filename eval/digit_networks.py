"""The C8 network that e2cnn and escnn publish for rotated digits, on their layers, on ours, and a plain one.

The plan: a soft disc, six convolutions with 24, 48, 48, 96, 96 and 64 regular fields, a norm and a ReLU after each,
antialiased average pooling after the second, fourth and sixth, the greatest value over the group, two linear layers.
Images of 29 x 29 end as one pixel. Source: Cesa, Lang & Weiler, escnn, examples/model.ipynb, and e2cnn's of that name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

FIELDS = (24, 48, 48, 96, 96, 64)
KERNELS = ((7, 1), (5, 2), (5, 2), (5, 2), (5, 2), (5, 1))  # side and padding
BASES = {"group": None, "rings": "circular"}  # of the weights of our group convolutions
SIZE, ROTATIONS, SIGMA = 29, 8, 0.66


class Theirs(nn.Module):
    """The plan on the layers of escnn or e2cnn."""

    def __init__(self, name: str, fields: list[int]) -> None:
        super().__init__()
        lib, spaces = importlib.import_module(f"{name}.nn"), importlib.import_module(f"{name}.gspaces")
        space = (spaces.rot2dOnR2 if name == "escnn" else spaces.Rot2dOnR2)(ROTATIONS)
        blur = lib.PointwiseAvgPoolAntialiased
        self.wrap, self.image = lib.GeometricTensor, lib.FieldType(space, [space.trivial_repr])
        layers, inner = [lib.MaskModule(self.image, SIZE, margin=1)], self.image
        for number, (count, (k, padding)) in enumerate(zip(fields, KERNELS, strict=True)):
            outer = lib.FieldType(space, count * [space.regular_repr])
            layers += [lib.R2Conv(inner, outer, k, padding=padding, bias=False), lib.InnerBatchNorm(outer)]
            layers.append(lib.ReLU(outer, inplace=True))
            if number in (1, 3):
                layers.append(blur(outer, sigma=SIGMA, stride=2))
            inner = outer
        layers += [blur(inner, sigma=SIGMA, stride=1, padding=0), lib.GroupPooling(inner)]
        self.trunk, self.head = lib.SequentialModule(*layers), head(fields[-1])

    def forward(self, x: Tensor) -> Tensor:
        y: Any = self.trunk(self.wrap(x, self.image))
        return self.head(y.tensor.flatten(1))


class Ours(nn.Module):
    """The plan on ours: group convolutions in two coordinates, steerable ones, or plain ones."""

    def __init__(self, kind: str, fields: list[int]) -> None:
        super().__init__()
        from equisym.groups import C, trivial
        from equisym.nn import (
            BlurPool2d,
            DiscMask2d,
            FieldType,
            GroupBatchNorm2d,
            GroupConv2d,
            GroupPool2d,
            LiftConv2d,
            SteerableConv2d,
        )

        group = C(ROTATIONS if kind != "plain" else 1)
        layers: list[nn.Module] = [DiscMask2d(margin=1, sigma=2)]
        inner = 1
        for number, (count, (k, padding)) in enumerate(zip(fields, KERNELS, strict=True)):
            if kind == "plain":
                conv: nn.Module = nn.Conv2d(inner, count, k, padding=padding, bias=False)
            elif kind == "steerable":
                type_in = FieldType.regular(group, inner) if number else FieldType.of((1, trivial(group)))
                conv = SteerableConv2d(type_in, FieldType.regular(group, count), k, padding=padding, bias=False)
            else:
                make = GroupConv2d if number else LiftConv2d
                conv = make(inner, count, k, group=group, padding=padding, basis=BASES[kind], bias=False)
            layers += [conv, GroupBatchNorm2d(count, group=group), nn.ReLU(inplace=True)]
            if number in (1, 3):
                layers.append(BlurPool2d(2, sigma=SIGMA))
            inner = count
        layers += [BlurPool2d(1, sigma=SIGMA), GroupPool2d(group=group)]
        self.trunk, self.head = nn.Sequential(*layers), head(fields[-1])

    def forward(self, x: Tensor) -> Tensor:
        y = self.trunk(x)
        return self.head(y[..., y.shape[-2] // 2, y.shape[-1] // 2])  # the pixel at which the window lies inside


def head(features: int) -> nn.Module:
    """The two linear layers."""
    return nn.Sequential(nn.Linear(features, 64), nn.BatchNorm1d(64), nn.ELU(inplace=True), nn.Linear(64, 10))


def parameters(model: nn.Module) -> int:
    """Free numbers of a network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def digit_network(name: str, scale: float) -> nn.Module:
    """A network of the comparison.

    Args:
        name: "e2cnn", "escnn"; "group", "rings" or "steerable" on our layers; or "plain", with as many parameters.
        scale: of the published numbers of fields; 1 is the plan as published.
    """

    def made(build: Callable[[str, list[int]], nn.Module], wider: float = 1.0) -> nn.Module:
        return build(name, [max(1, round(count * scale * wider)) for count in FIELDS])

    if name in ("e2cnn", "escnn"):
        return made(Theirs)
    if name != "plain":
        return made(Ours)
    wanted, wider = parameters(digit_network("steerable", scale)), 1.0
    while parameters(made(Ours, wider)) < wanted:
        wider *= 1.02
    return made(Ours, wider)
