"""Checkpoints that survive a kill at any moment, and a clean stop on SIGTERM."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from equisym.train.checksums import add_checksum
from equisym.train.samplers import ResumableLoader


class Preempted(SystemExit):
    """The run received SIGTERM or SIGUSR1 and has saved its state."""


SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""What a scheduler sends before it takes a machine away."""


class Checkpoints(L.Callback):
    """Keeps ``last.ckpt`` and ``best.ckpt``, both written atomically.

    The best has the highest ``valid_accuracy``; of equal ones, the earliest. On SIGTERM or SIGUSR1 the run ends after
    the optimiser's next step with ``last.ckpt`` written there.

    Args:
        folder: where they are kept.
        every: optimiser steps between two checkpoints within an epoch; 0 for one at its end only.
    """

    def __init__(self, folder: Path, *, every: int = 0) -> None:
        self.folder, self.every = folder, every
        self.best = -1.0
        self.told = 0  # the signal that came
        self.handlers: dict[int, Any] = {}
        self.loader: ResumableLoader | None = None
        self.place = {"epoch": 0, "batches": 0}  # batches of the epoch that the run has seen

    def state_dict(self) -> dict[str, Any]:
        if self.loader is not None:
            self.place = {"epoch": self.loader.batches.epoch, "batches": self.loader.delivered}
        return {"best": self.best, "place": self.place, "threads": torch.get_num_threads()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.place = state_dict["best"], state_dict["place"]
        if self.best >= 0 and not (self.folder / "best.ckpt").is_file():
            file = self.folder / "best.ckpt"
            raise ValueError(f"{file} is missing, whose weights the run would end with: copy it back")
        torch.set_num_threads(state_dict["threads"])  # another number of threads would sum in another order

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del pl_module
        if self.loader is not None:
            self.loader.batches.set_epoch(trainer.current_epoch)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del pl_module
        if isinstance(trainer.train_dataloader, ResumableLoader):
            self.loader = trainer.train_dataloader
            within = self.place["epoch"] == trainer.current_epoch
            self.loader.batches.resume(trainer.current_epoch, self.place["batches"] if within else 0)
        # Replaces Lightning's handlers, which would stop between two optimiser steps; outside the main thread
        # there is nothing to handle.
        with contextlib.suppress(ValueError):
            self.handlers = {number: signal.signal(number, self._tell) for number in SIGNALS}

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer, pl_module
        self._restore()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        del trainer, pl_module, exception
        self._restore()

    def _tell(self, number: int, frame: Any) -> None:
        del frame
        self.told = number

    def _restore(self) -> None:
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        del pl_module, outputs, batch
        at_end = batch_idx + 1 >= trainer.num_training_batches
        if at_end or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # the end of an epoch saves itself, after validation
        stop = self._anyone_told(trainer)
        if stop or (self.every and trainer.global_step % self.every == 0):
            self._save(trainer, "last.ckpt")
        if stop:
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del pl_module
        accuracy = float(trainer.callback_metrics["valid_accuracy"])
        if accuracy > self.best:
            self.best = accuracy
            self._save(trainer, "best.ckpt")
        self._save(trainer, "last.ckpt")
        if self._anyone_told(trainer) and trainer.current_epoch + 1 < (trainer.max_epochs or 0):
            self._stop(trainer)

    def _anyone_told(self, trainer: L.Trainer) -> bool:
        if trainer.world_size == 1:
            return bool(self.told)
        return trainer.strategy.reduce_boolean_decision(bool(self.told), all=False)

    def _save(self, trainer: L.Trainer, name: str) -> None:
        partial = self.folder / (name + ".part")
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            add_checksum(partial)
            partial.replace(self.folder / name)

    def _stop(self, trainer: L.Trainer) -> None:
        number = signal.Signals(self.told or signal.SIGTERM)  # another process may have been told
        if trainer.is_global_zero:
            print(
                f"stopped by {number.name} after step {trainer.global_step}; {self.folder / 'last.ckpt'} is saved: "
                "add --resume to continue",
                flush=True,
            )
        raise Preempted(128 + number)


class ExponentialAverage(L.Callback):
    r"""Validates and keeps an exponential moving average of the weights in place of the latest ones.

    .. math:: \bar w \leftarrow d\,\bar w + (1 - d)\, w, \qquad d = \min(\text{decay}, (1 + s)/(10 + s))

    after each optimiser step s; running statistics are averaged like weights. The average is stored in checkpoints.

    Args:
        decay: of the average, such as 0.999.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}
        self.steps = 0

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average, self.steps = dict(state_dict["average"]), state_dict["steps"]

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer
        own = pl_module.get_submodule("model").state_dict()
        start = self.average or own
        self.average = {name: tensor.detach().clone().to(own[name].device) for name, tensor in start.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        del outputs, batch, batch_idx
        if trainer.global_step == self.steps:
            return  # gradients are still being accumulated
        self.steps = trainer.global_step
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, tensor in pl_module.get_submodule("model").state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer
        model = pl_module.get_submodule("model")
        self.kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(self.average)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer
        pl_module.get_submodule("model").load_state_dict(self.kept)
        self.kept = {}


def model_weights(path: Path) -> dict[str, Tensor]:
    """The network's weights in a checkpoint: the averaged ones where the run kept an average."""
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    average = checkpoint["callbacks"].get("ExponentialAverage")
    if average:
        return average["average"]
    state = checkpoint["state_dict"]
    return {name.removeprefix("model."): tensor for name, tensor in state.items() if name.startswith("model.")}
