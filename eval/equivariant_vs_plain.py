"""Equivariant against plain ResNet from few images: trained on each image family, tested on all three.

    python eval/equivariant_vs_plain.py --runs runs/equivariant_vs_plain --jobs 2

Every network is trained by `equisym-train` on the same 3,400 images of one family for the same number of epochs. The
plain ones are the same ResNet over the trivial group, once with as many parameters and once with as many multiply-adds
as the equivariant one; their images are turned and flipped at random besides. Each run is a folder: a killed run
continues from its last epoch, a finished one is not repeated. Two cores need a day for all of it; seeds come one after
the other, and the page is written after every run. Results: eval/results/equivariant_vs_plain.csv and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equisym.data import FAMILIES
from equisym.document import Code, Table, Text, render_markdown
from equisym.eval.cost import multiply_adds
from equisym.eval.protocol import write_table
from equisym.eval.statistics import mean_interval
from equisym.models import build
from equisym.train.artifacts import write_whole

RESULTS = Path(__file__).parent / "results"
IMAGES, EPOCHS, TEST = 3400, 12, 1700
NETWORKS: dict[str, dict[str, Any]] = {
    "e2resnet": {},
    "plain, same parameters": {"group": "C1", "width": 20},
    "plain, same computation": {"group": "C1", "width": 65},
}


@dataclass(frozen=True)
class Run:
    """One training: of which network, on which family."""

    network: str
    family: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.network.replace(', ', '-').replace(' ', '-')}-{self.family}-{self.seed}"

    def train(self, folder: Path, jobs: int) -> None:
        """Train it, or go on."""
        if (folder / "summary.json").is_file():
            return
        options = NETWORKS[self.network]
        command = ["equisym-train", "--arch", "e2resnet", "--arch-options", json.dumps(options), "--out", str(folder)]
        command += ["--train-family", self.family, "--train-images", str(IMAGES), "--epochs", str(EPOCHS)]
        command += ["--seed", str(self.seed), "--test-images", str(TEST), "--workers", "1"]
        command += ["--augment"] if options else []
        command += ["--resume"] if (folder / "last.ckpt").is_file() else []
        environment = os.environ | ({"OMP_NUM_THREADS": "1"} if jobs > 1 else {})
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.txt").open("a") as log:
            subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/equivariant_vs_plain"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    arguments = parser.parse_args()
    planned = [Run(n, f, s) for s in arguments.seeds for n in arguments.networks for f in FAMILIES]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        started = {pool.submit(run.train, arguments.runs / run.name, arguments.jobs): run for run in planned}
        for done in as_completed(started):
            done.result()
            print(f"{started[done].name} is trained", flush=True)
            write_page(arguments.runs)
    print((RESULTS / "equivariant_vs_plain.md").read_text())


def write_page(folder: Path) -> None:
    """Write the table of what is trained and tested."""
    every = [Run(n, f, s) for n in NETWORKS for f in FAMILIES for s in range(100)]
    runs = [run for run in every if (folder / run.name / "summary.json").is_file()]
    rows, accuracy = [], {}
    for run in runs:
        for family, value in json.loads((folder / run.name / "summary.json").read_text())["test"].items():
            accuracy[run.name, family] = 100 * value
            rows.append({"run": run.name, "test_family": family, "test_images": TEST, "accuracy": value})
    write_table(rows, RESULTS / "equivariant_vs_plain.csv", ("run", "test_family", "test_images", "accuracy"))
    write_whole(RESULTS / "equivariant_vs_plain.md", page(folder, runs, accuracy))


def page(folder: Path, runs: list[Run], accuracy: dict[tuple[str, str], float]) -> str:
    """The page, as Markdown."""
    networks, trained, unseen = [], [], []
    for network, options in NETWORKS.items():
        own = [run for run in runs if run.network == network]
        if not own:
            continue
        summaries = [json.loads((folder / run.name / "summary.json").read_text()) for run in own]
        minutes = sum(summary["seconds"] for summary in summaries) / len(own) / 60
        cost = multiply_adds(build("e2resnet", **options), 65) / 1e6
        named = ", ".join(f"{k} {v}" for k, v in options.items()) or "as shipped"
        networks.append([network, named, f"{summaries[0]['params']:,}", f"{cost:,.0f} M", f"{minutes:.0f}"])
        for family in FAMILIES:
            seeds = [run for run in own if run.family == family]
            if seeds:
                cells = [interval([accuracy[run.name, f] for run in seeds]) for f in FAMILIES]
                trained.append([network, family, str(len(seeds)), *cells])
        pairs = {(a, b) for a in FAMILIES for b in FAMILIES if a != b}
        means = []
        for seed in sorted({run.seed for run in own}):
            of = {run.family: run.name for run in own if run.seed == seed}
            if len(of) == len(FAMILIES):
                means.append(sum(accuracy[of[a], b] for a, b in pairs) / len(pairs))
        found = {
            pair: [accuracy[run.name, pair[1]] for run in own if run.family == pair[0]]
            for pair in sorted(pairs)
            if any(run.family == pair[0] for run in own)
        }
        average = {pair: sum(values) / len(values) for pair, values in found.items()}
        least = min(average, key=average.__getitem__)
        ends = f"{average[least]:.1f} ({least[0]} to {least[1]})"
        unseen.append([network, str(len(means)), interval(means) if means else "-", ends])
    config = (folder / runs[0].name / "config.yaml").read_text().strip()
    return render_markdown(
        f"Equivariant against plain ResNet, from {IMAGES:,} images",
        [
            Code("python eval/equivariant_vs_plain.py " + " ".join(sys.argv[1:])),
            Text(
                f"Trained on {IMAGES:,} images of one family, 65 x 65 pixels, for {EPOCHS} epochs; tested on {TEST:,} "
                "fresh images of each. Accuracy in percent: mean over seeds with its 95 % interval (Student), or one "
                "seed. Plain networks see their images turned and flipped besides."
            ),
            Table(["network", "options", "parameters", "multiply-adds", "minutes a run"], networks),
            Table(["network", "trained on", "seeds", *FAMILIES], trained),
            Text("The six unseen directions (trained on one family, tested on another):"),
            Table(["network", "seeds", "mean of six", "least of six"], unseen),
            Text("Settings of the first run:"),
            Code(config, "yaml"),
        ],
        RESULTS,
    )


def interval(values: list[float]) -> str:
    """Mean, with its interval where there are several values."""
    mean, half = mean_interval(values)
    return f"{mean:.1f} ± {half:.1f}" if len(values) > 1 else f"{mean:.1f}"


if __name__ == "__main__":
    main()
