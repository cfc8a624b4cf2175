"""The same residual network of D4 on plain layers, on ours, and on those of escnn and e2cnn."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

HERE = ("plain", "equisym", "separable")


class Parts:
    """What a residual network is made of: a stem, convolutions, norms, and the way to an invariant answer."""

    def stem(self, out: int) -> nn.Module:
        raise NotImplementedError

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        raise NotImplementedError

    def norm(self, fields: int) -> nn.Module:
        raise NotImplementedError

    def relu(self, fields: int) -> nn.Module:  # noqa: ARG002 - rivals need the type
        return nn.ReLU(inplace=True)

    def pool(self, fields: int) -> nn.Module:
        raise NotImplementedError


class Plain(Parts):
    """Ordinary layers, of the expanded widths or of a channel for each field."""

    def __init__(self, channels: int = 8) -> None:
        self.channels = channels

    def stem(self, out: int) -> nn.Module:
        return nn.Conv2d(1, self.channels * out, 7, 2, 3, bias=False)

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        return nn.Conv2d(self.channels * inner, self.channels * out, k, stride, k // 2, bias=False)

    def norm(self, fields: int) -> nn.Module:
        return nn.BatchNorm2d(self.channels * fields)

    def pool(self, fields: int) -> nn.Module:  # noqa: ARG002
        n = self.channels
        return nn.Sequential(nn.Unflatten(1, (-1, n)), nn.MaxPool3d((n, 1, 1)), nn.Flatten(1, 2))


class Ours(Parts):
    """Regular group convolutions."""

    def __init__(self) -> None:
        from equisym.groups import D

        self.group = D(4)

    def stem(self, out: int) -> nn.Module:
        from equisym.nn import LiftConv2d

        return LiftConv2d(1, out, 7, group=self.group, stride=2, padding=3, bias=False)

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        from equisym.nn import GroupConv2d

        return GroupConv2d(inner, out, k, group=self.group, stride=stride, padding=k // 2, bias=False)

    def norm(self, fields: int) -> nn.Module:
        from equisym.nn import GroupBatchNorm2d

        return GroupBatchNorm2d(fields, group=self.group)

    def pool(self, fields: int) -> nn.Module:  # noqa: ARG002
        from equisym.nn import GroupPool2d

        return GroupPool2d(group=self.group)


class Separable(Ours):
    """Separable group convolutions wherever the kernel is larger than one pixel."""

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        from equisym.nn import SeparableGroupConv2d

        if k == 1:
            return super().conv(inner, out, k, stride)
        return SeparableGroupConv2d(inner, out, k, group=self.group, stride=stride, padding=k // 2, bias=False)


class Shared(Ours):
    """Group convolutions whose weights are shared in another way, a kind of ``equisym.models.sharing.Sharing``."""

    def __init__(self, kind: str) -> None:
        from equisym.models.sharing import Sharing

        super().__init__()
        self.sharing = Sharing.of(kind, self.group)

    def stem(self, out: int) -> nn.Module:
        return self.sharing.lift(1, out, 7, stride=2)

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        return self.sharing.conv(inner, out, k, stride=stride)


class Theirs(Parts):
    """escnn or e2cnn."""

    def __init__(self, name: str) -> None:
        self.lib = importlib.import_module(f"{name}.nn")
        spaces = importlib.import_module(f"{name}.gspaces")
        self.space = (spaces.flipRot2dOnR2 if name == "escnn" else spaces.FlipRot2dOnR2)(4)
        self.image = self.lib.FieldType(self.space, [self.space.trivial_repr])

    def __deepcopy__(self, memo: dict[int, Any]) -> Theirs:  # a module of Python cannot be copied, and need not be
        return self

    def type(self, fields: int) -> Any:
        return self.lib.FieldType(self.space, fields * [self.space.regular_repr])

    def stem(self, out: int) -> nn.Module:
        return self.lib.R2Conv(self.image, self.type(out), 7, stride=2, padding=3, bias=False)

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        return self.lib.R2Conv(self.type(inner), self.type(out), k, stride=stride, padding=k // 2, bias=False)

    def norm(self, fields: int) -> nn.Module:
        return self.lib.InnerBatchNorm(self.type(fields))

    def relu(self, fields: int) -> nn.Module:
        return self.lib.ReLU(self.type(fields), inplace=True)

    def pool(self, fields: int) -> nn.Module:
        return self.lib.GroupPooling(self.type(fields))


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, parts: Parts, inner: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1, self.relu1 = parts.conv(inner, out, 3, stride), parts.norm(out), parts.relu(out)
        self.conv2, self.norm2, self.relu2 = parts.conv(out, out, 3, 1), parts.norm(out), parts.relu(out)
        self.shortcut = None
        if stride != 1 or inner != out:
            self.shortcut = nn.ModuleList([parts.conv(inner, out, 1, stride), parts.norm(out)])

    def forward(self, x: Any) -> Any:
        short = x
        if self.shortcut is not None:
            for part in self.shortcut:
                short = part(short)
        return self.relu2(self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x))))) + short)


class ResNet(nn.Module):
    """A residual network without the first pooling; each stage but the first halves the resolution."""

    def __init__(self, parts: Parts, width: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.parts = parts if isinstance(parts, Theirs) else None
        layers = [parts.stem(width), parts.norm(width), parts.relu(width)]
        inner = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                out = width * 2**stage
                layers.append(Block(parts, inner, out, 2 if stage and block == 0 else 1))
                inner = out
        layers.append(parts.pool(inner))
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inner, 17)

    def forward(self, x: Tensor) -> Tensor:
        y: Any = x if self.parts is None else self.parts.lib.GeometricTensor(x, self.parts.image)
        for layer in self.layers:
            y = layer(y)
        return self.head((y if isinstance(y, Tensor) else y.tensor).mean((2, 3)))


def make(name: str, width: int = 22, blocks: tuple[int, ...] = (2, 2, 2, 2)) -> nn.Module:
    """The network of that name; ResNet18's plan by default. "narrow" is plain with one channel for each field."""
    known: dict[str, Callable[[], Parts]] = {"plain": Plain, "equisym": Ours, "separable": Separable}
    known |= {kind: partial(Shared, kind) for kind in ("pixels", "band-limited", "steerable")}
    known["narrow"] = partial(Plain, 1)
    return ResNet(known[name](), width, blocks) if name in known else _unwaiting(ResNet(Theirs(name), width, blocks))


def _unwaiting(model: nn.Module) -> nn.Module:
    """The bounds of the rivals' slices as numbers: as tensors on a GPU they are waited for, and no step is recorded."""
    for module in model.modules():
        for name, value in list(module.named_buffers(recurse=False)):
            if "indices_" in name and value.shape == (2,):  # of fields that lie side by side, as all of ours do
                delattr(module, name)
                setattr(module, name, tuple(value.tolist()))
    return model
