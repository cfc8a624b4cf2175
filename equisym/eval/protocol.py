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

from equisym.data import Corruption, LabelledImages, PatternOptions, WallpaperDataset, open_labelled
from equisym.data.dataset import in_memory
from equisym.data.labelled_sources import GROUPS
from equisym.eval.cost import invariance_error, multiply_adds
from equisym.eval.metrics import Scores, score
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.tree import labels_at
from equisym.plain_text import one_line
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


@dataclass(frozen=True)
class TestedRun:
    """A trained network that is evaluated.

    Attributes:
        name: as the tables call it.
        model: the network, in eval mode.
        about: its description.
    """

    name: str
    model: nn.Module
    about: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that it was trained on."""
        return tuple(self.about.get("classes", GROUPS))


def load_runs(runs: Sequence[str | Path], *, imports: str | None = None) -> tuple[list[TestedRun], list[str]]:
    """Networks of runs, and a sentence on each that cannot be read.

    Args:
        runs: run folders, ``.safetensors`` files or ``hf-hub:OWNER/NAME``.
        imports: package that registers architectures of one's own.
    """
    loaded, problems = [], []
    for run in runs:
        try:
            loaded.append(TestedRun(str(run), *load_model(run, imports=imports)))
        except (ValueError, ImportError) as error:
            problems.append(f"{run}: {one_line(error)}")
    return loaded, problems


def evaluate(
    runs: Sequence[str | Path | TestedRun],
    families: Sequence[str],
    count: int,
    *,
    seed: int = 1000,
    photos: str | None = None,
    data: Sequence[str] = (),
    workers: int = 0,
    batch_size: int = 64,
    conditions: Sequence[Condition] = (None,),
    problems: list[str] | None = None,
) -> Iterator[tuple[dict[str, Any], Scores]]:
    """Score runs on test images that no training has seen, photographs included.

    Args:
        runs: run folders or ``.safetensors`` files, or what :func:`load_runs` made of them.
        families: image families to test on.
        count: images of each family, at the size that each run was trained at.
        seed: of the test images; the same for all runs.
        photos: folder of photographs; the bundled ones if not given. Only its test split is used.
        data: labelled images of one's own, as :func:`equisym.data.open_labelled` takes them; of these the test split.
        workers: processes that draw images.
        batch_size: images in a forward pass.
        conditions: what is hard about the images; None for nothing.
        problems: takes a sentence on each pair of run and images that do not go together; if not given, the first is
            raised.

    Yields:
        For each run, set of images and condition, a row of ``cross_dataset.csv`` and the scores behind it.

    Raises:
        ValueError: if images cannot be read, or do not go with a run.
    """
    images = _TestImages(count, seed, photos, workers)
    loaded = [run if isinstance(run, TestedRun) else TestedRun(str(run), *load_model(run)) for run in runs]
    for run in loaded:
        for name, own in (*((family, False) for family in families), *((path, True) for path in data)):
            for condition in conditions:
                try:
                    shown, labels = images.own(name, run) if own else images.drawn(name, run, condition)
                    if isinstance(condition, Corruption):
                        shown = condition(shown, seed=seed)
                except ValueError as error:
                    if problems is None:
                        raise
                    problems.append(f"{run.name} on {name}: {one_line(error)}")
                    break
                title = images.title(name) if own else name
                spent = 0.0
                if isinstance(run.model, FeatureClassifier):
                    shown, spent = images.measured((name, run.about["size"], condition), run.model, shown, batch_size)
                yield _tested(run, title + suffix(condition), shown, labels, batch_size, spent)


class _TestImages:
    """Test images by name and size, drawn, read and measured once for all runs."""

    def __init__(self, count: int, seed: int, photos: str | None, workers: int) -> None:
        self.count, self.seed, self.photos, self.workers = count, seed, photos, workers
        self._drawn: dict[tuple, tuple[Tensor, ...]] = {}
        self._opened: dict[tuple, LabelledImages] = {}
        self._measured: dict[tuple, tuple[Tensor, float]] = {}  # what all networks that read features are given

    def drawn(self, family: str, run: TestedRun, condition: Condition) -> tuple[Tensor, Tensor]:
        """Images of a family at the size of a run, and their labels."""
        if run.classes != GROUPS:
            raise ValueError(f"it answers with {len(run.classes)} classes of its own, not the 17 groups: give --data")
        times, size = condition.number if isinstance(condition, Repeats) else None, run.about["size"]
        key = (family, size, times)
        if key not in self._drawn:
            options = PatternOptions(photos=self.photos)
            if times is not None:
                options = replace(options, repeats=(times, times), min_cell=1.0)
            data = WallpaperDataset(family, self.count, size=size, seed=self.seed, split="test", options=options)
            self._drawn[key] = data.in_memory(workers=self.workers).tensors
        images, labels = self._drawn[key]
        return images.expand(-1, run.about["in_channels"], -1, -1), labels

    def own(self, path: str, run: TestedRun) -> tuple[Tensor, Tensor]:
        """Images of one's own at the size of a run, and their labels as the run counts them."""
        size, colour = run.about["size"], run.about["in_channels"] == 3
        key = (path, size, colour)
        if key not in self._opened:
            splits = open_labelled(path, size=size, colour=colour, workers=self.workers)
            self._opened[key] = splits.get("test", splits.get("all", next(iter(splits.values()))))
            loaded = in_memory(self._opened[key], f"reading {self._opened[key].name}", workers=self.workers)
            self._drawn[key] = (loaded.tensors[0],)
        labels = torch.from_numpy(self._opened[key].named(run.classes).targets)
        return self._drawn[key][0], labels

    def title(self, path: str) -> str:
        """What own images are called in tables."""
        return next(images.name for key, images in self._opened.items() if key[0] == path)

    def measured(self, key: tuple, model: FeatureClassifier, images: Tensor, batch_size: int) -> tuple[Tensor, float]:
        """Features of images, and the seconds that they took."""
        if key not in self._measured:
            start = time.perf_counter()
            batches = tqdm(images.split(batch_size), desc="features", leave=False)
            features = torch.cat([model.extract(batch) for batch in batches])
            self._measured[key] = features, time.perf_counter() - start
        return self._measured[key]


