"""One training run from a configuration to a folder of results."""

from __future__ import annotations

import dataclasses
import json
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torchmetrics.functional.classification import multiclass_confusion_matrix

from equisym.data import FAMILIES, PatternOptions, WallpaperDataset
from equisym.data.dataset import worker_count
from equisym.models import build
from equisym.train.config import TrainConfig
from equisym.train.module import ClassifierModule
from equisym.train.plots import plot_confusion, plot_curves
from equisym.train.records import MetricsTable, load_model, save_model, write_whole

NUM_CLASSES = 17
_KEEP_IN_MEMORY = 4 * 2**30  # bytes of images; more are drawn again in every epoch


class SeededOrder(Sampler[int]):
    """A new order in each epoch that depends on the seed and the epoch alone, so that a resumed run repeats it."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self):
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.length).tolist())

    def __len__(self) -> int:
        return self.length


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, test on every family, and write the run's folder.

    Returns:
        What ``summary.json`` holds: arch, train_family, train_images, params, seconds, valid_accuracy, test.

    Raises:
        ValueError: if the folder already holds another run, or holds none to resume.
    """
    start = time.perf_counter()
    out = Path(config.out or f"runs/{config.arch.replace('/', '-')}-{config.train_family}-{config.seed}")
    last = out / "last.ckpt"
    if config.resume and not last.is_file():
        raise ValueError(f"nothing to resume: {last} does not exist; leave out --resume to start there")
    if last.exists() and not config.resume:
        raise ValueError(f"{out} already holds a run: add --resume to continue it, or give another --out")
    out.mkdir(parents=True, exist_ok=True)
    recorded = yaml.safe_dump(
        dataclasses.asdict(dataclasses.replace(config, out=str(out), resume=False)), sort_keys=False
    )
    write_whole(out / "config.yaml", recorded)

    L.seed_everything(config.seed, verbose=False)
    model = build(config.arch, num_classes=NUM_CLASSES, in_channels=1, **config.arch_options)
    module = ClassifierModule(model, num_classes=NUM_CLASSES, lr=config.lr, weight_decay=config.weight_decay)
    table = MetricsTable(out / "metrics.csv")
    best = ModelCheckpoint(out, "best", monitor="valid_accuracy", mode="max", enable_version_counter=False)
    newest = ModelCheckpoint(out, "last", every_n_epochs=1, enable_version_counter=False)
    trainer = L.Trainer(
        accelerator="auto",
        devices=config.devices,
        max_epochs=config.epochs,
        precision=_precision(config.precision),  # pyright: ignore[reportArgumentType]
        logger=TensorBoardLogger(out, name="tensorboard", version="") if config.logger == "tensorboard" else False,
        callbacks=[table, best, newest, TQDMProgressBar(leave=True)],
        enable_model_summary=False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=config.devices > 1,
    )
    with warnings.catch_warnings():
        # The images are in memory, where worker processes would only cost time.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
        trainer.fit(
            module,
            _loader(config, "train"),
            _loader(config, "valid"),
            ckpt_path=last if config.resume else None,
            weights_only=True,
        )
    if not trainer.is_global_zero:
        return {}
    best_state = torch.load(out / "best.ckpt", weights_only=True, map_location="cpu")["state_dict"]
    model.load_state_dict({k.removeprefix("model."): v for k, v in best_state.items() if k.startswith("model.")})
    params = sum(p.numel() for p in model.parameters())
    save_model(
        model,
        out / "model.safetensors",
        {
            "arch": config.arch,
            "arch_options": config.arch_options,
            "num_classes": NUM_CLASSES,
            "in_channels": 1,
            "size": config.size,
            "train_family": config.train_family,
            "train_images": config.train_images,
        },
    )
    plot_curves(table.rows, out / "curves.png")
    confusion = {}
    for family in FAMILIES if config.test_images else ():
        logits, labels = classify(load_model(out)[0], _dataset(config, family, config.test_images, "test"))
        confusion[family] = multiclass_confusion_matrix(logits, labels, NUM_CLASSES).numpy()
    if confusion:
        plot_confusion(confusion, out / "confusion.png")
    summary = {
        "arch": config.arch,
        "train_family": config.train_family,
        "train_images": config.train_images,
        "params": params,
        "seconds": round(time.perf_counter() - start, 1),
        "valid_accuracy": max(row["valid_accuracy"] for row in table.rows),
        "test": {family: float(np.trace(m) / m.sum()) for family, m in confusion.items()},
    }
    write_whole(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


@torch.inference_mode()
def classify(model: nn.Module, dataset: WallpaperDataset, *, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and labels of a whole dataset, drawn by one process per core; (N, classes) and (N,)."""
    images, labels = dataset.in_memory(workers=worker_count(-1)).tensors
    model.eval()
    return torch.cat([model(batch) for batch in images.split(batch_size)]).float(), labels


def _dataset(config: TrainConfig, families: str | tuple[str, ...], length: int, split: str) -> WallpaperDataset:
    options = PatternOptions(photos=config.photos)
    return WallpaperDataset(families, length, size=config.size, seed=config.seed, split=split, options=options)


def _loader(config: TrainConfig, split: str) -> DataLoader:
    length = config.train_images if split == "train" else config.valid_images
    dataset = _dataset(config, config.families, length, split)
    workers = worker_count(config.workers)
    kept: Dataset = dataset
    if 4 * length * config.size**2 <= _KEEP_IN_MEMORY:
        kept, workers = dataset.in_memory(workers=workers), 0
    order = SeededOrder(length, config.seed) if split == "train" and config.devices == 1 else None
    return DataLoader(
        kept,
        config.batch_size,
        sampler=order,
        shuffle=split == "train" and order is None,
        num_workers=workers,
        drop_last=split == "train" and length >= config.batch_size,
        persistent_workers=workers > 0,
    )


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return "32-true" if wanted == "32" else wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return "bf16-mixed" if native else "32-true"
