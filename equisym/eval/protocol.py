"""The cross-dataset protocol: every run on the same fresh images of every family."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equisym.data import PatternOptions, WallpaperDataset
from equisym.eval.metrics import Scores, score
from equisym.train.records import load_model, write_whole

COLUMNS: tuple[str, ...] = (
    "arch",
    "run",
    "train_family",
    "train_images",
    "test_family",
    "test_images",
    "accuracy",
    "ci_low",
    "ci_high",
    "level_rotation",
    "level_class",
    "supergroup_errors",
    "ece",
    "images_per_second",
)


def evaluate(
    runs: Sequence[str | Path],
    families: Sequence[str],
    count: int,
    *,
    seed: int = 1000,
    photos: str | None = None,
    workers: int = 0,
    batch_size: int = 64,
) -> Iterator[tuple[dict[str, Any], Scores]]:
    """Score runs on test images that no training has seen, photographs included.

    Args:
        runs: run folders or ``.safetensors`` files.
        families: image families to test on.
        count: images of each family, at the size that each run was trained at.
        seed: of the test images; the same for all runs.
        photos: folder of photographs; the bundled ones if not given. Only its test split is used.
        workers: processes that draw images.
        batch_size: images in a forward pass.

    Yields:
        For each run and family, a row of ``cross_dataset.csv`` and the scores behind it.
    """
    drawn: dict[tuple[str, int], tuple[Tensor, ...]] = {}
    loaded = [(Path(run), *load_model(run)) for run in runs]
    for path, model, about in loaded:
        for family in families:
            key = (family, about["size"])
            if key not in drawn:
                options = PatternOptions(photos=photos)
                data = WallpaperDataset(family, count, size=about["size"], seed=seed, split="test", options=options)
                drawn[key] = data.in_memory(workers=workers).tensors
            images, labels = drawn[key]
            start = time.perf_counter()
            with torch.inference_mode():
                batches = tqdm(images.split(batch_size), desc=f"{path.name} on {family}", leave=False)
                logits = torch.cat([model(batch) for batch in batches]).float()
            speed = len(images) / (time.perf_counter() - start)
            scores = score(logits, labels)
            row = {
                "arch": about["arch"],
                "run": str(path),
                "train_family": about["train_family"],
                "train_images": about["train_images"],
                "test_family": family,
                "test_images": count,
                "images_per_second": round(speed, 1),
            }
            row |= {name: round(getattr(scores, name), 5) for name in COLUMNS if hasattr(scores, name)}
            yield row, scores


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows as csv with the columns of the protocol, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())
