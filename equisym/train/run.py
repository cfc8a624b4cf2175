"""One training run from a configuration to a folder of results."""

from __future__ import annotations

import contextlib
import json
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import lightning as L
import numpy as np
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.functional.classification import multiclass_confusion_matrix

from equisym.data import fingerprint
from equisym.models import Crystal, SymNet, import_archs
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.registry import provider_of
from equisym.nn import synchronise_norms
from equisym.train.artifacts import MetricsTable, load_model, make_network, save_model, write_whole
from equisym.train.checkpoints import Preempted, model_weights
from equisym.train.checksums import seal
from equisym.train.config import TrainConfig
from equisym.train.determinism import repeatable
from equisym.train.feature_training import SymmetryModule
from equisym.train.image_sets import ImageSets, answers_of, coarse_labels, length_of
from equisym.train.loaders import Loaders, classify, is_first_process
from equisym.train.loggers import end_logger
from equisym.train.lr_finder import find_lr
from equisym.train.module import ClassifierModule, NotFiniteError, make_optimiser
from equisym.train.plots import plot_confusion, plot_curves
from equisym.train.run_folder import check_checkpoint, check_folder, owned, record
from equisym.train.trainer import make_trainer, require_extras


def train(
    config: TrainConfig,
    *,
    train: Dataset | None = None,
    valid: Dataset | None = None,
    test: Mapping[str, Dataset] | None = None,
) -> dict[str, Any]:
    """Train, test, and write the run's folder.

    Args:
        config: what to train, on which images, and how.
        train: images to train on instead of those that the configuration names: any map-style dataset of pairs, a
            float image (C, H, W) and a label counted from 0. Attributes ``classes`` (names of the labels), ``targets``
            (all labels) and ``name`` are used where a dataset has them.
        valid: images to validate on; an eighth of the training images if not given.
        test: images to test on, by name.

    Returns:
        What ``summary.json`` holds: arch, train_family, train_images, params, seconds, valid_accuracy, test.
        Empty in the further processes of a run on several devices.

    Raises:
        ValueError: if the folder already holds another run, or holds none to resume, or is in use; if options or images
            are not those that the run began with; if the loss becomes NaN or infinite.
        Preempted: after SIGTERM or SIGUSR1, with the run saved.
    """
    start = time.perf_counter()
    require_extras(config)
    if config.import_:
        import_archs(config.import_)
    if config.resume and not (config.folder / "last.ckpt").is_file():
        check_folder(config, {})  # says that there is nothing to resume
    with owned(config.folder) if is_first_process() else contextlib.nullcontext():
        sets = ImageSets.of(config, train, valid, test)
        if is_first_process():
            digests = {"train": fingerprint(sets.train), "valid": fingerprint(sets.valid)}
            check_folder(config, digests)
            record(config, digests)
        return _train(config, sets, start)


def _train(config: TrainConfig, sets: ImageSets, start: float) -> dict[str, Any]:
    out = config.folder
    L.seed_everything(config.seed, verbose=False)
    model = _network(config, sets)
    if config.devices * config.nodes > 1:
        model = synchronise_norms(model)
    rows = _fit(config, sets, model)
    if not is_first_process():
        return {}
    if not (out / "best.ckpt").is_file():
        raise ValueError(f"{out}: training was stopped before its first epoch was validated, there is nothing to test")
    check_checkpoint(out / "best.ckpt")
    model = _network(config, sets)
    model.load_state_dict(model_weights(out / "best.ckpt"))
    save_model(model, out / "model.safetensors", _description(config, sets))
    plot_curves(rows, out / "curves.png")
    answers = answers_of(config, sets.classes)
    confusion = {}
    for name, dataset in sets.test.items():
        logits, labels = classify(load_model(out)[0], dataset)
        confusion[name] = multiclass_confusion_matrix(logits, coarse_labels(labels, config), len(answers)).numpy()
    if confusion:
        plot_confusion(confusion, out / "confusion.png", answers)
    summary = {
        "arch": config.arch,
        "train_family": sets.name,
        "train_images": length_of(sets.train),
        "params": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.perf_counter() - start, 1),
        "valid_accuracy": max(row["valid_accuracy"] for row in rows),
        "test": {name: float(np.trace(m) / m.sum()) for name, m in confusion.items()},
    }
    text = json.dumps(summary, indent=2) + "\n"
    seal(out, "metrics.csv", summary=text)
    write_whole(out / "summary.json", text)
    return summary


