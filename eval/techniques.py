"""Each technique of the library beside the same network without it, at a budget where that one learns.

    python eval/techniques.py [--minutes 6]     # one GPU, 16 cores; writes eval/results/techniques/
    python eval/techniques.py --report          # the page again, from the trainings that are there

Noise images of 65 x 65 alone are trained on, with the loop of ``pixels.py``. Every network first tries each peak rate
with one seed on few images, keeps the one with the best accuracy on validation images of its own family, and is then
trained with all seeds, which share the GPU. What is done is not repeated.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pixels import TESTS, Store, made_ready, run
from pixels_plan import FAMILIES, MANY, SIZE, TEST, Job
from seed_table import seed_table

from equisym.document import markdown_table
from equisym.eval.protocol import write_table
from equisym.eval.statistics import percent_interval
from equisym.models.tree import labels_at
from equisym.train.artifacts import write_whole

OUT = Path(__file__).parent / "results" / "techniques"
FEW, EPOCHS, BATCH, PEAKS = 8160, 8, 34, (4e-3, 1.6e-2)
LEVELS = ("rotation order", "crystal class")
NETWORKS: dict[str, dict[str, Any]] = {
    "e2resnet": {},
    "max pooling": {"options": {"pool": "max"}},
    "hierarchical loss": {"loss": "hierarchical"},
    "hierarchical loss, curriculum": {"loss": "hierarchical", "curriculum": 0.3},
    "FFT channel": {"inputs": "image,fft"},
    "FFT and Radon channels": {"inputs": "image,fft,radon"},
    "rotating kernels": {"arch": "rkcnn", "turn": True},
    "fixed kernels": {"arch": "rkcnn", "options": {"rotations": 1}, "turn": True},
    "orbit sharing": {"arch": "orbitnet", "options": {"group": "p4m", "cell": 1}},
    "no sharing": {"arch": "orbitnet", "options": {"group": "p1", "cell": 1}, "turn": True},
    "learned sharing": {"arch": "msrnet", "turn": True},
    "symmetry filters": {"arch": "filternet", "turn": True},
    "plain": {"options": {"group": "C1", "width": 23}, "turn": True},
}
PAIRS = (
    ("correlation pooling", "e2resnet", "max pooling", FEW),
    ("hierarchical loss", "hierarchical loss", "e2resnet", FEW),
    ("hierarchical loss with a curriculum", "hierarchical loss, curriculum", "e2resnet", FEW),
    ("FFT channel", "FFT channel", "e2resnet", FEW),
    ("FFT and Radon channels", "FFT and Radon channels", "e2resnet", FEW),
    ("rotating kernels", "rotating kernels", "fixed kernels", MANY),
    ("sharing along orbits of p4m", "orbit sharing", "no sharing", MANY),
    ("learned sharing (MSR)", "learned sharing", "fixed kernels", MANY),
    ("symmetry filters", "symmetry filters", "plain", MANY),
)
TOLD = {
    "e2resnet": "the default: D4, correlation pooling",
    "fixed kernels": "the plain convolutions of rkcnn",
    "no sharing": "the plain convolutions of orbitnet on a torus",
    "plain": "e2resnet's plan without a group, as filternet has it behind its filters",
}


def job(name: str, images: int, seed: int, peak: float) -> Job:
    """One training."""
    batch = BATCH if images == FEW else 128
    own = {"options": {}} | NETWORKS[name]
    return Job(name, family="noise", images=images, epochs=EPOCHS, seed=seed, batch=batch, peak=peak, **own)


class Folder(Store):
    """Images and results of this script; a result is named by its rate as well."""

    def result(self, job: Job) -> Path:
        return self.out / f"{job.name}-{job.peak:g}.json"

    def row(self, job: Job) -> dict[str, Any] | None:
        """The result of a training that is done."""
        file = self.result(job)
        return json.loads(file.read_text()) if file.is_file() else None

    def best_peak(self, name: str) -> float | None:
        """The rate with the best accuracy on validation images, once one has been tried."""
        tried = [row for peak in PEAKS if (row := self.row(job(name, FEW, 0, peak)))]
        return max(tried, key=lambda row: row["test"]["valid"])["peak"] if tried else None


def train(store: Folder, seeds: list[int], tiny: bool, until: float, stop: float) -> None:
    """Train what is missing; nothing is begun after ``until`` seconds, and all is cut short after ``stop``."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    def at_once(jobs: list[Job]) -> None:
        jobs = [j for j in jobs if not store.result(j).is_file()]
        if not jobs or time.time() - store.start > until:
            return
        if tiny:
            jobs = [replace(j, images=68, epochs=1, batch=34) for j in jobs]
        room = {"size": SIZE, "device": device, "images": jobs[0].images}
        room["steps"] = max(j.epochs * (j.images // j.batch) for j in jobs)
        ready = made_ready(store, jobs, room, False)
        if ready:
            run(store, jobs, ready, stop, device, TESTS | {"valid": ("noise", "valid")})
        del ready
        torch.cuda.empty_cache()

    for budget in (FEW, MANY):
        for name in dict.fromkeys(name for _, *names, images in PAIRS for name in names if images == budget):
            at_once([job(name, FEW, 0, peak) for peak in PEAKS])
            peak = store.best_peak(name)
            if peak is not None:
                at_once([job(name, budget, seed, peak) for seed in seeds])


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A training as a row of the table, with the accuracy at each level of the tree on unseen families."""
    unseen = sum(np.array(row["confusion"][family]) for family in FAMILIES[1:])
    levels = {}
    for level, name in zip(LEVELS, ("rotation", "class"), strict=True):
        values = np.array(labels_at(name))
        same = values[:, None] == values
        levels[level] = round(float(unseen[same].sum() / unseen.sum()), 5)
    kept = ("network", "images", "seed", "epochs", "batch", "peak", "params", "steps", "planned", "card")
    return {key: row[key] for key in kept} | row["test"] | levels


def report(store: Folder) -> None:
    """The csv and the page."""
    file = OUT / "runs.csv"
    found = list(csv.DictReader(file.open())) if file.is_file() else []
    key = ("network", "images", "seed", "peak")
    known = {tuple(str(row[k]) for k in key): row for row in found}
    for result in sorted(store.out.glob("*.json")):
        row = flat(json.loads(result.read_text()))
        if row["steps"] == row["planned"]:  # else it was cut short
            known[tuple(str(row[k]) for k in key)] = row
    shares = ("valid", *FAMILIES, *LEVELS)
    kinds = {"images": int, "seed": int, "params": int, "peak": float} | dict.fromkeys(shares, float)
    rows = [{k: kinds.get(k, str)(v) for k, v in row.items()} for row in known.values()]
    rows.sort(key=lambda row: (row["images"], list(NETWORKS).index(row["network"]), row["peak"], row["seed"]))
    OUT.mkdir(parents=True, exist_ok=True)
    write_table(rows, file, tuple(rows[0]))
    write_whole(OUT / "README.md", page(rows))
    print(page(rows))


def page(rows: list[dict[str, Any]]) -> str:
    """Differences first, then every network."""
    budgets = {images: {name for *_, a, b, n in PAIRS if n == images for name in (a, b)} for images in (FEW, MANY)}
    chosen = chosen_rates(rows)
    final = [row for row in rows if row["network"] in budgets[row["images"]] and row["peak"] == chosen[row["network"]]]
    told = [f"{name}: {text}" for name, text in TOLD.items()]
    text = [
        "# Techniques, with and without",
        "",
        "`python eval/techniques.py`",
        "",
        f"Networks trained on noise images of {SIZE} x {SIZE}, {EPOCHS} epochs: on {FEW:,} images in batches of "
        f"{BATCH} where the network without it learns from so few, else on {MANY:,} in batches of 128. AdamW, one "
        "cycle of rates, looks varied at random, averaged weights, bfloat16; networks that are not invariant by their "
        f"layers see turned and flipped images. The peak rate of each is the better of {' and '.join(map(str, PEAKS))} "
        f"by the accuracy on {TEST:,} validation images, tried with one seed on {FEW:,} images. Accuracy on {TEST:,} "
        f"fresh images of each family. Card: {', '.join(sorted({row['card'] for row in rows} - {'CPU'}))}. "
        + "; ".join(told)
        + ".",
        *_on_a_cpu(rows),
        "",
        "Difference in points, seed by seed, with its 95 % interval (Student):",
        "",
        differences(final),
        "",
        *_missing(final),
        "All of them; rotation order and crystal class: share of answers on the two unseen families that are right at "
        "that level of the tree.",
        "",
        seed_table(
            final,
            {"network": "network", "parameters": "params", "images": "images", "peak": "peak"},
            {f"{name} %": name for name in (*FAMILIES, *LEVELS)},
        ),
        "",
    ]
    return "\n".join(text)


def _on_a_cpu(rows: list[dict[str, Any]]) -> list[str]:
    """A line that names the networks that were trained without a GPU."""
    names = list(dict.fromkeys(row["network"] for row in rows if row["card"] == "CPU"))
    return ["", f"Trained on a CPU in float32, one thread, all else alike: {', '.join(names)}."] if names else []


def _missing(rows: list[dict[str, Any]]) -> list[str]:
    """A line that names the techniques that were not trained yet."""
    there = {(row["network"], row["images"]) for row in rows}
    absent = [what for what, *names, images in PAIRS if any((name, images) not in there for name in names)]
    return [f"Planned and not trained yet: {', '.join(absent)}.", ""] if absent else []


def chosen_rates(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The rate of each network that was best on validation images."""
    tried = [row for row in rows if row["images"] == FEW and row["seed"] == 0]
    return {
        name: max((row for row in tried if row["network"] == name), key=lambda row: row["valid"])["peak"]
        for name in {row["network"] for row in tried}
    }


def differences(rows: list[dict[str, Any]]) -> str:
    """A line for each technique."""
    lines = []
    for what, with_it, without, images in PAIRS:
        runs = {(row["network"], row["seed"]): row for row in rows if row["images"] == images}
        seeds = [seed for name, seed in runs if name == with_it and (without, seed) in runs]
        if not seeds:
            continue
        apart = {f: [runs[with_it, s][f] - runs[without, s][f] for s in seeds] for f in FAMILIES}
        base = percent_interval([float(np.mean([runs[without, s][f] for f in FAMILIES])) for s in seeds])
        lines.append(
            [
                what,
                f"{images:,}",
                f"{without}, {base} %",
                str(len(seeds)),
                *(percent_interval(v) for v in apart.values()),
            ]
        )
    return markdown_table(["technique", "images", "without it, mean of three", "seeds", *FAMILIES], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/techniques"))
    parser.add_argument("--images", type=Path, default=Path("/dev/shm/equisym-pixels"), help="folder for the images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=1e6, help="for everything; the rest is left out")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--tiny", action="store_true", help="a few images and steps, to try the script")
    arguments = parser.parse_args()
    store = Folder(arguments.images, arguments.runs, time.time())
    if not arguments.report:
        store.folder.mkdir(parents=True, exist_ok=True)
        spawn = multiprocessing.get_context("spawn")
        many, test = (340, 34) if arguments.tiny else (MANY, TEST)
        drawing = spawn.Process(target=store.draw, args=(arguments.cores, many, test, FAMILIES[:1]))
        drawing.start()
        train(store, arguments.seeds, arguments.tiny, 60 * arguments.minutes - 15, 60 * arguments.minutes)
        drawing.join()
    if not arguments.tiny:
        report(store)


if __name__ == "__main__":
    main()
