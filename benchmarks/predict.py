"""Speed and memory of the classifier.

python benchmarks/predict.py --out benchmarks/results/predict.md
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from equisym.data import FAMILIES, WallpaperDataset
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, large[0])
        code = "from equisym.predict.command import main; main()"
        starts = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.DEVNULL)
            starts.append(time.perf_counter() - start)
    rows.append(("`equisym-predict`, start to answer, 512 x 512, median of 3", f"{median(starts):.1f} s"))
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
