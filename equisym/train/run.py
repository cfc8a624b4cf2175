"""One training run from a configuration to a folder of results."""

from __future__ import annotations

import dataclasses
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping, TQDMProgressBar
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics.functional.classification import multiclass_confusion_matrix
from tqdm.auto import tqdm

from equisym.data import FAMILIES, Degradation, PatternOptions, WallpaperDataset
from equisym.data.dataset import worker_count
from equisym.models import Crystal, SymNet
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.tree import labels_at
from equisym.train.artifacts import MetricsTable, load_model, make_network, save_model, write_whole
from equisym.train.checkpoints import Checkpoints, ExponentialAverage, Preempted, model_weights
from equisym.train.config import TrainConfig
from equisym.train.determinism import repeatable
from equisym.train.feature_training import SymmetryModule
from equisym.train.lr_finder import find_lr
from equisym.train.module import ClassifierModule, NotFiniteError, make_optimiser
from equisym.train.plots import plot_confusion, plot_curves
from equisym.train.samplers import EpochBatches, ResumableLoader, ShardedSequence
from equisym.train.synchronise import synchronise_norms

_KEEP_IN_MEMORY = 4 * 2**30  # bytes of images; more are drawn again in every epoch


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, test on every family, and write the run folder.

    Returns:
        What ``summary.json`` holds: arch, train_family, train_images, params, seconds, valid_accuracy, test.
        Empty in all but the first process of a run on several devices.

    Raises:
        ValueError: if the folder already holds another run, or holds none to resume; if the loss becomes infinite or no
            number.
        Preempted: after SIGTERM, with the run saved.
    """
    start = time.perf_counter()
    out = Path(config.out or f"runs/{config.arch.replace('/', '-')}-{config.train_family}-{config.seed}")
    last = out / "last.ckpt"
    if config.resume and not last.is_file():
        raise ValueError(f"nothing to resume: {last} does not exist; leave out --resume to start there")
    if last.exists() and not config.resume and _is_first_process():
        raise ValueError(f"{out} already holds a run: add --resume to continue it, or give another --out")
    out.mkdir(parents=True, exist_ok=True)
    if _is_first_process():
        recorded = dataclasses.asdict(dataclasses.replace(config, out=str(out), resume=False))
        write_whole(out / "config.yaml", yaml.safe_dump(recorded, sort_keys=False))

    L.seed_everything(config.seed, verbose=False)
    model = make_network(config.arch, config.model_options, num_classes=config.num_classes, inputs=config.inputs)
    several = config.devices * config.nodes > 1
    if several:
        synchronise_norms(model)
    measured = model if isinstance(model, FeatureClassifier) else None
    train_loader, valid_loader = _train_loader(config, measured), _valid_loader(config, measured)
    fitted = isinstance(model, Crystal)
    if fitted:  # fitted in one go by scikit-learn; an epoch at rate 0 then measures it
        model.fit(*train_loader.dataset.tensors)  # pyright: ignore[reportAttributeAccessIssue]
    module = (SymmetryModule if isinstance(model, SymNet) else ClassifierModule)(
        model,
        num_classes=config.num_classes,
        lr=0.0 if fitted else _chosen_lr(config, model, train_loader, out),
        weight_decay=config.weight_decay,
        optimiser=config.optimiser,
        schedule=config.schedule,
        loss=config.loss,
        curriculum=config.curriculum,
        augment=config.augment,
        appearance=config.appearance and measured is None,
        seed=config.seed,
    )
    table = MetricsTable(out / "metrics.csv")
    callbacks: list[L.Callback] = [table, TQDMProgressBar(leave=True)]
    if config.ema:
        callbacks.append(ExponentialAverage(config.ema))
    if config.patience:
        callbacks.append(EarlyStopping("valid_accuracy", mode="max", patience=config.patience))
    callbacks.append(Checkpoints(out, every=config.checkpoint_steps))
    trainer = L.Trainer(
        accelerator="auto",
        devices=config.devices,
        num_nodes=config.nodes,
        max_epochs=1 if fitted else config.epochs,
        precision=_precision("32" if measured else config.precision),  # pyright: ignore[reportArgumentType]
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip or None,
        logger=_logger(config.logger, out),
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=out,
    )
    with warnings.catch_warnings(), repeatable():
        # the images are in memory, so worker processes would only cost time
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # It is: Checkpoints puts the loader back in its place.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
        try:
            trainer.fit(
                module, train_loader, valid_loader, ckpt_path=last if config.resume else None, weights_only=True
            )
        except NotFiniteError as error:
            file = out / "bad_batch.safetensors"
            save_file({"images": error.images.float().cpu().contiguous(), "labels": error.labels.cpu()}, file)
            advice = "lower --lr, add --clip 1, or use --precision 32"
            raise ValueError(f"{error}; the batch is in {file}: {advice}") from None
    if not trainer.is_global_zero:
        return {}
    model = make_network(config.arch, config.model_options, num_classes=config.num_classes, inputs=config.inputs)
    model.load_state_dict(model_weights(out / "best.ckpt"))
    save_model(
        model,
        out / "model.safetensors",
        {
            "arch": config.arch,
            "arch_options": config.model_options,
            "num_classes": config.num_classes,
            "in_channels": 1,
            "inputs": config.inputs,
            "size": config.size,
            "train_family": config.train_family,
            "train_images": config.train_images,
        },
    )
    plot_curves(table.rows, out / "curves.png")
    confusion = {}
    for family in FAMILIES if config.test_images else ():
        logits, labels = classify(load_model(out)[0], _dataset(config, family, config.test_images, "test"))
        if config.loss == "rotation_family":
            labels = labels.new_tensor(labels_at("rotation_family"))[labels]
        confusion[family] = multiclass_confusion_matrix(logits, labels, config.num_classes).numpy()
    if confusion:
        plot_confusion(confusion, out / "confusion.png")
    summary = {
        "arch": config.arch,
        "train_family": config.train_family,
        "train_images": config.train_images,
        "params": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.perf_counter() - start, 1),
        "valid_accuracy": max(row["valid_accuracy"] for row in table.rows),
        "test": {family: float(np.trace(m) / m.sum()) for family, m in confusion.items()},
    }
    write_whole(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def _is_first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


@torch.inference_mode()
def classify(model: nn.Module, dataset: WallpaperDataset, *, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and labels of a whole dataset, drawn by one process per core; (N, classes) and (N,)."""
    images, labels = dataset.in_memory(workers=worker_count(-1)).tensors
    model.eval()
    return torch.cat([model(batch) for batch in images.split(batch_size)]).float(), labels


