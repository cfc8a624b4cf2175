"""Construction, memory, training and inference of a D4 ResNet18 of width 22 beside its rivals, in paired runs.

python benchmarks/layers.py [--parity PYTHON] [--size 33] [--batch 8] [--rounds 9] [--out benchmarks/results/layers.md]

Every network is run in turn within each round, so that all see the same machine; figures are medians over the rounds,
ratios are medians of the paired ratios to the plain network of the same expanded widths. escnn and e2cnn run in
their own environment (tests/parity/make_env.sh), in rounds beside a plain network of their own.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import resource
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

WIDTH, BLOCKS = 22, (2, 2, 2, 2)


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
    """Ordinary layers of the expanded widths."""

    def stem(self, out: int) -> nn.Module:
        return nn.Conv2d(1, 8 * out, 7, 2, 3, bias=False)

    def conv(self, inner: int, out: int, k: int, stride: int) -> nn.Module:
        return nn.Conv2d(8 * inner, 8 * out, k, stride, k // 2, bias=False)

    def norm(self, fields: int) -> nn.Module:
        return nn.BatchNorm2d(8 * fields)

    def pool(self, fields: int) -> nn.Module:  # noqa: ARG002
        return nn.Sequential(nn.Unflatten(1, (-1, 8)), nn.MaxPool3d((8, 1, 1)), nn.Flatten(1, 2))


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


class Theirs(Parts):
    """escnn or e2cnn."""

    def __init__(self, name: str) -> None:
        self.lib = importlib.import_module(f"{name}.nn")
        spaces = importlib.import_module(f"{name}.gspaces")
        self.space = (spaces.flipRot2dOnR2 if name == "escnn" else spaces.FlipRot2dOnR2)(4)
        self.image = self.lib.FieldType(self.space, [self.space.trivial_repr])

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
    """ResNet18's plan without the first pooling."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts if isinstance(parts, Theirs) else None
        layers = [parts.stem(WIDTH), parts.norm(WIDTH), parts.relu(WIDTH)]
        inner = WIDTH
        for stage, count in enumerate(BLOCKS):
            for block in range(count):
                out = WIDTH * 2**stage
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


def make(name: str) -> nn.Module:
    """The network of that name."""
    known: dict[str, Callable[[], Parts]] = {"plain": Plain, "equisym": Ours, "separable": Separable}
    return ResNet(known[name]() if name in known else Theirs(name))


def folded(model: nn.Module) -> nn.Module:
    """The network for inference: ordinary layers with the expanded filters (theirs: eval mode, which keeps them)."""
    from copy import deepcopy

    if isinstance(model, ResNet) and model.parts is None:
        model = deepcopy(model)
        for name, module in list(model.named_modules()):
            if name and hasattr(module, "to_plain"):
                model.set_submodule(name, module.to_plain())
    return model.eval()


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(names: list[str], size: int, batch: int, rounds: int) -> dict[str, dict[str, float]]:
    """Figures of each network, timed in turn."""
    warnings.simplefilter("ignore")
    found: dict[str, dict[str, float]] = {}
    models, steps, answers = {}, {}, {}
    x = torch.randn(batch, 1, size, size)
    for name in names:
        torch.manual_seed(0)
        start = time.perf_counter()
        models[name] = model = make(name)
        found[name] = {"build": time.perf_counter() - start}
        model.train()
        buffer = io.BytesIO()
        model.eval()
        torch.save(model.state_dict(), buffer)
        model.train()
        found[name]["parameters"] = sum(p.numel() for p in model.parameters())
        found[name]["state"] = buffer.tell() / sum(p.numel() * p.element_size() for p in model.parameters())
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)

        def step(model: nn.Module = model, optimiser: torch.optim.Optimizer = optimiser) -> None:
            optimiser.zero_grad()
            model(x).square().mean().backward()
            optimiser.step()

        steps[name] = step
        step()
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            times[name].append(seconds(steps[name]))
    _summarise(found, "train", times)
    with torch.no_grad():
        for name in names:
            quick = folded(models[name])
            quick(x)
            answers[name] = quick
        times = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                times[name].append(seconds(lambda name=name: answers[name](x)))
    _summarise(found, "infer", times)
    return found


def _summarise(found: dict[str, dict[str, float]], what: str, times: dict[str, list[float]]) -> None:
    for name, values in times.items():
        found[name][what] = statistics.median(values)
        ratios = [a / b for a, b in zip(values, times["plain"], strict=True)]
        found[name][f"{what}_ratio"] = statistics.median(ratios)


def peak(name: str, size: int, batch: int) -> float:
    """Peak memory of three training steps in this fresh process, in MB."""
    model = make(name).train()
    x = torch.randn(batch, 1, size, size)
    for _ in range(3):
        model(x).square().mean().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure here and, if given, in the parity environment; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn")
    parser.add_argument("--size", type=int, default=33, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=8, help="images at once")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the timings")
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--only", nargs="*", help="measure these here and print JSON")
    parser.add_argument("--peak", help="print the peak memory of this network")
    args = parser.parse_args()
    if args.peak:
        print(peak(args.peak, args.size, args.batch))
        return
    if args.only:
        print(json.dumps(measure(args.only, args.size, args.batch, args.rounds)))
        return
    import sys

    options = ["--size", str(args.size), "--batch", str(args.batch), "--rounds", str(args.rounds)]
    runs = [(Path(sys.executable), ["plain", "equisym", "separable"])]
    runs += [(args.parity, ["plain", name]) for name in ("escnn", "e2cnn")] if args.parity else []
    rows = {}
    for python, names in runs:
        command = [str(python), __file__, *options]
        done = subprocess.run([*command, "--only", *names], capture_output=True, text=True, check=True)
        for name, figures in json.loads(done.stdout.strip().splitlines()[-1]).items():
            if name not in rows:
                memory = subprocess.run([*command, "--peak", name], capture_output=True, text=True, check=True)
                rows[name] = figures | {"peak": float(memory.stdout.strip().splitlines()[-1])}
    lines = [
        "# ResNet18 of D4, width 22, beside a plain network of the same expanded widths",
        "",
        f"`python benchmarks/layers.py {' '.join(options)} --parity PYTHON`, torch {torch.__version__.split('+')[0]},",
        f"{torch.get_num_threads()} thread(s). {args.rounds} rounds; ratios: medians of paired ratios to plain.",
        "",
        "| network | parameters | build s | state / parameters | train ms | ratio | inference ms | ratio | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, r in rows.items():
        lines.append(
            f"| {name} | {r['parameters'] / 1e6:.2f} M | {r['build']:.2f} | {r['state']:.3f} | {1e3 * r['train']:.0f} "
            f"| {r['train_ratio']:.2f} | {1e3 * r['infer']:.0f} | {r['infer_ratio']:.2f} | {r['peak']:.0f} |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


if __name__ == "__main__":
    main()
