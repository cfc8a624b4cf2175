"""The cross-dataset protocol: every run on the same fresh images of every family."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from equisym.data import Corruption, PatternOptions, WallpaperDataset
from equisym.eval.cost import invariance_error, multiply_adds
from equisym.eval.metrics import Scores, score
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.tree import labels_at
from equisym.train.artifacts import load_model, write_whole

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

MODEL_COLUMNS: tuple[str, ...] = (
    "run",
    "arch",
    "arch_options",
    "size",
    "params",
    "multiply_adds",
    "invariance_error",
    "changed_answers",
)


@dataclass(frozen=True)
class Repeats:
    """A condition of the test images: how often the primitive cell repeats along the side."""

    number: float


Condition = Corruption | Repeats | None
"""What is hard about the test images; None for nothing."""


def suffix(condition: Condition) -> str:
    """What a condition adds to the name of the family, such as ``+dose-3``."""
    if condition is None:
        return ""
    if isinstance(condition, Repeats):
        return f"+repeats-{condition.number:g}"
    return f"+{condition.name}-{condition.severity}"


def evaluate(
    runs: Sequence[str | Path],
    families: Sequence[str],
    count: int,
    *,
    seed: int = 1000,
    photos: str | None = None,
    workers: int = 0,
    batch_size: int = 64,
    conditions: Sequence[Condition] = (None,),
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
        conditions: what is hard about the images; None for nothing.

    Yields:
        For each run, family and condition, a row of ``cross_dataset.csv`` and the scores behind it.
    """
    drawn: dict[tuple, tuple[Tensor, ...]] = {}
    measured: dict[tuple, tuple[Tensor, float]] = {}  # what all networks that read symmetry features are given
    loaded = [(Path(run), *load_model(run)) for run in runs]
    for path, model, about in loaded:
        for family in families:
            for condition in conditions:
                times = condition.number if isinstance(condition, Repeats) else None
                key = (family, about["size"], times)
                if key not in drawn:
                    options = PatternOptions(photos=photos)
                    if times is not None:
                        options = replace(options, repeats=(times, times), min_cell=1.0)
                    data = WallpaperDataset(family, count, size=about["size"], seed=seed, split="test", options=options)
                    drawn[key] = data.in_memory(workers=workers).tensors
                images, labels = drawn[key]
                if isinstance(condition, Corruption):
                    images = condition(images, seed=seed)
                seconds = 0.0
                if isinstance(model, FeatureClassifier):
                    if (key, condition) not in measured:
                        measured[key, condition] = _measured(model, images, batch_size)
                    images, seconds = measured[key, condition]
                yield _tested(path, model, about, family + suffix(condition), images, labels, batch_size, seconds)


def _measured(model: FeatureClassifier, images: Tensor, batch_size: int) -> tuple[Tensor, float]:
    start = time.perf_counter()
    batches = tqdm(images.split(batch_size), desc="symmetry features", leave=False)
    return torch.cat([model.extract(batch) for batch in batches]), time.perf_counter() - start


def _tested(
    path: Path,
    model: nn.Module,
    about: dict[str, Any],
    family: str,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    spent: float,
) -> tuple[dict[str, Any], Scores]:
    start = time.perf_counter() - spent
    with torch.inference_mode():
        batches = tqdm(images.split(batch_size), desc=f"{path.name} on {family}", leave=False)
        logits = torch.cat([model(batch) for batch in batches]).float()
    speed = len(images) / (time.perf_counter() - start)
    if about["num_classes"] == 3:  # a network of the hierarchy's first level
        labels = labels.new_tensor(labels_at("rotation_family"))[labels]
    scores = score(logits, labels)
    row = {
        "arch": about["arch"],
        "run": str(path),
        "train_family": about["train_family"],
        "train_images": about["train_images"],
        "test_family": family,
        "test_images": len(images),
        "images_per_second": round(speed, 1),
    }
    return row | {name: round(getattr(scores, name), 5) for name in COLUMNS if hasattr(scores, name)}, scores


def describe(run: str | Path, *, count: int = 64, seed: int = 1000) -> dict[str, Any]:
    """A row of ``models.csv``: what a run's network costs and how invariant it is.

    Args:
        run: run folder or ``.safetensors`` file.
        count: noise images on which the invariance is measured.
        seed: of these images.
    """
    model, about = load_model(run)
    images, _ = WallpaperDataset("noise", count, size=about["size"], seed=seed, split="test").in_memory().tensors
    error, changed = invariance_error(model, images)
    return {
        "run": str(run),
        "arch": about["arch"],
        "arch_options": " ".join(f"{k}={v}" for k, v in about["arch_options"].items()),
        "size": about["size"],
        "params": sum(p.numel() for p in model.parameters()),
        "multiply_adds": multiply_adds(model, about["size"]),
        "invariance_error": float(f"{error:.3g}"),
        "changed_answers": round(changed, 5),
    }


def write_table(rows: Sequence[Mapping[str, Any]], path: Path, columns: Sequence[str] = COLUMNS) -> None:
    """Write rows as csv, by default with the columns of the protocol, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())


def write_answers(scores: Mapping[tuple[str, str], Scores], path: Path) -> None:
    """Write every answer, for calibration curves and paired tests: arrays named ``run|family|answers`` and so on."""
    arrays = {}
    for (run, family), own in scores.items():
        for name in ("answers", "labels"):
            arrays[f"{run}|{family}|{name}"] = getattr(own, name).astype(np.uint8)
        arrays[f"{run}|{family}|confidences"] = own.confidences.astype(np.float32)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    partial.replace(path)
