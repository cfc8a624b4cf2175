"""Construction, memory, training and inference of a D4 ResNet18 of width 22 beside its rivals, in paired runs.

python benchmarks/layers.py [--parity PYTHON] [--sizes 33 65] [--batch 8] [--rounds 7] [--compile]
    [--device cuda] [--modes tf32 bf16 bf16_last] [--traffic] [--runs FOLDER...] [--out benchmarks/results/layers.md]

All networks live in one process and run in turn within each round, so that all see the same machine; times are medians
over the rounds, ratios are medians of the paired ratios to the plain network of the same expanded widths. With --parity
the process runs in that interpreter (tests/parity/make_env.sh), beside escnn and e2cnn. Peak memory is that of three
training steps in a fresh process, less what the imports hold; on a GPU what its allocator counted for one step. Modes:
fp32, tf32 (TensorFloat-32 where the card has it), bf16 (autocast), bf16_last (the same in channels_last). --traffic
counts the operations of a training step that touch memory, and the bytes they read and write, without a GPU. --runs
adds the accuracies that equisym-train wrote.
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
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from resnets import HERE, ResNet, Theirs, make
from timing import answerer, graphed, paired, say, trainer
from torch import nn
from traffic import traffic_table

from equisym.document import markdown_table, print_page

Figures = dict[str, dict[str, float]]


def folded(model: nn.Module) -> nn.Module:
    """The network for inference: ordinary layers with the expanded filters (theirs: eval mode, which keeps them)."""
    if isinstance(model, ResNet) and model.parts is None:
        from equisym.nn import to_plain

        return to_plain(model).eval()
    return model.eval()


def summarise(found: Figures, what: str, times: dict[str, list[float]], rival: str | None = None) -> None:
    """Median times, and medians of the paired ratios to the plain network (or of one to another)."""
    for name, values in times.items():
        others = times[rival.format(name) if rival else "plain"]
        found[name][what] = statistics.median(values)
        found[name][f"{what}_ratio"] = statistics.median(a / b for a, b in zip(values, others, strict=True))


def working(actions: dict[str, Callable[[], None]]) -> dict[str, Callable[[], None]]:
    """Without the rivals that a precision or layout stops."""
    for name in [n for n in actions if n not in HERE]:
        try:
            actions[name]()
        except RuntimeError as error:
            say(f"{name} does not run here: {error}")
            del actions[name]
    return actions


def as_graphs(steps: dict[str, Callable[[], None]]) -> dict[str, Callable[[], None]]:
    """Each training step as a CUDA graph, without those that cannot be recorded."""
    found = {}
    for name, step in steps.items():
        try:
            found[name] = graphed(step)
        except RuntimeError as error:
            say(f"{name} cannot be recorded: {error}")
    return found


def measure(
    names: list[str],
    sizes: list[int],
    batch: int,
    rounds: int,
    compiled: bool,
    device: str = "cpu",
    modes: Sequence[str] = ("fp32",),
) -> Figures:
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
    for size, mode in product(sizes, modes):
        x = torch.randn(batch, 1, size, size, device=device)
        layout = torch.channels_last if mode.endswith("last") else torch.contiguous_format
        x, here = x.contiguous(memory_format=layout), {n: models[n].to(device, memory_format=layout) for n in names}
        what = f"{size}" if len(modes) == 1 else f"{mode}_{size}"
        say(f"timing {what}")
        repeats = 5 if device == "cuda" else 1
        steps = working({n: trainer(m, x, mode) for n, m in here.items()})
        summarise(found, f"train{what}", paired(steps, rounds, device, repeats))
        if device == "cuda":
            for name, step in steps.items():
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
                step()
                found[name][f"peak{what}"] = (torch.cuda.max_memory_allocated() - held) / 2**20
            replays = as_graphs(steps)
            summarise(found, f"graph{what}", paired(replays, rounds, device, repeats))
            del replays
        quick = {n: folded(m) for n, m in here.items() if n in steps}
        del steps
        answers = working({n: answerer(m, x, mode) for n, m in quick.items()})
        summarise(found, f"infer{what}", paired(answers, 3 * rounds, device, repeats))
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
    places = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": places}
    command = [str(python), __file__, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def speed_table(found: Figures, size: int) -> str:
    rows = []
    for name, r in found.items():
        cells = [name]
        for what in (f"train{size}", f"infer{size}"):
            cells += [f"{1e3 * r[what]:.0f}", f"{r[f'{what}_ratio']:.2f}"]
        rows.append(cells)
    return markdown_table([f"network, {size} x {size}", "train ms", "ratio", "inference ms", "ratio"], rows)


def device_table(found: Figures, args: argparse.Namespace) -> str:
    """Times, ratios to plain, and peak memory of each size and mode on a GPU."""
    rows = []
    for size, mode in product(args.sizes, args.modes):
        what = f"{size}" if len(args.modes) == 1 else f"{mode}_{size}"
        for name, r in found.items():
            if f"train{what}" not in r:
                continue
            cells = [f"{size}, {mode}", name]
            for kind in ("train", "graph", "infer"):
                known = f"{kind}{what}" in r
                cells += [f"{1e3 * r[f'{kind}{what}']:.2f}", f"{r[f'{kind}{what}_ratio']:.2f}"] if known else ["", ""]
            rows.append([*cells, f"{r['peak' + what]:.0f}"])
    heads = ["size, mode", "network", "train", "ratio", "graph", "ratio", "folded inference", "ratio", "peak MB"]
    lines = [
        "# ResNet18 of D4, width 22, beside a plain network of the same expanded widths, on a GPU",
        "",
        f"{torch.cuda.get_device_name()}, torch {torch.__version__.split('+')[0]}, batch {args.batch}, {args.rounds} "
        "rounds; ms per step, ratios to plain of the same round. Graph: the training step as one CUDA graph.",
        "",
        markdown_table(heads, rows),
        "",
    ]
    return "\n".join(lines)


def build_table(found: Figures, size: int) -> str:
    """Parameters, and what building a network and its first steps cost."""
    rows = []
    for name, r in found.items():
        cells = [name, f"{r['parameters'] / 1e6:.2f} M", f"{r['build']:.2f}", f"{r['bytes'] / 1e6:.0f}"]
        rows.append([*cells, f"{r['state']:.3f}", f"{r['peak']:.0f}"])
    heads = ["network", "parameters", "build s", "state MB", "state / parameters", f"peak MB at {size}"]
    return markdown_table(heads, rows)


def compile_table(found: Figures, size: int) -> str:
    rows = [
        [name, f"{r['compile_train']:.2f} x faster", f"{r['compile_infer']:.2f} x faster"]
        for name, r in found.items()
        if "compile_train" in r
    ]
    heads = [f"torch.compile without layout_optimization, {size} x {size}", "train", "inference"]
    return markdown_table(heads, rows)


def accuracy_table(folders: list[Path]) -> str:
    import yaml

    runs = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    options = [yaml.safe_load((folder / "config.yaml").read_text())["arch_options"] for folder in folders]
    families = list(runs[0]["test"])
    rows = []
    for run, option in zip(runs, options, strict=True):
        cells = [option.get("conv", "regular"), f"{run['params']:,}", f"{run['train_images']:,}"]
        cells.append(f"{100 * run['valid_accuracy']:.1f}")
        rows.append([*cells, *(f"{100 * run['test'][f]:.1f}" for f in families)])
    return markdown_table(["conv", "parameters", "training images", "valid %", *(f"{f} %" for f in families)], rows)


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn")
    parser.add_argument("--sizes", type=int, nargs="+", default=[33, 65], help="pixels of a side")
    parser.add_argument("--batch", type=int, default=8, help="images at once")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the timings")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to measure")
    parser.add_argument("--modes", nargs="+", default=["fp32"], help="fp32, tf32, bf16, bf16_last")
    parser.add_argument("--traffic", action="store_true", help="count operations and bytes instead of time")
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
        found = measure(args.only, args.sizes, args.batch, args.rounds, args.compile, args.device, args.modes)
        print(json.dumps(found))
        return
    if args.traffic:
        print_page(traffic_table(args.sizes[0], args.batch), args.out)
        return
    names = [*HERE, *(("escnn", "e2cnn") if args.parity else ())]
    python = args.parity or sys.executable
    options = ["--sizes", *args.sizes, "--batch", args.batch, "--rounds", args.rounds]
    options += ["--compile"] if args.compile else []
    options += ["--device", args.device, "--modes", *args.modes] if args.device == "cuda" else []
    found = call(python, *options, "--only", *names)
    if args.device == "cuda":
        print_page(device_table(found, args), args.out)
        return
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
        build_table(found, args.sizes[0]),
        *("\n" + speed_table(found, size) for size in args.sizes),
    ]
    if args.compile:
        lines += ["", compile_table(found, args.sizes[0])]
    if args.runs:
        lines += ["", accuracy_table(args.runs)]
    print_page("\n".join([*lines, ""]), args.out)


if __name__ == "__main__":
    main()
