"""How fast equisym-predict starts, beside what Python and torch take alone.

python benchmarks/start.py --out benchmarks/results/start.md

Wall time counts on a quiet machine only; the processor's time is nearly the same on a busy one. Of several runs in turn
the least is given.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from equisym.data import render

COMMAND = "from equisym.predict.command import main; main()"


def measure(arguments: list[str]) -> tuple[float, float]:
    """Wall time and processor time of one process, in seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        image = Path(place) / "image.npy"
        np.save(image, render("p4m", "atom", seed=1, size=256)[0].numpy())
        rows = {
            "`python -c pass`": [sys.executable, "-c", "pass"],
            "`python -c 'import torch'`": [sys.executable, "-c", "import torch"],
            "`equisym-predict image.npy`, 256 x 256": [sys.executable, "-c", COMMAND, str(image)],
            "`equisym-predict image.doc`, which is no image": [sys.executable, "-c", COMMAND, f"{place}/image.doc"],
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for _ in range(asked.runs):
            for name, arguments in rows.items():
                found[name].append(measure(arguments))
    load = os.getloadavg()[0]
    text = "\n".join(
        [
            "# Start of equisym-predict",
            "",
            f"`python benchmarks/start.py --runs {asked.runs}`",
            "",
            f"{platform.machine()}, {os.cpu_count()} processors, torch {torch.__version__}, load {load:.1f}.",
            "",
            "| what | processor, s | wall, s |",
            "|---|---|---|",
            *(f"| {n} | {min(c for _, c in t):.2f} | {min(w for w, _ in t):.2f} |" for n, t in found.items()),
        ]
    )
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
