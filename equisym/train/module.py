"""The Lightning module: cross-entropy, AdamW, one cycle, accuracy."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

Batch = tuple[Tensor, Tensor]


class ClassifierModule(L.LightningModule):
    """Trains a network that maps images (B, C, H, W) to logits (B, classes).

    Args:
        model: the network.
        num_classes: size of its answer.
        lr: peak of the one-cycle schedule.
        weight_decay: of AdamW; norms, biases and other vectors are spared.
    """

    def __init__(self, model: nn.Module, *, num_classes: int, lr: float, weight_decay: float) -> None:
        super().__init__()
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.loss = nn.CrossEntropyLoss()
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.valid_accuracy = MulticlassAccuracy(num_classes, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        images, labels = batch
        logits = self(images)
        loss = self.loss(logits.float(), labels)
        self.train_accuracy(logits, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        images, labels = batch
        logits = self(images)
        self.valid_accuracy(logits, labels)
        self.log("valid_loss", self.loss(logits.float(), labels), sync_dist=True)
        self.log("valid_accuracy", self.valid_accuracy, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        spared = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": spared, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, lr=self.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.lr, total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
