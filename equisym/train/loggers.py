"""Where a run is logged besides ``metrics.csv``: tensorboard, wandb, mlflow."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from equisym.plain_text import one_line

if TYPE_CHECKING:
    from lightning import Trainer
    from lightning.pytorch.loggers import Logger

EXTRAS = ("wandb", "mlflow")


def require_logger(kind: str) -> None:
    """Say before anything heavy is loaded that the package of a logger is missing.

    Raises:
        ValueError: if it is.
    """
    spec = find_spec(kind) if kind in EXTRAS else None
    if kind in EXTRAS and (spec is None or spec.origin is None):  # a folder of that name is no package
        raise ValueError(f"--logger {kind} needs the package {kind}: pip install 'equisym[{kind}]'")


def make_logger(kind: str, out: Path) -> Logger | bool:
    """A logger that has begun, in the run's folder; ``False`` for none.

    MLflow writes to the server of ``MLFLOW_TRACKING_URI`` where that is set, and wandb asks for an account unless
    ``WANDB_MODE`` is ``offline``.

    Raises:
        ValueError: if it cannot begin.
    """
    from lightning.pytorch import loggers

    if kind == "none":
        return False
    try:
        if kind == "tensorboard":
            return loggers.TensorBoardLogger(out, name="tensorboard", version="")
        if kind == "wandb":
            logger = loggers.WandbLogger(name=out.name, save_dir=out, project="equisym")
        else:
            own, server = out.resolve(), os.environ.get("MLFLOW_TRACKING_URI")
            logger = loggers.MLFlowLogger(
                "equisym",
                run_name=out.name,
                tracking_uri=server or f"sqlite:///{own}/mlflow.db",
                artifact_location=None if server else f"file:{own}/mlruns",
            )
        _ = logger.experiment
    except Exception as error:  # of an account, a server, a disc
        offline = "; WANDB_MODE=offline logs without an account" if kind == "wandb" else ""
        raise ValueError(f"--logger {kind} cannot begin: {one_line(error, 300)}{offline}") from None
    return logger


def end_logger(trainer: Trainer, *, failed: bool) -> None:
    """Write what wandb still holds, and end its run: the next training in this process has its own."""
    from lightning.pytorch.loggers import WandbLogger

    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code=int(failed))
