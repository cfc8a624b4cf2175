"""Construction, memory, training and inference of a D4 ResNet18 of width 22 beside its rivals, in paired runs.

python benchmarks/layers.py [--parity PYTHON] [--sizes 33 65] [--batch 8] [--rounds 7] [--compile]
    [--runs FOLDER...] [--out benchmarks/results/layers.md]

All networks live in one process and run in turn within each round, so that all see the same machine; times are medians
over the rounds, ratios are medians of the paired ratios to the plain network of the same expanded widths. With --parity
the process runs in that interpreter (tests/parity/make_env.sh), beside escnn and e2cnn. Peak memory is that of three
training steps in a fresh process, less what the imports hold. --runs adds the accuracies that equisym-train wrote.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from resnets import HERE, ResNet, Theirs, make
from torch import Tensor, nn


def folded(model: nn.Module) -> nn.Module:
    """The network for inference: ordinary layers with the expanded filters (theirs: eval mode, which keeps them)."""
    if isinstance(model, ResNet) and model.parts is None:
        model = deepcopy(model)
        for name, module in list(model.named_modules()):
            if name and hasattr(module, "to_plain"):
                model.set_submodule(name, module.to_plain())
    return model.eval()


Figures = dict[str, dict[str, float]]


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def trainer(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """One step of gradient descent on a loss that needs no labels."""
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()

    return step


def paired(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Times of every action, one after another in each round, after one run that warms up."""
    for action in actions.values():
        action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return times


def summarise(found: Figures, what: str, times: dict[str, list[float]], rival: str | None = None) -> None:
    """Median times, and medians of the paired ratios to the plain network (or of one to another)."""
    for name, values in times.items():
        others = times[rival.format(name) if rival else "plain"]
        found[name][what] = statistics.median(values)
        found[name][f"{what}_ratio"] = statistics.median(a / b for a, b in zip(values, others, strict=True))


def measure(names: list[str], sizes: list[int], batch: int, rounds: int, compiled: bool) -> Figures:
    """Figures of each network."""
    warnings.simplefilter("ignore")
    found: Figures = {}
    models: dict[str, nn.Module] = {}
    for name in names:
        say(f"building {name}")
        torch.manual_seed(0)
        start = time.perf_counter()
        models[name] = model = make(name)
        found[name] = {"build": time.perf_counter() - start}
        buffer = io.BytesIO()
        torch.save(model.eval().state_dict(), buffer)
        found[name]["parameters"] = sum(p.numel() for p in model.parameters())
        found[name]["bytes"] = buffer.tell()
        found[name]["state"] = buffer.tell() / sum(p.numel() * p.element_size() for p in model.parameters())
    for size in sizes:
        x = torch.randn(batch, 1, size, size)
        say(f"timing {size}")
        summarise(found, f"train{size}", paired({n: trainer(models[n], x) for n in names}, rounds))
        quick = {n: folded(models[n]) for n in names}
        with torch.no_grad():
            actions = {n: partial(m, x) for n, m in quick.items()}
            summarise(found, f"infer{size}", paired(actions, 3 * rounds))
    if compiled:
        options = {"layout_optimization": False}  # inductor's own choice of layout halves every CPU network's speed
        for name in [n for n in names if n in HERE]:
            say(f"compiling {name}")
            x = torch.randn(batch, 1, sizes[0], sizes[0])
            fast = torch.compile(deepcopy(models[name]), fullgraph=True, options=options)
            steps = {"eager": trainer(models[name], x), "compiled": trainer(fast, x)}
            times = paired(steps, rounds)
            ratios = [a / b for a, b in zip(times["eager"], times["compiled"], strict=True)]
            found[name]["compile_train"] = statistics.median(ratios)
            eager = folded(models[name])
            torch._dynamo.reset()
            fast = torch.compile(deepcopy(eager), fullgraph=True, options=options)
            with torch.no_grad():
                times = paired({"eager": partial(eager, x), "compiled": partial(fast, x)}, 3 * rounds)
            ratios = [a / b for a, b in zip(times["eager"], times["compiled"], strict=True)]
            found[name]["compile_infer"] = statistics.median(ratios)
    return found


