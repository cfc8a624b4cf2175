"""The Lightning module: loss, optimiser, schedule, accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from equisym.models.tree import labels_at
from equisym.train.augment import turn_and_flip, vary_appearance
from equisym.train.config import OptimiserOptions
from equisym.train.losses import HierarchicalLoss
from equisym.train.recording import recorded
from equisym.train.samplers import rank_and_world

Batch = tuple[Tensor, Tensor]


class NotFiniteError(ValueError):
    """The loss is NaN or infinite.

    Args:
        message: what happened.
        images: the batch.
        labels: its labels.
    """

    def __init__(self, message: str, images: Tensor, labels: Tensor) -> None:
        super().__init__(message)
        self.images, self.labels = images, labels


class ClassifierModule(L.LightningModule):
    """Trains a network that maps images (B, C, H, W) to logits (B, classes).

    Whatever is random in a step depends on seed, epoch, step and process alone, so that a resumed run repeats it. On
    one GPU the passes of the network are recorded, and the loss of a step is read during the next one, so that neither
    waits for the other.

    Args:
        model: the network.
        num_classes: size of its answer.
        options: loss, optimiser and schedule; with the loss ``"rotation_family"`` labels become its three classes.
        augment: whether to turn and flip the images.
        seed: of dropout and augmentation.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        options: OptimiserOptions,
        augment: bool = False,
        appearance: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model, self.options, self.seed = model, options, seed
        self.augment, self.appearance = augment, appearance
        hierarchical = options.loss == "hierarchical"
        self.loss = HierarchicalLoss(curriculum=options.curriculum) if hierarchical else nn.CrossEntropyLoss()
        self.rotation_family = labels_at("rotation_family") if options.loss == "rotation_family" else None
        for part in ("train", "valid"):
            # without the checks of their arguments, for which a GPU would be waited for
            self.add_module(f"{part}_accuracy", MulticlassAccuracy(num_classes, average="micro", validate_args=False))
            self.add_module(f"{part}_loss", MeanMetric(nan_strategy="disable"))
        for name in ("train_accuracy", "train_loss"):  # kept in the checkpoint, for one within an epoch
            self.get_submodule(name).persistent(True)  # pyright: ignore[reportCallIssue]
        self._passes: Callable[[Tensor], Tensor] | None = None
        self._unread: tuple[Tensor, Batch, str] | None = None

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def on_train_epoch_start(self) -> None:
        for name in ("train_accuracy", "train_loss"):
            self.get_submodule(name).reset()  # pyright: ignore[reportCallIssue]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        del batch
        rank, _ = rank_and_world()
        place = ((self.seed * 1_000_003 + self.current_epoch) * 1_000_003 + batch_idx) * 1_009 + rank
        torch.manual_seed(place % 2**63)
        if isinstance(self.loss, HierarchicalLoss):
            self.loss.progress = self.global_step / max(1, int(self.trainer.estimated_stepping_batches))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = self.prepare(batch)
        if self.augment:
            images = turn_and_flip(images)
        if self.appearance:
            images = vary_appearance(images)
        logits = self._in_training(images)
        loss = self.loss(logits.float(), labels)
        self.check_loss()
        self._unread = loss.detach(), batch, f"epoch {self.current_epoch}, batch {batch_idx}"
        if not loss.is_cuda:
            self.check_loss()
        self._log("train", loss, logits, labels)
        return loss

    def _in_training(self, images: Tensor) -> Tensor:
        """Logits, by recorded passes where one GPU trains without accumulating gradients."""
        if self._passes is None:
            alone = self.trainer.world_size == 1 and self.trainer.accumulate_grad_batches == 1
            self._passes = recorded(self.model, images) if alone else self.model.__call__
        return self._passes(images)

    def check_loss(self) -> None:
        """Read the last loss.

        Raises:
            NotFiniteError: if it is NaN or infinite.
        """
        if self._unread is None:
            return
        (loss, batch, where), self._unread = self._unread, None
        if not torch.isfinite(loss):
            raise NotFiniteError(f"the loss became {loss.item()} at {where}", *batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002 - nothing broken is saved
        self.check_loss()

    def on_train_end(self) -> None:
        self.check_loss()
        self._passes = None

    def validation_step(self, batch: Batch, _: int) -> None:
        images, labels = self.prepare(batch)
        logits = self(images)
        self._log("valid", nn.functional.cross_entropy(logits.float(), labels), logits, labels)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimiser = make_optimiser(self.model, self.options)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(optimiser, self.options, steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def prepare(self, batch: Batch) -> Batch:
        """The batch with the labels of the level that is trained."""
        images, labels = batch
        return images, labels if self.rotation_family is None else labels.new_tensor(self.rotation_family)[labels]

    def _log(self, part: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        for name, values in (("accuracy", (logits, labels)), ("loss", (loss.detach(), len(labels)))):
            metric = self.get_submodule(f"{part}_{name}")
            metric.update(*values)  # pyright: ignore[reportCallIssue]
            self.log(f"{part}_{name}", metric, on_step=False, on_epoch=True, prog_bar=name == "accuracy")  # pyright: ignore[reportArgumentType]


def make_optimiser(model: nn.Module, options: OptimiserOptions) -> torch.optim.Optimizer:
    """Timm's optimiser of that name; norms, biases and other vectors are not decayed."""
    from timm.optim import create_optimizer_v2, param_groups_weight_decay  # pyright: ignore[reportPrivateImportUsage]

    groups = param_groups_weight_decay(model, options.weight_decay)
    if options.optimiser == "sgd":
        return create_optimizer_v2(groups, "sgd", lr=options.lr, weight_decay=0.0, momentum=options.momentum)
    return create_optimizer_v2(groups, options.optimiser, lr=options.lr, weight_decay=0.0)


def make_schedule(
    optimiser: torch.optim.Optimizer, options: OptimiserOptions, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """How the learning rate moves over a number of steps."""
    if options.schedule == "onecycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimiser, options.lr, total_steps=steps)
    warm = max(1, steps // 20)

    def share(step: int) -> float:
        if options.schedule == "constant":
            return 1.0
        rest = max(0, step - warm) / max(1, steps - warm)
        return min((step + 1) / warm, 1.0) * 0.5 * (1 + math.cos(math.pi * rest))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, share)