def _dataset(config: TrainConfig, families: str | tuple[str, ...], length: int, split: str) -> WallpaperDataset:
    options = PatternOptions(photos=config.photos)
    return WallpaperDataset(families, length, size=config.size, seed=config.seed, split=split, options=options)


def _kept(config: TrainConfig, split: str, measured: FeatureClassifier | None) -> tuple[Dataset, int]:
    """Images of a split, in memory if they fit, and the number of worker processes that draw them.

    For a network that reads symmetry features, the features are stored.
    """
    length = config.train_images if split == "train" else config.valid_images
    dataset, workers = _dataset(config, config.families, length, split), worker_count(config.workers)
    if config.degrade:
        dataset.corrupt = Degradation()
    if measured is not None:
        images, labels = dataset.in_memory(workers=workers, progress=_is_first_process()).tensors
        bar = tqdm(images.split(17), desc="measuring", disable=not _is_first_process())
        return TensorDataset(torch.cat([measured.extract(batch) for batch in bar]), labels), 0
    if 4 * length * config.size**2 * config.devices <= _KEEP_IN_MEMORY:
        return dataset.in_memory(workers=workers, progress=_is_first_process()), 0
    return dataset, workers


def _train_loader(config: TrainConfig, measured: FeatureClassifier | None) -> ResumableLoader:
    dataset, workers = _kept(config, "train", measured)
    order = EpochBatches(config.train_images, config.batch_size, seed=config.seed)
    return ResumableLoader(dataset, order, num_workers=workers, persistent_workers=workers > 0)


def _valid_loader(config: TrainConfig, measured: FeatureClassifier | None) -> DataLoader:
    dataset, workers = _kept(config, "valid", measured)
    share = ShardedSequence(config.valid_images)
    return DataLoader(dataset, config.batch_size, sampler=share, num_workers=workers, persistent_workers=workers > 0)


def _chosen_lr(config: TrainConfig, model: nn.Module, loader: DataLoader, out: Path) -> float:
    """Learning rate from a range test, if requested; a resumed run reads the one it started with."""
    file = out / "lr_finder.csv"
    if not config.find_lr:
        return config.lr
    if config.resume and file.is_file():
        return float(file.read_text().splitlines()[0].removeprefix("# chosen: "))
    module = ClassifierModule(model, num_classes=config.num_classes, lr=1, weight_decay=0, loss=config.loss)
    lr, history = find_lr(
        model,
        (module.prepare(batch) for batch in _repeat(loader)),
        module.loss,
        lambda m, rate: make_optimiser(config.optimiser, m, rate, config.weight_decay),
    )
    if _is_first_process():
        lines = [f"# chosen: {lr!r}", "lr,loss", *(f"{rate:.6g},{value:.6g}" for rate, value in history)]
        write_whole(file, "\n".join(lines) + "\n")
        print(f"learning rate {lr:.2g}, from {file}")
    return lr


def _repeat(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _logger(kind: str, out: Path) -> Logger | bool:
    if kind == "tensorboard":
        return TensorBoardLogger(out, name="tensorboard", version="")
    if kind == "wandb":
        return WandbLogger(name=out.name, save_dir=out, project="equisym")
    if kind == "mlflow":
        return MLFlowLogger("equisym", run_name=out.name, tracking_uri=f"file:{out.resolve()}/mlruns")
    return False


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return "32-true" if wanted == "32" else wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return "bf16-mixed" if native else "32-true"


__all__ = ["Preempted", "classify", "train"]
