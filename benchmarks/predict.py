"""Speed and memory of the classifier. How soon the command answers after it was started: ``start.py``.

python benchmarks/predict.py --out benchmarks/results/predict.md
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from pathlib import Path
from statistics import median

import torch

from equisym.data import FAMILIES, WallpaperDataset, render
from equisym.predict import SymmetryClassifier
from equisym.train.artifacts import write_whole

BATCH = 170


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file; printed alone if not given")
    arguments = parser.parse_args()
    classifier = SymmetryClassifier.from_pretrained()
    large = [WallpaperDataset(family, 17, size=512, seed=1)[i][0][0].numpy() for family in FAMILIES for i in (3, 8, 13)]
    small = [WallpaperDataset("all", BATCH, size=256, seed=2)[i][0] for i in range(BATCH)]
    classifier.predict(large[0])
    seconds = []
    for image in large * 2:
        start = time.perf_counter()
        classifier.predict(image)
        seconds.append(time.perf_counter() - start)
    rows = [("`predict`, 512 x 512, warm, median", f"{median(seconds):.2f} s")]
    rows.append(("`predict`, 512 x 512, warm, slowest of 18", f"{max(seconds):.2f} s"))
    for workers in (0, torch.get_num_threads()):
        start = time.perf_counter()
        classifier.predict_batch(small, workers=workers)
        speed = len(small) / (time.perf_counter() - start)
        rows.append((f"`predict_batch`, {BATCH} of 256 x 256, {workers} processes", f"{speed:.1f} images/s"))
    for repeats in ((40, 40), (8, 8)):
        wide = render("p4m", "noise", seed=1, size=1024, repeats=repeats)[0].numpy()
        start = time.perf_counter()
        windows = classifier.map(wide, 256)
        count = len(windows.rows) * len(windows.columns)
        what = f"`map`, 1024 x 1024, {count} windows of 256, cells of {1024 / repeats[0]:.0f} pixels"
        rows.append((what, f"{time.perf_counter() - start:.2f} s"))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    rows.append(("peak memory of the largest process", f"{peak:.2f} GiB"))
    text = "\n".join(
        [
            "# Speed of the classifier",
            "",
            "`python benchmarks/predict.py --out benchmarks/results/predict.md`",
            "",
            f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}.",
            "",
            "| what | figure |",
            "|---|---|",
            *(f"| {what} | {figure} |" for what, figure in rows),
            "",
        ]
    )
    print(text)
    if arguments.out:
        write_whole(arguments.out, text)


if __name__ == "__main__":
    main()
