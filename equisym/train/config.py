"""Training configuration: one value, shared by the command line, YAML files and the run folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_CHOICES = {
    "precision": ("auto", "32", "bf16-mixed"),
    "logger": ("tensorboard", "wandb", "mlflow", "none"),
    "optimiser": ("adamw", "adam"),
    "schedule": ("onecycle", "cosine", "constant"),
    "loss": ("flat", "hierarchical", "rotation_family"),
}


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on which images, and how.

    Attributes:
        arch: architecture: a name of equisym.models.list_archs(), or timm/NAME for any timm model.
        arch_options: options of the architecture, such as '{group: C8, width: 6}'.
        train_family: image family to train and validate on: noise, photo, atom, several with + between, or all.
        train_images: number of training images; validation uses an eighth as many, 340 at least.
        inputs: what the network sees, as channels: image, fft, phase, autocorrelation, radon, log_polar, with commas.
        size: side of the images in pixels; 65, 97, 129 keep the equivariant networks exact.
        epochs: passes over the training images.
        batch_size: images in a step and a device.
        lr: peak learning rate of the schedule.
        find_lr: take the learning rate from a range test before training (lr_finder.csv) instead of --lr.
        optimiser: adamw or adam.
        schedule: onecycle, cosine or constant.
        weight_decay: of the optimiser; not applied to norms and biases.
        loss: flat (the group), hierarchical (rotation order, crystal class and group on a tree) or rotation_family
            (three classes: without rotations, 2- and 4-fold, 3- and 6-fold).
        curriculum: share of the training in which a hierarchical loss goes from coarse to fine; 0 for none.
        degrade: strain, blur, vacancies, shading and noise at random on the training and validation images.
        augment: rotate and flip the training images at random.
        appearance: give each training image another look in every step: random blur or sharpening, tone, inversion and
            noise, which leave its symmetry alone.
        accumulate: batches whose gradients make one step.
        clip: largest norm of the gradient; 0 for no limit.
        ema: decay of the running average of weights that is validated and kept; 0 for none.
        patience: epochs without a better validation accuracy before the run stops; 0 for no early stop.
        precision: '32', 'bf16-mixed', or 'auto' (bf16-mixed where the processor supports it natively).
        test_images: images of each family for the test after training; 0 for none.
        photos: folder of photographs for the photo family, nested folders included; the bundled ones if not given.
        seed: of weights, images and their order.
        workers: processes that draw images; -1 for one per core.
        devices: number of devices of each machine to train on.
        nodes: number of machines.
        checkpoint_steps: optimiser steps between checkpoints within an epoch; 0 for one at the end of each epoch.
        out: folder for the run; runs/ARCH-FAMILY-SEED if not given.
        resume: continue the run in the folder from its last checkpoint.
        logger: logs besides metrics.csv: tensorboard, wandb, mlflow or none.
    """

    arch: str = "e2resnet"
    arch_options: dict[str, Any] = field(default_factory=dict)
    train_family: str = "noise"
    train_images: int = 8160
    inputs: str = "image"
    size: int = 65
    epochs: int = 6
    batch_size: int = 34
    lr: float = 4e-3
    find_lr: bool = False
    optimiser: str = "adamw"
    schedule: str = "onecycle"
    weight_decay: float = 0.05
    loss: str = "flat"
    curriculum: float = 0.0
    degrade: bool = False
    augment: bool = False
    appearance: bool = True
    accumulate: int = 1
    clip: float = 0.0
    ema: float = 0.0
    patience: int = 0
    precision: str = "auto"
    test_images: int = 510
    photos: str | None = None
    seed: int = 0
    workers: int = -1
    devices: int = 1
    nodes: int = 1
    checkpoint_steps: int = 0
    out: str | None = None
    resume: bool = False
    logger: str = "tensorboard"

    def __post_init__(self) -> None:
        for name in ("train_images", "size", "epochs", "batch_size", "devices", "nodes", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        for name in ("clip", "patience", "checkpoint_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative (got {getattr(self, name)})")
        if not self.lr > 0:
            raise ValueError(f"lr must be positive (got {self.lr})")
        if not 0 <= self.ema < 1 or not 0 <= self.curriculum <= 1:
            raise ValueError(f"ema and curriculum are shares from 0 to 1 (got {self.ema} and {self.curriculum})")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                last = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
                raise ValueError(f"{name} must be {last} (got {getattr(self, name)!r})")

    @property
    def families(self) -> str | tuple[str, ...]:
        """The training families as :class:`equisym.data.WallpaperDataset` takes them."""
        return self.train_family if self.train_family == "all" else tuple(self.train_family.split("+"))

    @property
    def valid_images(self) -> int:
        """Number of validation images, a multiple of 17."""
        return max(340, self.train_images // 8 // 17 * 17)

    @property
    def num_classes(self) -> int:
        """Size of the network's answer."""
        return 3 if self.loss == "rotation_family" else 17

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of the architecture, with the tree head that a hierarchical loss asks for unless another is given."""
        return ({"head": "tree"} if self.loss == "hierarchical" else {}) | self.arch_options
