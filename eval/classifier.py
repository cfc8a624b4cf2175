"""The classifier as it is shipped, with refusals and drift correction: on corrupted and on non-periodic images.

    python eval/classifier.py [--labelled FOLDER]     # a quarter of an hour; eval/results/symnet/classifier.md

Sure and wrong: another group named with a probability above 0.9. A refusal counts as not right. FOLDER holds images of
one's own and labels.csv with the columns file, expected_group and also_right (groups with spaces between, or refuse);
of them only the calibration is reported.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equisym import SymmetryClassifier
from equisym.data import CORRUPTIONS, FAMILIES, Corruption, WallpaperDataset
from equisym.data.photographs import photographs
from equisym.data.readers import read_image
from equisym.document import markdown_table
from equisym.eval.metrics import wilson_interval
from equisym.eval.statistics import reliability
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.prediction import Prediction
from equisym.predict.preprocessing import as_grey
from equisym.train.artifacts import write_whole

OUT = Path(__file__).parent / "results" / "symnet" / "classifier.md"
SIZE, SURE = 256, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=34, help="images of each family and corruption")
    parser.add_argument("--clean", type=int, default=170, help="images of each family without a corruption")
    parser.add_argument("--labelled", type=Path, help="folder of labelled images, for the calibration")
    asked = parser.parse_args()
    classifier = SymmetryClassifier.from_pretrained()
    periodic, others, families = [], [], []
    answers: dict[str, list[tuple[Prediction, bool]]] = {"clean": [], "corrupted": []}
    for name in (None, *CORRUPTIONS):
        corrupt, count = (None, asked.clean) if name is None else (Corruption(name, 3), asked.count)
        sets = [WallpaperDataset(f, count, size=SIZE, seed=11, split="test", corrupt=corrupt) for f in FAMILIES]
        results = classifier.predict_batch([data[i][0] for data in sets for i in range(count)])
        truth = [WALLPAPER_GROUPS[i % 17].name for _ in sets for i in range(count)]
        good = [r.group == t for r, t in zip(results, truth, strict=True)]
        answers["clean" if name is None else "corrupted"] += zip(results, good, strict=True)
        if name is None:
            families = [f"{f} {100 * np.mean(good[n * count : (n + 1) * count]):.1f}" for n, f in enumerate(FAMILIES)]
        right, refused = sum(good), sum(r.group is None for r in results)
        wrong = sum(
            r.group not in (None, t) and next(iter(r.probabilities.values())) > SURE
            for r, t in zip(results, truth, strict=True)
        )
        low, high = wilson_interval(right, len(results))
        shares = [100 * n / len(results) for n in (right, refused, wrong)]
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        periodic.append([name or "clean", f"{shares[0]:.1f}", interval, f"{shares[1]:.1f}", f"{shares[2]:.1f}"])
        print(*periodic[-1], sep=", ", flush=True)
    for name, images in without_period():
        results = classifier.predict_batch(images)
        refused = sum(r.group is None for r in results)
        sure = sum(r.group is not None and next(iter(r.probabilities.values())) > SURE for r in results)
        others.append([name, str(len(images)), str(refused), str(sure)])
        print(*others[-1], sep=", ", flush=True)
    if asked.labelled:
        answers[f"{asked.labelled.name}, labelled by hand"] = labelled(classifier, asked.labelled)
    text = f"""# The classifier, refusals included

`python eval/classifier.py`

Images of {SIZE} x {SIZE} pixels from test photographs: {asked.clean} clean ones of each family, {
        asked.count
    } of each with
a corruption at severity 3 of 5. Percent, with the 95 % interval (Wilson); sure and wrong: another group named with a
probability above {SURE}. Clean, by family: {", ".join(families)}.

{markdown_table(["images", "right", "95 % interval", "refused", "sure and wrong"], periodic)}

A clean image strained by 3 % is named by the metric that it has, below a certainty of 0.8, with the group of higher
symmetry in words: `p2; pmm within 0.01 % if the image is stretched by 2.8 %`. Of scans whose lines had to be
straightened, the metric decides less.

## Calibration

Of the images that are answered: the mean probability of the named group, the share that is right, and the expected
calibration error in ten bins of probability. A classifier that is right more often than it says is on the safe side.

{
        markdown_table(
            ["images", "answered", "mean probability", "right", "calibration error", "named below 0.8: right of"],
            [[name, *calibration(found)] for name, found in answers.items()],
        )
    }

## What has no period

{markdown_table(["images", "number", "refused", "answered surely"], others)}
"""
    write_whole(OUT, text)


def calibration(found: list[tuple[Prediction, bool]]) -> list[str]:
    """Number of answers, mean probability, share right, calibration error, and how many unsure ones are right."""
    pairs = [(next(iter(r.probabilities.values())), good) for r, good in found if r.group is not None]
    p, good = np.array([p for p, _ in pairs]), np.array([g for _, g in pairs])
    said, true, count = reliability(p, good, bins=10)
    error = float((np.abs(np.nan_to_num(said - true)) * count).sum() / count.sum())
    unsure = p < 0.8
    shares = [f"{p.mean():.3f}", f"{good.mean():.3f}", f"{error:.3f}"]
    return [str(len(p)), *shares, f"{good[unsure].sum()} of {unsure.sum()}"]


def labelled(classifier: SymmetryClassifier, folder: Path) -> list[tuple[Prediction, bool]]:
    """Answers on a folder of labelled images, and whether each is right."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    results = [classifier.predict(folder / row["file"]) for row in rows]
    return [
        (r, r.group in (row["expected_group"], *row["also_right"].split()))
        for r, row in zip(results, rows, strict=True)
    ]


def without_period() -> Iterator[tuple[str, list[Tensor]]]:
    """Noise of several colours, spots of one size at random places, and crops of photographs."""
    rng = np.random.default_rng(0)
    q = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    filters = {f"noise, amplitude ~ 1/q^{power:g}": (q + 1 / SIZE) ** -power for power in (0, 0.5, 1, 1.5, 2)}
    filters["noise of one wavelength, 17 pixels"] = np.exp(-(((q - 0.06) / 0.008) ** 2))
    for name, transfer in filters.items():
        white = rng.standard_normal((30, SIZE, SIZE))
        yield name, list(torch.from_numpy(np.fft.ifft2(np.fft.fft2(white) * transfer).real).float())
    crops = []
    for split in ("train", "valid", "test"):
        for file in photographs(None, split).files:
            grey = as_grey(read_image(file).pixels)
            for _ in range(3 if min(grey.shape) >= SIZE else 0):
                y, x = (int(rng.integers(0, n - SIZE + 1)) for n in grey.shape)
                crops.append(torch.from_numpy(grey[y : y + SIZE, x : x + SIZE].astype(np.float32)))
    yield "crops of the bundled photographs", crops


if __name__ == "__main__":
    main()
