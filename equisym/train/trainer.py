"""The Lightning trainer of a run: devices, precision, callbacks, logs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, TQDMProgressBar

from equisym.plain_text import one_line
from equisym.train.checkpoints import Checkpoints, ExponentialAverage
from equisym.train.config import TrainConfig
from equisym.train.loggers import make_logger, require_logger


def make_trainer(config: TrainConfig, out: Path, *callbacks: L.Callback, epochs: int, precision: str) -> L.Trainer:
    """A trainer that keeps its state in the run's folder.

    Args:
        config: of the run.
        out: its folder.
        callbacks: besides those that the configuration asks for.
        epochs: passes over the images.
        precision: as the configuration's ``precision``.
    """
    chosen = [*callbacks, TQDMProgressBar(leave=True)]
    if config.ema:
        chosen.append(ExponentialAverage(config.ema))
    if config.patience:
        chosen.append(EarlyStopping("valid_accuracy", mode="max", patience=config.patience))
    chosen += [_callback(entry) for entry in config.callbacks]
    chosen.append(Checkpoints(out, every=config.checkpoint_steps))
    return L.Trainer(
        accelerator="auto",
        devices=config.devices,
        num_nodes=config.nodes,
        max_epochs=epochs,
        precision=_precision(precision),  # pyright: ignore[reportArgumentType]
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip or None,
        logger=make_logger(config.logger, out),
        callbacks=chosen,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        benchmark=torch.cuda.is_available() or None,  # all batches have one size
        default_root_dir=out,
    )


def require_extras(config: TrainConfig) -> None:
    """Say early, before images are drawn, that the package of a logger is missing or that a callback cannot be made.

    Raises:
        ValueError: if it is so.
    """
    require_logger(config.logger)
    for entry in config.callbacks:
        _callback(entry)


def _callback(entry: dict[str, Any]) -> L.Callback:
    """A callback from ``class_path`` and ``init_args``, as Lightning's own command line reads them."""
    unknown = set(entry) - {"class_path", "init_args"}
    module, _, name = str(entry.get("class_path", "")).rpartition(".")
    if unknown or not module:
        raise ValueError(f"a callback is {{class_path: MODULE.CLASS, init_args: {{...}}}} (got {entry})")
    try:
        made = getattr(importlib.import_module(module), name)(**entry.get("init_args", {}))
    except Exception as error:  # a class of the user's may raise any
        raise ValueError(f"the callback {entry['class_path']} cannot be made: {one_line(error)}") from None
    if not isinstance(made, L.Callback):
        raise ValueError(f"{entry['class_path']} is no lightning.pytorch.Callback")
    return made


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return "32-true" if wanted == "32" else wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return "bf16-mixed" if native else "32-true"
