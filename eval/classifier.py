"""The classifier as it is shipped, with refusals and drift correction: on corrupted and on non-periodic images.

    python eval/classifier.py                 # minutes; eval/results/symnet/classifier.md

Sure and wrong: another group named with a probability above 0.9. A refusal counts as not right.
"""

from __future__ import annotations

import argparse
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
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.preprocessing import as_grey
from equisym.train.artifacts import write_whole

OUT = Path(__file__).parent / "results" / "symnet" / "classifier.md"
SIZE, SURE = 256, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=34, help="images of each family and corruption")
    count = parser.parse_args().count
    classifier = SymmetryClassifier.from_pretrained()
    periodic, others = [], []
    for name in (None, *CORRUPTIONS):
        corrupt = None if name is None else Corruption(name, 3)
        sets = [WallpaperDataset(f, count, size=SIZE, seed=11, split="test", corrupt=corrupt) for f in FAMILIES]
        results = classifier.predict_batch([data[i][0] for data in sets for i in range(count)])
        truth = [WALLPAPER_GROUPS[i % 17].name for _ in sets for i in range(count)]
        right = sum(r.group == t for r, t in zip(results, truth, strict=True))
        refused = sum(r.group is None for r in results)
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
    text = f"""# The classifier, refusals included

`python eval/classifier.py`

{count} images of each family, {SIZE} x {SIZE}, test photographs; corruptions at severity 3 of 5. Percent, with the 95 %
interval (Wilson); sure and wrong: another group named with a probability above {SURE}.

{markdown_table(["images", "right", "95 % interval", "refused", "sure and wrong"], periodic)}

What has no period:

{markdown_table(["images", "number", "refused", "answered surely"], others)}
"""
    write_whole(OUT, text)


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
