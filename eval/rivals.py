"""The same D4 residual network on our layers and on those of escnn and e2cnn, and a plain one: what each learns.

    python eval/rivals.py --parity PYTHON [--images 3400 34000] [--seeds 0 1 2] [--cores 2]

PYTHON is an interpreter that has escnn and e2cnn, such as the one that tests/parity/make_env.sh prints. Images are
drawn once. Each network first tries every peak rate on few images with one seed and keeps the one with the best
accuracy on validation images of its own family; then it is trained with that rate on every number of images and seed,
on a GPU all seeds at once. Every result is written when it is there, and what is done is not repeated. Results:
eval/results/rivals.csv and .md.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from resnets import make  # noqa: E402
from seed_table import seed_table  # noqa: E402

NETWORKS = ("equisym", "band-limited", "pixels", "escnn", "e2cnn", "narrow")
LABELS = {"band-limited": "equisym, band-limited", "pixels": "equisym, pixels"}
FAMILIES = ("noise", "photo", "atom")
COLUMNS = ("network", "images", "seed", "peak", "tried", "params", "card", "valid", *FAMILIES)
WIDTH, NARROW, BLOCKS = 8, 23, (1, 1, 1)
SIZE, FEW, TEST, BATCH = 65, 3400, 1700, 64
EPOCHS = {FEW: 20, 34000: 6}
PEAKS = (5e-2, 2.5e-2, 1e-2, 4e-3)


@dataclass(frozen=True)
class Run:
    """One training."""

    network: str
    images: int
    seed: int
    peak: float

    def file(self, folder: Path) -> Path:
        """Where its result is written."""
        return folder / f"{self.network}-{self.images}-{self.peak:g}-{self.seed}.json"


def draw(task: tuple[Path, str, int, int, str]) -> None:
    """Images and labels of one set, once."""
    file, family, count, seed, split = task
    from equisym.data import WallpaperDataset

    torch.set_num_threads(1)
    if not file.is_file():
        data = WallpaperDataset(family, count, size=SIZE, seed=seed, split=split).in_memory()
        partial = file.with_suffix(".part")
        torch.save(data.tensors, partial)
        partial.replace(file)


def sets(folder: Path, most: int) -> list[tuple[Path, str, int, int, str]]:
    """What is drawn; the training set in parts, each of all groups."""
    parts = [(folder / f"train-{n}.pt", "noise", FEW, n, "train") for n in range(most // FEW)]
    tests = [(folder / f"test-{family}.pt", family, TEST, 1000, "test") for family in FAMILIES]
    return [*parts, *tests, (folder / "valid.pt", "noise", TEST, 2000, "valid")]


def read(*files: Path) -> tuple[Tensor, Tensor]:
    """Standardised images and labels."""
    parts = [torch.load(file) for file in files]
    images, labels = (torch.cat(of) for of in zip(*parts, strict=True))
    mean, spread = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True)
    return (images - mean) / spread, labels


@cache
def network(name: str, seed: int) -> nn.Module:
    """A fresh network of the comparison; the narrow one has as many parameters as ours."""
    torch.manual_seed(seed)
    return make(name, NARROW if name == "narrow" else WIDTH, BLOCKS).train()  # theirs keep no filters in training


def train_all(name: str, folder: Path, counts: list[int], seeds: list[int], device: str) -> None:
    """Everything about one network: the choice of its rate, then all seeds and numbers of images."""
    from equisym.train.resident import ResidentTraining

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(seeds[0])
    steps = max(EPOCHS[count] * (count // BATCH) for count in (FEW, *counts))
    room: dict[str, Any] = {"size": SIZE, "images": max(FEW, *counts), "steps": steps, "batch_size": BATCH}
    room |= {"device": device, "weight_decay": 0.0, "appearance": False, "bfloat16": True}
    ready: list[ResidentTraining] = []

    def fresh() -> nn.Module:
        return deepcopy(network(name, torch.initial_seed()))

    def at_once(runs: list[Run]) -> None:
        missing = [run for run in runs if not run.file(folder).is_file()]
        while len(ready) < (len(missing) if device == "cuda" else min(1, len(missing))):
            ready.append(ResidentTraining(fresh, **room))
        for first in range(0, len(missing), max(1, len(ready))):
            train(missing[first : first + len(ready)], ready, folder, device)

    at_once([Run(name, FEW, seeds[0], peak) for peak in PEAKS])
    peak = best_peak(name, folder, seeds[0])
    for count in counts:
        at_once([Run(name, count, seed, peak) for seed in seeds])


def tried_peaks(name: str, folder: Path, seed: int) -> list[float]:
    """The peak rates that have a result."""
    return [peak for peak in PEAKS if Run(name, FEW, seed, peak).file(folder).is_file()]


def best_peak(name: str, folder: Path, seed: int) -> float:
    """The peak rate with the greatest accuracy on validation images."""
    tried = tried_peaks(name, folder, seed)
    found = {p: json.loads(Run(name, FEW, seed, p).file(folder).read_text())["valid"] for p in tried}
    return max(found, key=found.__getitem__)


def train(runs: list[Run], ready: list[Any], folder: Path, device: str) -> None:
    """Train runs of equal length side by side, and write what each reaches."""
    from equisym.train.artifacts import write_whole

    images, labels = read(*(folder / f"train-{n}.pt" for n in range(runs[0].images // FEW)))
    count, steps = runs[0].images, 0
    for run, training in zip(runs, ready, strict=False):
        steps = training.load(images[:count], labels[:count], epochs=EPOCHS[count], lr=run.peak, seed=run.seed)
    for step in range(steps):
        for _, training in zip(runs, ready, strict=False):
            training.advance()
        if step % 100 == 99:
            if device == "cuda":
                torch.cuda.synchronize()
            told = f"step {step + 1:,} of {steps:,}, loss {ready[0].losses[step]:.3f}"
            print(f"{runs[0].network}, {count:,} images: {told}", file=sys.stderr, flush=True)
    for run, training in zip(runs, ready, strict=False):
        model = training.averaged()
        row = asdict(run) | {"params": sum(p.numel() for p in model.parameters())}
        row["card"] = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        for what in ("valid", *FAMILIES):
            seen, truth = read(folder / ("valid.pt" if what == "valid" else f"test-{what}.pt"))
            with torch.no_grad():
                answers = torch.cat([model(batch.to(device)).argmax(1).cpu() for batch in seen.split(340)])
            row[what] = round((answers == truth).double().mean().item(), 5)
        write_whole(run.file(folder), json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)


def collected(folder: Path, seeds: list[int]) -> list[dict]:
    """The rows of the csv; those of networks that have results in this folder are made anew."""
    numbers = {"images": int, "seed": int, "params": int, "peak": float} | dict.fromkeys(("valid", *FAMILIES), float)
    with (HERE / "results" / "rivals.csv").open(newline="") as file:
        rows = [{key: numbers.get(key, str)(value) for key, value in row.items()} for row in csv.DictReader(file)]
    for name in NETWORKS:
        tried = tried_peaks(name, folder, seeds[0])
        if tried:
            peak = best_peak(name, folder, seeds[0])
            files = [Run(name, count, s, peak).file(folder) for count in EPOCHS for s in seeds]
            found = [json.loads(file.read_text()) for file in files if file.is_file()]
            rows = [row for row in rows if row["network"] != name]
            rows += [row | {"tried": " ".join(f"{p:g}" for p in tried)} for row in found]
    return sorted(rows, key=lambda row: (row["images"], NETWORKS.index(row["network"]), row["seed"]))


def write_page(rows: list[dict]) -> None:
    """The rows as csv, and the page; with the peak rates that networks were not tried with, and the notes."""
    from equisym.eval.protocol import write_table
    from equisym.train.artifacts import write_whole

    write_table(rows, HERE / "results" / "rivals.csv", COLUMNS)
    cards = " and ".join(sorted({row["card"] for row in rows}))
    epochs = " or ".join(f"{e} epochs of {n:,}" for n, e in EPOCHS.items())
    text = [
        "# One network on the layers of three libraries, and a plain one",
        "",
        "`python eval/rivals.py --parity PYTHON`",
        "",
        f"A residual network of D4, {WIDTH} fields in the first of {len(BLOCKS)} stages, the greatest value over the "
        f"group at its end; narrow, a plain one of as many parameters as ours. Trained on noise images of {SIZE} x "
        f"{SIZE}, {epochs} images, batches of {BATCH}, Adam with one cycle of rates, averaged weights, bfloat16, the "
        f"same for all. The peak rate of each network is the best of {', '.join(f'{p:g}' for p in PEAKS)} by the "
        f"accuracy on {TEST:,} validation images after training on {FEW:,} with the first seed. Accuracy on {TEST:,} "
        f"fresh images of each family: mean and 95 % interval over seeds (Student). Card: {cards}.",
        "",
        "Ours differ in what the weights of a kernel are: coefficients of a basis sorted by the group's irreps, the "
        'default; band-limited, coefficients of waves on rings (`GroupConv2d(basis="circular")`); pixels, one for each '
        '(`basis="pixels"`). '
        "All but pixels leave out the parts of a 3 x 3 kernel that the grid holds badly, hence "
        "fewer parameters. Speed: benchmarks/results/layers.md.",
        "",
        seed_table(
            [row | {"network": LABELS.get(row["network"], row["network"])} for row in rows],
            {"images": "images", "network": "network", "parameters": "params", "peak rate": "peak"},
            {f"{family} %": family for family in FAMILIES},
        ),
        "",
    ]
    text += [(HERE / "results" / "rivals_notes.md").read_text()]
    for name, tried in {row["network"]: row["tried"].split() for row in rows}.items():
        if peaks := [f"{p:g}" for p in PEAKS if f"{p:g}" not in tried]:
            text += [f"Not yet tried: {name} with {', '.join(peaks)}; by validation its row can only rise.", ""]
    write_whole(HERE / "results" / "rivals.md", "\n".join(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn; without it the rest is trained")
    parser.add_argument("--runs", type=Path, default=Path("runs/rivals"))
    parser.add_argument("--images", type=int, nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="what is trained")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="processes that draw images")
    parser.add_argument("--report", action="store_true", help="write the page from the results that are there")
    parser.add_argument("--train", choices=NETWORKS, help="train this network in this interpreter")
    arguments = parser.parse_args()
    folder, device = arguments.runs, "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.train:
        train_all(arguments.train, folder, arguments.images, arguments.seeds, device)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        with multiprocessing.get_context("spawn").Pool(arguments.cores) as pool:
            pool.map(draw, sets(folder, max(arguments.images)), chunksize=1)
        places = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": places}
        numbers = ["--images", *map(str, arguments.images), "--seeds", *map(str, arguments.seeds)]
        names = [n for n in arguments.networks if arguments.parity or n not in ("escnn", "e2cnn")]
        python, begun = str(arguments.parity or sys.executable), []
        for name in names:
            command = [python, "-W", "ignore", __file__, "--train", name, "--runs", str(folder), *numbers]
            begun.append(subprocess.Popen(command, env=environment))
            if device == "cpu":
                begun[-1].wait()
        failed = [n for n, process in zip(names, begun, strict=True) if process.wait()]
        if failed:
            print(f"not finished: {', '.join(failed)}", file=sys.stderr)
    write_page(collected(folder, arguments.seeds))
    print((HERE / "results" / "rivals.md").read_text())


if __name__ == "__main__":
    main()
