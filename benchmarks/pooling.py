"""A training step of e2resnet with correlation pooling beside the same network with max pooling.

python benchmarks/pooling.py [--device cuda] [--batch 34] [--rounds 15] [--only D4]
    [--out benchmarks/results/pooling.md]

Both networks run in turn within each round; times are medians, ratios medians of the paired ratios. On a GPU each step
is one CUDA graph.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from timing import graphed, paired, say, trainer

from equisym.document import markdown_table, print_page
from equisym.models import build

NETWORKS = {"D4, the default": {}, "D12, width 6": {"group": "D12", "width": 6, "stem_kernel": 7}}
MODES = {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "tf32", "bf16", "bf16_last")}
SIZE = 65


def row(name: str, mode: str, batch: int, rounds: int, device: str) -> list[str]:
    """One network and precision: milliseconds of both steps, and their ratio."""
    layout = torch.channels_last if mode.endswith("last") else torch.contiguous_format
    x = torch.randn(batch, 1, SIZE, SIZE, device=device).contiguous(memory_format=layout)
    steps = {
        pool: trainer(build("e2resnet", pool=pool, **NETWORKS[name]).to(device, memory_format=layout), x, mode)
        for pool in ("max", "correlation")
    }
    if device == "cuda":
        steps = {pool: graphed(step) for pool, step in steps.items()}
    times = paired(steps, rounds, device, 5 if device == "cuda" else 1)
    ratio = statistics.median(ours / plain for ours, plain in zip(times["correlation"], times["max"], strict=True))
    return [
        name,
        mode,
        *(f"{1000 * statistics.median(times[pool]):.{1 if device == 'cuda' else 0}f}" for pool in steps),
        f"{ratio:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=MODES)
    parser.add_argument("--batch", type=int, default=34)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="networks whose names begin so")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for name in filter(lambda name: name.startswith(args.only), NETWORKS):
        for mode in MODES[args.device]:
            say(f"{name} {mode}")
            rows.append(row(name, mode, args.batch, args.rounds, args.device))
    where = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    lines = [
        "# Correlation pooling beside max pooling: one training step of e2resnet",
        "",
        f"`python benchmarks/pooling.py --device {args.device} --batch {args.batch} --rounds {args.rounds}`,",
        f"{where}, torch {torch.__version__.split('+')[0]}, {SIZE} x {SIZE} pixels"
        + (", each step one CUDA graph." if args.device == "cuda" else "."),
        "",
        markdown_table(["network", "precision", "max ms", "correlation ms", "ratio"], rows),
        "",
    ]
    print_page("\n".join(lines), args.out)


if __name__ == "__main__":
    main()