def _network(config: TrainConfig, sets: ImageSets) -> nn.Module:
    return make_network(
        config.arch,
        config.model_options,
        num_classes=len(answers_of(config, sets.classes)),
        in_channels=sets.channels,
        inputs=config.inputs,
    )


def _fit(config: TrainConfig, sets: ImageSets, model: nn.Module) -> list[dict[str, float]]:
    """Train; the rows of ``metrics.csv``."""
    out, loaders = config.folder, Loaders(config, sets, model)
    batches = loaders.train()
    classes = len(answers_of(config, sets.classes))
    fitted = isinstance(model, Crystal)
    if fitted:  # at once, by scikit-learn; an epoch at rate 0 then measures it
        model.fit(*batches.dataset.tensors)  # pyright: ignore[reportAttributeAccessIssue]
    lr = 0.0 if fitted else _chosen_lr(config, model, classes, batches)
    module = (SymmetryModule if isinstance(model, SymNet) else ClassifierModule)(
        model,
        num_classes=classes,
        options=config.optimiser_options(lr),
        augment=config.augment,
        appearance=config.appearance and sets.of_groups and not isinstance(model, FeatureClassifier),
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
        # On a GPU: of recorded passes, whose streams have been waited for; and of the first product.
        warnings.filterwarnings("ignore", message=".*AccumulateGrad node's stream.*")
        warnings.filterwarnings("ignore", message=".*no current CUDA context.*")
        last = out / "last.ckpt" if config.resume else None
        failed = True
        try:
            trainer.fit(module, batches, loaders.valid(), ckpt_path=last, weights_only=True)
            failed = False
        except NotFiniteError as error:
            file = out / "bad_batch.safetensors"
            save_file({"images": error.images.float().cpu().contiguous(), "labels": error.labels.cpu()}, file)
            advice = "lower --lr, add --clip 1, or use --precision 32"
            raise ValueError(f"{error}; the batch is in {file}: {advice}") from None
        finally:
            end_logger(trainer, failed=failed)
    return table.rows


def _chosen_lr(config: TrainConfig, model: nn.Module, classes: int, loader: DataLoader) -> float:
    """The rate of a range test where one is asked for; a resumed run reads the one that it began with."""
    file = config.folder / "lr_finder.csv"
    if not config.find_lr:
        return config.lr
    if config.resume and file.is_file():
        head = file.read_text(errors="replace").partition("\n")[0].removeprefix("# chosen: ")
        if not re.fullmatch(r"[\d.]+(e-?\d+)?", head):
            raise ValueError(f"{file} is damaged: it does not begin with the learning rate that the run had")
        return float(head)
    module = ClassifierModule(model, num_classes=classes, options=config)
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


def _description(config: TrainConfig, sets: ImageSets) -> dict[str, Any]:
    """What it takes to build the network again, and what it was trained on."""
    answers = answers_of(config, sets.classes)
    description = {
        "arch": config.arch,
        "arch_options": config.model_options,
        "num_classes": len(answers),
        "in_channels": sets.channels,
        "inputs": config.inputs,
        "size": sets.size,
        "train_family": sets.name,
        "train_images": length_of(sets.train),
        "equisym": version("equisym"),
    }
    if not sets.of_groups:
        description["classes"] = list(sets.classes)
    if package := provider_of(config.arch):
        description["package"] = package
    return description


__all__ = ["Preempted", "classify", "train"]
