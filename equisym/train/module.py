"""The Lightning module: loss, optimiser, schedule, accuracy."""

from __future__ import annotations

import math

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from equisym.models.tree import labels_at
from equisym.train.augment import turn_and_flip, vary_appearance
from equisym.train.losses import HierarchicalLoss
from equisym.train.samplers import rank_and_world

Batch = tuple[Tensor, Tensor]
OPTIMISERS = ("adamw", "adam")
SCHEDULES = ("onecycle", "cosine", "constant")


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

    Random numbers in a step depend on seed, epoch, step and process only, so that a resumed run repeats them.

    Args:
        model: the network.
        num_classes: size of its answer.
        lr: peak of the schedule.
        weight_decay: of the optimiser; not applied to norms, biases and other vectors.
        optimiser: ``"adamw"`` or ``"adam"``.
        schedule: ``"onecycle"``, ``"cosine"`` (after a warm-up of a twentieth), or ``"constant"``.
        loss: ``"flat"``, ``"hierarchical"`` or ``"rotation_family"`` (three classes).
        curriculum: share of the training in which a hierarchical loss goes from coarse to fine.
        augment: whether to rotate and flip the images.
        seed: of dropout and augmentation.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_classes: int,
        lr: float,
        weight_decay: float,
        optimiser: str = "adamw",
        schedule: str = "onecycle",
        loss: str = "flat",
        curriculum: float = 0.0,
        augment: bool = False,
        appearance: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.optimiser, self.schedule, self.seed = optimiser, schedule, seed
        self.augment, self.appearance = augment, appearance
        self.loss = HierarchicalLoss(curriculum=curriculum) if loss == "hierarchical" else nn.CrossEntropyLoss()
        self.rotation_family = labels_at("rotation_family") if loss == "rotation_family" else None
        for part in ("train", "valid"):
            self.add_module(f"{part}_accuracy", MulticlassAccuracy(num_classes, average="micro"))
            self.add_module(f"{part}_loss", MeanMetric())
        for name in ("train_accuracy", "train_loss"):  # kept in the checkpoint, for one within an epoch
            self.get_submodule(name).persistent(True)  # pyright: ignore[reportCallIssue]

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
        logits = self(images)
        loss = self.loss(logits.float(), labels)
        if not torch.isfinite(loss):
            where = f"epoch {self.current_epoch}, batch {batch_idx}"
            raise NotFiniteError(f"the loss became {loss.item()} at {where}", *batch)
        self._log("train", loss, logits, labels)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        images, labels = self.prepare(batch)
        logits = self(images)
        self._log("valid", nn.functional.cross_entropy(logits.float(), labels), logits, labels)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimiser = make_optimiser(self.optimiser, self.model, self.lr, self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        if self.schedule == "onecycle":
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.lr, total_steps=steps)
        else:
            warm = max(1, steps // 20)

            def share(step: int) -> float:
                if self.schedule == "constant":
                    return 1.0
                rest = max(0, step - warm) / max(1, steps - warm)
                return min((step + 1) / warm, 1.0) * 0.5 * (1 + math.cos(math.pi * rest))

            schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
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


def make_optimiser(kind: str, model: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW or Adam; vectors (norms, biases) are not decayed."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    spared = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return (torch.optim.AdamW if kind == "adamw" else torch.optim.Adam)(groups, lr=lr)