def peak(name: str, size: int, batch: int) -> float:
    """Peak memory of building and three training steps in this fresh process, less what it held before, in MB."""
    if name not in HERE:
        Theirs(name)  # imports
    elif name != "plain":
        importlib.import_module("equisym.nn")
    trainer(nn.Conv2d(1, 1, 3), torch.randn(1, 1, 9, 9))()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = trainer(make(name), torch.randn(batch, 1, size, size))
    for _ in range(3):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def call(python: Path | str, *arguments: object) -> Any:
    """What this script prints as JSON in that interpreter, with this checkout importable."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [str(python), __file__, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def speed_table(found: Figures, size: int) -> list[str]:
    lines = [
        f"| network, {size} x {size} | train ms | ratio | inference ms | ratio |",
        "|---|---|---|---|---|",
    ]
    for name, r in found.items():
        cells = [name]
        for what in (f"train{size}", f"infer{size}"):
            cells += [f"{1e3 * r[what]:.0f}", f"{r[f'{what}_ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def compile_table(found: Figures, size: int) -> list[str]:
    lines = [
        f"| torch.compile without layout_optimization, {size} x {size} | train | inference |",
        "|---|---|---|",
    ]
    rows = [(name, r) for name, r in found.items() if "compile_train" in r]
    lines += [f"| {n} | {r['compile_train']:.2f} x faster | {r['compile_infer']:.2f} x faster |" for n, r in rows]
    return [*lines, ""]


def accuracy_table(folders: list[Path]) -> list[str]:
    import yaml

    runs = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    options = [yaml.safe_load((folder / "config.yaml").read_text())["arch_options"] for folder in folders]
    families = list(runs[0]["test"])
    lines = [
        "| conv | parameters | training images | valid % | " + " | ".join(f"{f} %" for f in families) + " |",
        "|---" * (4 + len(families)) + "|",
    ]
    for run, option in zip(runs, options, strict=True):
        cells = [option.get("conv", "regular"), f"{run['params']:,}", f"{run['train_images']:,}"]
        cells.append(f"{100 * run['valid_accuracy']:.1f}")
        lines.append("| " + " | ".join([*cells, *(f"{100 * run['test'][f]:.1f}" for f in families)]) + " |")
    return [*lines, ""]


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn")
    parser.add_argument("--sizes", type=int, nargs="+", default=[33, 65], help="pixels of a side")
    parser.add_argument("--batch", type=int, default=8, help="images at once")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the timings")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too, at the first size")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of equisym-train")
    parser.add_argument("--out", type=Path, help="file for the tables")
    parser.add_argument("--only", nargs="*", help="measure these here and print JSON")
    parser.add_argument("--peak", help="print the peak memory of this network")
    args = parser.parse_args()
    if args.peak:
        print(peak(args.peak, args.sizes[0], args.batch))
        return
    if args.only:
        print(json.dumps(measure(args.only, args.sizes, args.batch, args.rounds, args.compile)))
        return
    names = [*HERE, *(("escnn", "e2cnn") if args.parity else ())]
    python = args.parity or sys.executable
    options = ["--sizes", *args.sizes, "--batch", args.batch, "--rounds", args.rounds]
    options += ["--compile"] if args.compile else []
    found = call(python, *options, "--only", *names)
    for name, figures in found.items():
        say(f"memory of {name}")
        figures["peak"] = call(python, *options, "--peak", name)
    given = " ".join(map(str, options)) + (" --parity PYTHON" if args.parity else "")
    lines = [
        "# ResNet18 of D4, width 22, beside a plain network of the same expanded widths",
        "",
        f"`python benchmarks/layers.py {given}`, torch {torch.__version__.split('+')[0]},",
        f"{torch.get_num_threads()} thread(s), batch {args.batch}, {args.rounds} rounds. Ratios: medians of the paired "
        "ratios to plain.",
        "Inference: filters folded into plain layers (rivals: eval mode).",
        "",
        f"| network | parameters | build s | state MB | state / parameters | peak MB at {args.sizes[0]} |",
        "|---|---|---|---|---|---|",
    ]
    for name, r in found.items():
        lines.append(
            f"| {name} | {r['parameters'] / 1e6:.2f} M | {r['build']:.2f} | {r['bytes'] / 1e6:.0f} | {r['state']:.3f} "
            f"| {r['peak']:.0f} |"
        )
    lines.append("")
    for size in args.sizes:
        lines += speed_table(found, size)
    if args.compile:
        lines += compile_table(found, args.sizes[0])
    if args.runs:
        lines += accuracy_table(args.runs)
    text = "\n".join(lines)
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


if __name__ == "__main__":
    main()
