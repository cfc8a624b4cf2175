"""How large steerable weights should begin: accuracy by scale, peak rate and budget, from noise images alone.

    python eval/kernel_scale.py [--seeds 0 1 2] [--powers 1 3 8]
    python eval/kernel_scale.py --report                              # the page again, from its csv

The power is the mean square of a basis function's output: the larger it is, the smaller the weights begin and the more
of a kernel a step of Adam changes. Two networks of D4: that of ``rivals.py``, which takes the greatest value over the
group, and the default e2resnet, which pools correlations, at the budget of ``equisym-train``. 34,000 images are used
with the peak rate that is best on validation images at 3,400. Results, one row a training as it ends:
eval/results/kernel_scale.csv and .md.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import torch
from rivals import BLOCKS, FAMILIES, FEW, SIZE, WIDTH, draw, make, read, sets
from seed_table import seed_table
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
OUT = Path(__file__).parent / "results" / "kernel_scale.csv"
COLUMNS = ("network", "images", "power", "peak", "seed", "card", "valid", *FAMILIES)
NETWORKS = ("group pooling", "correlation pooling")
PEAKS = {FEW: (0.01, 0.025, 0.05), 8160: (0.004, 0.01, 0.025, 0.05)}
EPOCHS = {FEW: 20, 8160: 5, 34000: 6}
BATCH = {FEW: 64, 8160: 34, 34000: 64}
WHERE = {"group pooling": (FEW, 34000), "correlation pooling": (8160,)}


def network(name: str, power: float) -> nn.Module:
    """Fresh, its steerable weights on that scale."""
    from equisym.models import build
    from equisym.nn import kernel

    with patch.object(kernel, "_STEERABLE_POWER", power):
        return make("equisym", WIDTH, BLOCKS).train() if name == "group pooling" else build("e2resnet").train()


class Rows:
    """The trainings that are done, in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows = list(csv.DictReader(file.open())) if file.is_file() else []

    def find(self, **wanted: object) -> list[dict[str, str]]:
        """Rows with these values."""
        return [row for row in self.rows if all(row[key] == str(value) for key, value in wanted.items())]

    def add(self, row: dict[str, Any]) -> None:
        """Write one more."""
        from equisym.eval.protocol import write_table

        self.rows.append({key: str(value) for key, value in row.items()})
        write_table(self.rows, self.file, COLUMNS)
        print(row, file=sys.stderr, flush=True)

    def best(self, name: str, images: int, power: float) -> float:
        """The peak rate with the best mean accuracy on validation images."""
        found = {
            peak: mean(float(row["valid"]) for row in self.find(network=name, images=images, power=power, peak=peak))
            for peak in PEAKS[images]
        }
        return max(found, key=found.__getitem__)


def train(name: str, power: float, seeds: list[int], rows: Rows, folder: Path) -> None:
    """All budgets of one network on one scale; the seeds of a budget and rate at once."""
    from equisym.train.resident import ResidentTraining

    card = torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU"
    wait = torch.cuda.synchronize if DEVICE == "cuda" else lambda: None
    for batch in (64, 34):
        counts = [count for count in WHERE[name] if BATCH[count] == batch]
        room: dict[str, Any] = {"size": SIZE, "images": max(counts, default=0), "batch_size": batch, "device": DEVICE}
        room["steps"] = max((EPOCHS[count] * (count // batch) for count in counts), default=0)
        # as rivals.py trains, and as the command does
        room |= {"weight_decay": 0.0, "appearance": False} if batch == 64 else {"weight_decay": 0.05}
        room["bfloat16"] = True
        ready: list[ResidentTraining] = []
        for count in counts:
            peaks = PEAKS[count] if count in PEAKS else [rows.best(name, FEW, power)]
            for peak in peaks:
                key = {"network": name, "images": count, "power": power, "peak": peak}
                missing = [seed for seed in seeds if not rows.find(**key, seed=seed)]
                while len(ready) < len(missing):
                    ready.append(ResidentTraining(partial(network, name, power), **room))
                images, labels = read(*(folder / f"train-{n}.pt" for n in range(-(-count // FEW))))
                for seed, training in zip(missing, ready, strict=False):
                    training.load(images[:count], labels[:count], epochs=EPOCHS[count], lr=peak, seed=seed)
                for _ in range(EPOCHS[count] * (count // batch) if missing else 0):
                    for _, training in zip(missing, ready, strict=False):
                        training.advance()
                wait()
                for seed, training in zip(missing, ready, strict=False):
                    rows.add(key | {"seed": seed, "card": card} | accuracies(training.averaged(), folder))


@torch.no_grad()
def accuracies(model: nn.Module, folder: Path) -> dict[str, float]:
    """On validation images and on fresh ones of each family."""
    found = {}
    for what in ("valid", *FAMILIES):
        seen, truth = read(folder / ("valid.pt" if what == "valid" else f"test-{what}.pt"))
        answers = torch.cat([model(batch.to(DEVICE)).argmax(1).cpu() for batch in seen.split(340)])
        found[what] = round((answers == truth).double().mean().item(), 5)
    return found


def page(rows: Rows) -> str:
    """What was compared, and the table."""
    numbers = {"power": float, "peak": float, "images": int} | dict.fromkeys(("valid", *FAMILIES), float)
    found = [{key: numbers.get(key, str)(value) for key, value in row.items()} for row in rows.rows]
    found.sort(key=lambda row: (NETWORKS.index(row["network"]), row["images"], row["power"], row["peak"]))
    text = [
        "# The scale of steerable weights",
        "",
        "`python eval/kernel_scale.py`",
        "",
        "Networks of D4 trained on noise images of 65 x 65, Adam with one cycle of rates, averaged weights, bfloat16; "
        f"{EPOCHS[FEW]} epochs of {FEW:,} images or {EPOCHS[34000]} of 34,000 in batches of 64 without decay, or "
        f"{EPOCHS[8160]} of 8,160 as `equisym-train`, batches of 34, decay 0.05, looks varied. Power: mean square of a "
        "basis function's output, larger where weights begin smaller. Mean and 95 % interval over seeds (Student). "
        f"Card: {', '.join(sorted({row['card'] for row in rows.rows}))}.",
        "",
        seed_table(
            found,
            {"network": "network", "images": "images", "power": "power", "peak rate": "peak"},
            {"validation %": "valid"} | {f"{family} %": family for family in FAMILIES},
        ),
        "",
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path("runs/rivals"), help="folder for the images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--powers", type=float, nargs="+", default=[1.0, 3.0, 8.0])
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="processes that draw images")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--report", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    rows = Rows(arguments.out)
    if not arguments.report:
        arguments.images.mkdir(parents=True, exist_ok=True)
        with multiprocessing.get_context("spawn").Pool(arguments.cores) as pool:
            pool.map(draw, sets(arguments.images, max(EPOCHS)), chunksize=1)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        for name in NETWORKS:
            for power in arguments.powers:
                train(name, power, arguments.seeds, rows, arguments.images)
    from equisym.train.artifacts import write_whole

    write_whole(arguments.out.with_suffix(".md"), page(rows))
    print(page(rows))


if __name__ == "__main__":
    main()
