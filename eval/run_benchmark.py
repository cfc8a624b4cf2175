"""The whole benchmark: train every network, test each on every family, write the report. Stops and continues anywhere.

    python eval/run_benchmark.py --scale cpu --jobs 2      # 65 px, 8,160 images, three seeds, two cores
    python eval/run_benchmark.py --scale gpu               # 129 px, 10,000 to 1,000,000 images, bf16
    python eval/run_benchmark.py --scale cpu --report      # trains nothing: what is finished, tested and on the page

All networks of one seed are trained and tested, then those of the next, and the page is written after each, so that a
benchmark that was stopped has whole rows. Three networks are trained on every family, and tested with their first seed
on harder images as well: corruptions at severity 3, and cells that repeat seldom or often. A finished run is not
repeated, a killed one continues from its last checkpoint, and one that fails is named at the end.
Results: eval/results/benchmark-SCALE/.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_plan import NETWORKS, SCALES, TECHNIQUES, Scale

from equisym.data import CORRUPTIONS, FAMILIES, Corruption
from equisym.document import render_html, render_markdown
from equisym.eval import evaluate
from equisym.eval.generalisation import read_results, report
from equisym.eval.protocol import COLUMNS, MODEL_COLUMNS, Repeats, describe, write_answers, write_table
from equisym.train.artifacts import write_whole
from equisym.train.checksums import check_sealed, seal

HERE = Path(__file__).parent
HARDER = [*(Corruption(name, 3) for name in CORRUPTIONS), *(Repeats(number) for number in (2, 3, 4, 6, 8))]
Job = tuple[Path, str, str, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument("--runs", type=Path, help="folder of the runs; runs/benchmark-SCALE if not given")
    parser.add_argument("--out", type=Path, help="folder of the results; eval/results/benchmark-SCALE if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time; one thread each if several")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="those of the scale if not given")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="options of every run")
    parser.add_argument("--report", action="store_true", help="train nothing, report on the finished runs")
    parser.add_argument("--test-images", type=int, help="of each family")
    arguments = parser.parse_args()
    scale = SCALES[arguments.scale]
    runs = arguments.runs or Path("runs") / f"benchmark-{arguments.scale}"
    out = arguments.out or HERE / "results" / f"benchmark-{arguments.scale}"
    networks = NETWORKS | scale.baselines
    chosen = arguments.networks or [*scale.networks, *scale.baselines]
    if unknown := [name for name in chosen if name not in networks]:
        parser.error(f"no network {', '.join(unknown)}: there are {', '.join(networks)}")
    changes = [f"--{pair.partition('=')[0].replace('_', '-')}={pair.partition('=')[2]}" for pair in arguments.set]
    plans = [
        [
            (runs / f"{family}-{images}" / f"{name}-{seed}", name, family, images, seed)
            for family in (*scale.families, *(f for f in FAMILIES if f not in scale.families))
            for name in chosen
            if family in scale.families or name in scale.everywhere
        ]
        for images in scale.images
        for seed in arguments.seeds
    ]
    failed = []
    for plan in [] if arguments.report else plans:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            done = list(pool.map(lambda job: train_one(*job, scale, arguments.jobs, changes), plan))
        failed += [job[0].name for job, well in zip(plan, done, strict=True) if not well]
        report_on(plans, arguments.test_images or scale.test_images, runs, out, scale)
    if arguments.report:
        report_on(plans, arguments.test_images or scale.test_images, runs, out, scale)
    if failed:
        sys.exit(f"failed, see log.txt of each: {', '.join(failed)}")


def report_on(plans: list[list[Job]], test_images: int, runs: Path, out: Path, scale: Scale) -> None:
    """Test what is finished and write the page."""
    finished = [job[0] for plan in plans for job in plan if is_whole(job[0], "summary.json")]
    if finished:
        test_all(finished, test_images)
        first = min(job[-1] for plan in plans for job in plan)
        test_harder(
            [job[0] for plan in plans for job in plan if job[-1] == first and job[1] in scale.everywhere], test_images
        )
        collect(finished, runs, out, scale.summary)


def train_one(
    folder: Path, name: str, family: str, images: int, seed: int, scale: Scale, jobs: int, changes: list[str]
) -> bool:
    """Train one network, or continue; whether it is finished."""
    if is_whole(folder, "summary.json"):
        return True
    options = scale.options | (scale.baseline if name in scale.baselines else {})
    options |= (NETWORKS | scale.baselines)[name]
    options |= {"train_family": family, "train_images": images, "seed": seed, "test_images": 0}
    command = [sys.executable, "-m", "equisym.train.command", "--out", str(folder)]
    for key, value in options.items():
        flag = f"--{key.replace('_', '-')}"
        command += [flag] if value is True else [f"{flag}={json.dumps(value) if isinstance(value, dict) else value}"]
    command += [*changes, *(["--resume"] if (folder / "last.ckpt").is_file() else [])]
    environment = os.environ | ({"OMP_NUM_THREADS": "1"} if jobs > 1 else {})
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with (folder / "log.txt").open("a") as log:
        code = subprocess.run(command, check=False, env=environment, stdout=log, stderr=log).returncode
    ending = "finished" if code == 0 else f"failed with code {code}"
    print(f"{folder.name}: {ending} after {time.perf_counter() - start:.0f} s", flush=True)
    return code == 0


def is_whole(folder: Path, *names: str) -> bool:
    """Whether a folder holds these results, none empty or damaged; damage is said, and the work is done again."""
    if not all((folder / name).is_file() for name in names):
        return False
    try:
        for name in names:
            check_sealed(folder / name)
            if not (folder / name).stat().st_size:
                raise ValueError(f"{folder / name} is empty")
    except ValueError as error:
        print(f"{error}; it is made again", flush=True)
        return False
    return True


def test_all(folders: list[Path], count: int) -> None:
    """Test the runs that are not tested yet; each keeps its own rows and answers."""
    waiting = [folder for folder in folders if not is_whole(folder, "tested.csv", "model.csv", "answers.npz")]
    rows: list[dict[str, Any]] = []
    answers = {}
    for row, scores in evaluate(waiting, FAMILIES, count):
        folder = Path(row["run"])
        row["run"] = f"{folder.parent.name}/{folder.name}"
        rows.append(row)
        answers[row["run"], row["test_family"]] = scores
        if len(rows) == len(FAMILIES):
            write_answers(answers, folder / "answers.npz")
            write_table([describe(folder) | {"run": row["run"]}], folder / "model.csv", MODEL_COLUMNS)
            write_table(rows, folder / "tested.csv")
            seal(folder, "tested.csv", "model.csv", "answers.npz")
            rows, answers = [], {}
            print(f"{folder.name}: tested", flush=True)


def test_harder(folders: list[Path], count: int) -> None:
    """Test finished runs on images that are hard in one way each, a tenth as many of each kind."""
    waiting = [f for f in folders if is_whole(f, "tested.csv") and not is_whole(f, "harder.csv")]
    rows: list[dict[str, Any]] = []
    for row, _ in evaluate(waiting, FAMILIES, max(count // 10, 17), conditions=HARDER):
        folder = Path(row["run"])
        rows.append(row | {"run": f"{folder.parent.name}/{folder.name}"})
        if len(rows) == len(FAMILIES) * len(HARDER):
            write_table(rows, folder / "harder.csv")
            seal(folder, "harder.csv")
            rows = []
            print(f"{folder.name}: tested on harder images", flush=True)


def collect(folders: list[Path], runs: Path, out: Path, summary: str) -> None:
    """Put the tables of all runs together and write the page."""
    out.mkdir(parents=True, exist_ok=True)
    for name, target, columns in (
        ("tested.csv", "cross_dataset.csv", COLUMNS),
        ("model.csv", "models.csv", MODEL_COLUMNS),
        ("harder.csv", "corruptions.csv", COLUMNS),
    ):
        rows = []
        for folder in folders:
            if not (folder / name).is_file():
                continue
            with (folder / name).open(newline="") as file:
                rows += list(csv.DictReader(file))
        write_table(rows, out / target, columns)
    arrays = {}
    for folder in folders:
        with np.load(folder / "answers.npz") as kept:
            arrays |= {key: kept[key] for key in kept.files}
    partial = out / "answers.npz.part"
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    partial.replace(out / "answers.npz")
    lines = ["technique,with,without", *(f'"{t}",{a},{b}' for t, a, b in TECHNIQUES)]
    write_whole(out / "techniques.csv", "\n".join(lines) + "\n")
    results = read_results([out / "cross_dataset.csv"], HERE / "published" / "accuracy.csv")
    command = shlex.join(["python", "eval/run_benchmark.py", *sys.argv[1:]])
    title = f"Generalisation across image families: {runs.name}"
    blocks = report(results, command, [summary])
    write_whole(out / "REPORT.md", render_markdown(title, blocks, out / "figures"))
    write_whole(out / "index.html", render_html(title, blocks))
    print(out / "index.html")


if __name__ == "__main__":
    main()