def _tested(
    run: TestedRun, family: str, images: Tensor, labels: Tensor, batch_size: int, spent: float
) -> tuple[dict[str, Any], Scores]:
    start = time.perf_counter() - spent
    with torch.inference_mode():
        batches = tqdm(images.split(batch_size), desc=f"{Path(run.name).name} on {family}", leave=False)
        logits = torch.cat([run.model(batch) for batch in batches]).float()
    speed = len(images) / (time.perf_counter() - start)
    if run.about["num_classes"] == 3 and run.classes == GROUPS:  # a network of the rotation families
        labels = labels.new_tensor(labels_at("rotation_family"))[labels]
    scores = score(logits, labels, groups=run.classes == GROUPS)
    row = {
        "arch": run.about["arch"],
        "run": run.name,
        "train_family": run.about["train_family"],
        "train_images": run.about["train_images"],
        "test_family": family,
        "test_images": len(images),
        "images_per_second": round(speed, 1),
    }
    return row | {name: round(getattr(scores, name), 5) for name in COLUMNS if hasattr(scores, name)}, scores


def describe(run: str | Path | TestedRun, *, count: int = 64, seed: int = 1000) -> dict[str, Any]:
    """A row of ``models.csv``: what a run's network costs and how invariant it is.

    Args:
        run: run folder or ``.safetensors`` file, or what :func:`load_runs` made of it.
        count: noise images on which the invariance is measured.
        seed: of these images.
    """
    run = run if isinstance(run, TestedRun) else TestedRun(str(run), *load_model(run))
    model, about = run.model, run.about
    images, _ = WallpaperDataset("noise", count, size=about["size"], seed=seed, split="test").in_memory().tensors
    channels = about["in_channels"]
    error, changed = invariance_error(model, images.expand(-1, channels, -1, -1))
    return {
        "run": run.name,
        "arch": about["arch"],
        "arch_options": " ".join(f"{k}={v}" for k, v in about["arch_options"].items()),
        "size": about["size"],
        "params": sum(p.numel() for p in model.parameters()),
        "multiply_adds": multiply_adds(model, about["size"], in_channels=channels),
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
            kind = np.uint8 if len(own.confusion) <= 256 else np.int64
            arrays[f"{run}|{family}|{name}"] = getattr(own, name).astype(kind)
        arrays[f"{run}|{family}|confidences"] = own.confidences.astype(np.float32)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    partial.replace(path)
