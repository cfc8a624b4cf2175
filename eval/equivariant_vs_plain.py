"""Equivariant against plain ResNet: same data, epochs and optimiser, three seeds, every image family.

    python eval/equivariant_vs_plain.py --runs runs/equivariant_vs_plain --jobs 2

The plain networks are the same ResNet over the trivial group, once with as many parameters and once with as much
computation (as many channels) as the equivariant one. Each run is a folder; a killed run continues from its last
epoch, a finished one is not repeated. Results: eval/results/equivariant_vs_plain.csv and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from equisym.data import FAMILIES
from equisym.eval import evaluate
from equisym.eval.protocol import write_table
from equisym.models import build
from equisym.train import TrainConfig
from equisym.train.artifacts import write_whole

RESULTS = Path(__file__).parent / "results"
NETWORKS = {
    "equivariant": {},
    "plain, same parameters": {"group": "C1", "width": 23},
    "plain, same computation": {"group": "C1", "width": 64},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/equivariant_vs_plain"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--count", type=int, default=1700, help="test images of each family")
    arguments, passed_on = parser.parse_known_args()
    jobs = [(name, seed) for seed in arguments.seeds for name in NETWORKS]
    folders = {job: arguments.runs / f"{job[0].replace(', ', '-').replace(' ', '-')}-{job[1]}" for job in jobs}
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda job: train_one(*job, folders[job], arguments.jobs, passed_on), jobs))
    rows = [row for row, _ in evaluate(list(folders.values()), FAMILIES, arguments.count, workers=2)]
    for row in rows:
        row["run"] = Path(row["run"]).name
    RESULTS.mkdir(exist_ok=True)
    write_table(rows, RESULTS / "equivariant_vs_plain.csv")
    write_whole(RESULTS / "equivariant_vs_plain.md", report(folders, rows))
    print((RESULTS / "equivariant_vs_plain.md").read_text())


def train_one(name: str, seed: int, folder: Path, jobs: int, passed_on: list[str]) -> None:
    if (folder / "summary.json").is_file():
        return
    command = ["equisym-train", "--arch", "e2resnet", "--out", str(folder), "--seed", str(seed), *passed_on]
    command += ["--arch-options", json.dumps(NETWORKS[name]), "--test-images", "0"]
    if (folder / "last.ckpt").is_file():
        command.append("--resume")
    environment = os.environ | ({"OMP_NUM_THREADS": "1"} if jobs > 1 else {})
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)
    print(f"{folder.name}: {json.loads((folder / 'summary.json').read_text())}", flush=True)


def report(folders: dict[tuple[str, int], Path], rows: list[dict]) -> str:
    summaries = {job: json.loads((folder / "summary.json").read_text()) for job, folder in folders.items()}
    lines = [
        "# Equivariant against plain ResNet",
        "",
        "`python eval/equivariant_vs_plain.py " + " ".join(sys.argv[1:]) + "`",
    ]
    any_run = next(iter(folders.values()))
    config = (any_run / "config.yaml").read_text()
    lines += [
        "",
        "Accuracy in percent on fresh images: mean over seeds, with the 95 % interval of the mean (Student).",
        "",
    ]
    heads = ["network", "options", "parameters", "multiplications", "minutes a run", *FAMILIES]
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, options in NETWORKS.items():
        own = [job for job in folders if job[0] == name]
        runs = {folders[job].name for job in own}
        cells = []
        for family in FAMILIES:
            values = np.array([r["accuracy"] for r in rows if r["run"] in runs and r["test_family"] == family]) * 100
            half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
            cells.append(f"{values.mean():.1f} ± {half:.1f}")
        minutes = np.mean([summaries[job]["seconds"] for job in own]) / 60
        settings = ", ".join(f"{k} {v}" for k, v in options.items()) or "as shipped"
        params = f"{summaries[own[0]]['params']:,}"
        lines.append(
            "| " + " | ".join([name, settings, params, multiplications(options), f"{minutes:.1f}", *cells]) + " |"
        )
    lines += ["", "Settings of every run (seed apart):", "", "```yaml", config.strip(), "```"]
    return "\n".join(lines) + "\n"


def multiplications(options: dict) -> str:
    """Multiply-adds of one forward pass at the default size, counted by PyTorch."""
    from torch.utils.flop_counter import FlopCounterMode

    size = next(f.default for f in fields(TrainConfig) if f.name == "size")
    model = build("e2resnet", **options).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 1, size, size))
    return f"{counter.get_total_flops() / 2e6:.0f} M"


if __name__ == "__main__":
    main()
