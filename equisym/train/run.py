"""One training run from a configuration to a folder of results."""

from __future__ import annotations

import dataclasses
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_confusion_matrix

from equisym.data import FAMILIES
from equisym.models import Crystal, SymNet
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.tree import labels_at
from equisym.train.artifacts import MetricsTable, load_model, make_network, save_model, write_whole
from equisym.train.checkpoints import Preempted, model_weights
from equisym.train.config import TrainConfig
from equisym.train.determinism import repeatable
from equisym.train.feature_training import SymmetryModule
from equisym.train.loaders import Loaders, classify, generated, is_first_process
from equisym.train.lr_finder import find_lr
from equisym.train.module import ClassifierModule, NotFiniteError, make_optimiser
from equisym.train.plots import plot_confusion, plot_curves
from equisym.train.synchronise import synchronise_norms
from equisym.train.trainer import make_trainer


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, test on every family, and write the run's folder.

    Returns:
        What ``summary.json`` holds: arch, train_family, train_images, params, seconds, valid_accuracy, test.
        Empty in the further processes of a run on several devices.

    Raises:
        ValueError: if the folder already holds another run, or holds none to resume; if the loss becomes infinite or no
            number.
        Preempted: after SIGTERM, with the run saved.
    """
    start = time.perf_counter()
    out = _opened(config)
    L.seed_everything(config.seed, verbose=False)
    model = _network(config)
    if config.devices * config.nodes > 1:
        synchronise_norms(model)
    loaders = Loaders(config, model)
    rows = _fit(config, model, loaders, out)
    if not is_first_process():
        return {}
    model = _network(config)
    model.load_state_dict(model_weights(out / "best.ckpt"))
    save_model(model, out / "model.safetensors", _description(config))
    plot_curves(rows, out / "curves.png")
    confusion = _tested(config, out)
    if confusion:
        plot_confusion(confusion, out / "confusion.png")
    summary = {
        "arch": config.arch,
        "train_family": config.train_family,
        "train_images": config.train_images,
        "params": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.perf_counter() - start, 1),
        "valid_accuracy": max(row["valid_accuracy"] for row in rows),
        "test": {family: float(np.trace(m) / m.sum()) for family, m in confusion.items()},
    }
    write_whole(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def _opened(config: TrainConfig) -> Path:
    """The run's folder, with its configuration in it."""
    out = Path(config.out or f"runs/{config.arch.replace('/', '-')}-{config.train_family}-{config.seed}")
    last = out / "last.ckpt"
    if config.resume and not last.is_file():
        raise ValueError(f"nothing to resume: {last} does not exist; leave out --resume to start there")
    if last.exists() and not config.resume and is_first_process():
        raise ValueError(f"{out} already holds a run: add --resume to continue it, or give another --out")
    out.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        recorded = dataclasses.asdict(replace(config, out=str(out), resume=False))
        write_whole(out / "config.yaml", yaml.safe_dump(recorded, sort_keys=False))
    return out


def _network(config: TrainConfig) -> nn.Module:
    return make_network(config.arch, config.model_options, num_classes=config.num_classes, inputs=config.inputs)


def _fit(config: TrainConfig, model: nn.Module, loaders: Loaders, out: Path) -> list[dict[str, float]]:
    """Train; the rows of ``metrics.csv``."""
    batches = loaders.train()
    fitted = isinstance(model, Crystal)
    if fitted:  # at once, by scikit-learn; an epoch at rate 0 then measures it
        model.fit(*batches.dataset.tensors)  # pyright: ignore[reportAttributeAccessIssue]
    lr = 0.0 if fitted else _chosen_lr(config, model, batches, out)
    module = (SymmetryModule if isinstance(model, SymNet) else ClassifierModule)(
        model,
        num_classes=config.num_classes,
        options=config.optimiser_options(lr),
        augment=config.augment,
        seed=config.seed,
    )
    table = MetricsTable(out / "metrics.csv")
    precision = "32" if isinstance(model, FeatureClassifier) else config.precision
    trainer = make_trainer(config, out, table, epochs=1 if fitted else config.epochs, precision=precision)
    with warnings.catch_warnings(), repeatable():
        # The images are in memory, where worker processes would only cost time.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # It is: Checkpoints puts the loader back in its place.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
        last = out / "last.ckpt" if config.resume else None
        try:
            trainer.fit(module, batches, loaders.valid(), ckpt_path=last, weights_only=True)
        except NotFiniteError as error:
            file = out / "bad_batch.safetensors"
            save_file({"images": error.images.float().cpu().contiguous(), "labels": error.labels.cpu()}, file)
            advice = "lower --lr, add --clip 1, or use --precision 32"
            raise ValueError(f"{error}; the batch is in {file}: {advice}") from None
    return table.rows


def _chosen_lr(config: TrainConfig, model: nn.Module, loader: DataLoader, out: Path) -> float:
    """The rate of a range test where one is asked for; a resumed run reads the one that it began with."""
    file = out / "lr_finder.csv"
    if not config.find_lr:
        return config.lr
    if config.resume and file.is_file():
        return float(file.read_text().splitlines()[0].removeprefix("# chosen: "))
    module = ClassifierModule(model, num_classes=config.num_classes, options=config)
    lr, history = find_lr(
        model,
        (module.prepare(batch) for batch in _repeat(loader)),
        module.loss,
        lambda m, rate: make_optimiser(m, config.optimiser_options(rate)),
    )
    if is_first_process():
        lines = [f"# chosen: {lr!r}", "lr,loss", *(f"{rate:.6g},{value:.6g}" for rate, value in history)]
        write_whole(file, "\n".join(lines) + "\n")
        print(f"learning rate {lr:.2g}, from {file}")
    return lr


def _repeat(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _description(config: TrainConfig) -> dict[str, Any]:
    """What it takes to build the network again, and what it was trained on."""
    return {
        "arch": config.arch,
        "arch_options": config.model_options,
        "num_classes": config.num_classes,
        "in_channels": 1,
        "inputs": config.inputs,
        "size": config.size,
        "train_family": config.train_family,
        "train_images": config.train_images,
    }


def _tested(config: TrainConfig, out: Path) -> dict[str, NDArray[np.integer]]:
    """Confusion of the saved model on each family."""
    confusion = {}
    for family in FAMILIES if config.test_images else ():
        logits, labels = classify(load_model(out)[0], generated(config, family, config.test_images, "test"))
        if config.loss == "rotation_family":
            labels = labels.new_tensor(labels_at("rotation_family"))[labels]
        confusion[family] = multiclass_confusion_matrix(logits, labels, config.num_classes).numpy()
    return confusion


__all__ = ["Preempted", "classify", "train"]
