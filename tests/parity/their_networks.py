"""Networks as users of escnn and e2cnn write them: own classes around the libraries' modules, to be imported whole."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def rotations(lib: Any, spaces: Any, n: int) -> Any:
    return (spaces.rot2dOnR2 if lib.__name__.startswith("escnn") else spaces.Rot2dOnR2)(n)


def mirrors(lib: Any, spaces: Any, n: int) -> Any:
    return (spaces.flipRot2dOnR2 if lib.__name__.startswith("escnn") else spaces.FlipRot2dOnR2)(n)


class Digits(nn.Module):
    """The plan of both libraries' tutorial: C8, regular fields, masks, antialiased pooling, a dense head."""

    def __init__(self, lib: Any, spaces: Any) -> None:
        super().__init__()
        self.tensor = lib.GeometricTensor
        space = rotations(lib, spaces, 8)
        stage = type("Stage", (lib.SequentialModule,), {})  # a user's class with nothing of its own
        self.image = lib.FieldType(space, [space.trivial_repr])
        before, self.stages = self.image, nn.ModuleList()
        plan = ((6, 7, 1, 0), (8, 5, 2, 2), (8, 5, 2, 0), (12, 5, 2, 2), (12, 5, 2, 0), (8, 5, 1, 1))
        for number, (fields, size, padding, stride) in enumerate(plan):
            after = lib.FieldType(space, fields * [space.regular_repr])
            layers = [lib.MaskModule(before, 29, margin=1)] if number == 0 else []
            layers += [lib.R2Conv(before, after, kernel_size=size, padding=padding, bias=False)]
            layers += [lib.InnerBatchNorm(after), lib.ReLU(after, inplace=True)]
            self.stages.append(stage(*layers))
            if stride == 2:
                pool = lib.PointwiseAvgPoolAntialiased(after, sigma=0.66, stride=2)
                self.stages.append(lib.SequentialModule(pool))
            before = after
        self.last = lib.PointwiseAvgPoolAntialiased(before, sigma=0.66, stride=1, padding=0)
        self.pool = lib.GroupPooling(before)
        self.head = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ELU(inplace=True), nn.Linear(64, 10))

    def forward(self, image: Tensor) -> Tensor:
        x = self.tensor(image, self.image)
        for stage in self.stages:
            x = stage(x)
        return self.head(self.pool(self.last(x)).tensor.flatten(1))


class PlainDigits(nn.Module):
    """The same forward pass on plain tensors, for the converted modules: no library is left in it."""

    def __init__(self, converted: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*converted.stages, converted.last, converted.pool)
        self.head = converted.head

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.trunk(image).flatten(1))


def wide_block(lib: Any) -> type[nn.Module]:
    """Pre-activated residual block, a module of the library's kind that a user defines."""

    def conv(before: Any, after: Any, size: int, stride: int = 1) -> Any:
        cutoff = {"sigma": None, "frequencies_cutoff": lambda radius: 3 * radius}
        return lib.R2Conv(before, after, size, padding=size // 2, stride=stride, bias=False, **cutoff)

    class WideBlock(lib.EquivariantModule):
        def __init__(self, before: Any, inner: Any, after: Any, stride: int, size: int) -> None:
            super().__init__()
            self.in_type, self.out_type = before, after
            self.first = lib.SequentialModule(lib.InnerBatchNorm(before), lib.ReLU(before, inplace=True))
            self.conv1 = conv(before, inner, size)
            self.norm, self.relu = lib.InnerBatchNorm(inner), lib.ReLU(inner, inplace=True)
            self.dropout = lib.PointwiseDropout(inner, p=0.3)
            self.conv2 = conv(inner, after, size, stride)
            self.shortcut = conv(before, after, 1, stride) if stride != 1 or before != after else None

        def forward(self, x: Any) -> Any:
            active = self.first(x)
            out = self.conv2(self.dropout(self.relu(self.norm(self.conv1(active)))))
            out += x if self.shortcut is None else self.shortcut(active)
            return out

        def evaluate_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

    return WideBlock


class WideResNet(nn.Module):
    """The plan of both libraries' wide residual network: D8 or C8, then its half, then one rotation; scalars last."""

    def __init__(self, lib: Any, spaces: Any, *, flip: bool, width: int = 1, blocks: int = 1) -> None:
        super().__init__()
        self.tensor, block = lib.GeometricTensor, wide_block(lib)
        self.space = mirrors(lib, spaces, 8) if flip else rotations(lib, spaces, 8)
        self.image = lib.FieldType(self.space, 3 * [self.space.trivial_repr])
        self.now = self._regular(lib, 16)
        cutoff = {"sigma": None, "frequencies_cutoff": lambda radius: 3 * radius}
        self.stem = lib.R2Conv(self.image, self.now, 5, padding=2, bias=False, **cutoff)
        stages: list[nn.Module] = []
        for number, rotations_left in enumerate((8, 4, 1)):
            if number:
                restrict = lib.RestrictionModule(self.now, (0, rotations_left) if flip else rotations_left)
                split = lib.DisentangleModule(restrict.out_type)
                self.now, self.space = split.out_type, split.out_type.gspace
                stages.append(lib.SequentialModule(restrict, split))
            inner = self._regular(lib, 16 * width * 2**number)
            after = lib.FieldType(self.space, 24 * [self.space.trivial_repr]) if number == 2 else inner
            parts = []
            for i in range(blocks):
                end = after if i == blocks - 1 else inner
                stride = 2 if number and i == 0 else 1
                parts.append(block(self.now, inner, end, stride, 5 if rotations_left == 8 else 3))
                self.now = end
            stages.append(lib.SequentialModule(*parts))
        self.stages = lib.ModuleList(stages) if hasattr(lib, "ModuleList") else nn.ModuleList(stages)
        self.norm, self.relu = lib.InnerBatchNorm(self.now, momentum=0.9), lib.ReLU(self.now, inplace=True)
        self.linear = nn.Linear(self.now.size, 10)

    def _regular(self, lib: Any, planes: int) -> Any:
        order = self.space.fibergroup.order()
        return lib.FieldType(self.space, max(1, int(planes / math.sqrt(order))) * [self.space.regular_repr])

    def forward(self, image: Tensor) -> Tensor:
        out = self.stem(self.tensor(image, self.image))
        for stage in self.stages:
            out = stage(out)
        out = self.relu(self.norm(out)).tensor
        return self.linear(functional.adaptive_avg_pool2d(out, 1).flatten(1))


class Repeated(nn.Module):
    """One layer in several places, as one non-linearity after each convolution often is."""

    def __init__(self, lib: Any, spaces: Any) -> None:
        super().__init__()
        self.tensor, space = lib.GeometricTensor, mirrors(lib, spaces, 4)
        self.image, fields = (
            lib.FieldType(space, 3 * [space.trivial_repr]),
            lib.FieldType(space, 2 * [space.regular_repr]),
        )
        relu, conv = lib.ReLU(fields), lib.R2Conv(fields, fields, 3, padding=1)
        self.body = lib.SequentialModule(lib.R2Conv(self.image, fields, 3, padding=1), relu, conv, relu, conv)
        self.steps = nn.ModuleList([relu, conv, relu])
        self.pool = lib.GroupPooling(fields)

    def forward(self, image: Tensor) -> Tensor:
        x = self.body(self.tensor(image, self.image))
        for step in self.steps:
            x = step(x)
        return self.pool(x).tensor


def images(channels: int, side: int) -> Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))
