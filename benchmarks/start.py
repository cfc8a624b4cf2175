"""How soon equisym-predict answers after it was started, and how much of that is ``import torch``.

python benchmarks/start.py --out benchmarks/results/start.md

Wall time counts on a quiet machine only; the processor's time is nearly the same on a busy one. The rows are measured
in turn, and of several turns the least is given.
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

SCRIPT = "from equisym.console import predict; predict()"
BARE = "import gc; gc.disable(); import torch; print(flush=True)"


def measure(arguments: list[str]) -> tuple[float, float, float]:
    """Of one process, in seconds: from its start to its last line, to its end, and of the processor."""
    start = said = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    for _ in process.stdout:
        said = time.perf_counter()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return said - start, time.perf_counter() - start, used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        image = Path(place) / "image.npy"
        np.save(image, render("p4m", "atom", seed=1, size=256)[0].numpy())
        bare, answer = "`import torch` alone, without garbage collection", "`equisym-predict image.npy`, 256 x 256"
        rows = {
            "`python -c 'import torch'`": [sys.executable, "-c", "import torch; print(flush=True)"],
            bare: [sys.executable, "-c", BARE],
            answer: [sys.executable, "-c", SCRIPT, str(image)],
            "`equisym-predict image.doc`, which is no image": [sys.executable, "-c", SCRIPT, f"{place}/image.doc"],
        }
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in rows}
        for _ in range(asked.runs):
            for name, arguments in rows.items():
                found[name].append(measure(arguments))
    least = {name: tuple(map(min, zip(*times, strict=True))) for name, times in found.items()}
    share, load = least[bare][0] / least[answer][0], os.getloadavg()[0]
    busy = " Other programs were running: the times are upper bounds." if load > 2 else ""
    text = "\n".join(
        [
            "# Start of equisym-predict",
            "",
            f"`python benchmarks/start.py --runs {asked.runs}`",
            "",
            f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
            f"torch {torch.__version__}, load {load:.1f}.{busy}",
            "",
            "| what | to its last line, s | to its end, s | processor, s |",
            "|---|---|---|---|",
            *(f"| {name} | {' | '.join(f'{t:.2f}' for t in times)} |" for name, times in least.items()),
            "",
            f"Of the time to the answer, {100 * share:.0f} % is the import of torch.",
        ]
    )
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
