"""Training configuration: one value, shared by the command line, YAML files and the run folder."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from equisym.command_line import check_choices


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network.

    Attributes:
        arch: architecture: a name of equisym.models.list_archs(), or timm/NAME for any timm model.
        arch_options: options of the architecture, such as '{group: C8, width: 6}'.
        import_: package that registers architectures of one's own (those with an entry point need no import).
        inputs: what the network sees, as channels: image, fft, phase, autocorrelation, radon, log_polar, with commas.
    """

    arch: str = "e2resnet"
    arch_options: dict[str, Any] = field(default_factory=dict)
    import_: str | None = None
    inputs: str = "image"


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """The images.

    Attributes:
        data: images of one's own instead of generated ones: an HDF5 file (FILE#GROUP for one group), a folder of
            webdataset shards, of one folder for each class, or of such for train, valid and test, or a csv table with
            columns file, label and split. Without a split for validation an eighth is held out.
        valid_data: images to validate on, as data.
        test_data: sets of images to test on, as data.
        colour: three channels instead of grey, for images of one's own.
        train_family: image family to train and validate on: noise, photo, atom, several with + between, or all.
        train_images: number of training images, 8160 if not given, or with --data all; of generated images validation
            uses an eighth as many, 340 at least.
        size: side of the images in pixels; 65, 97, 129 keep the equivariant networks exact.
        test_images: generated images of each family for the test after training; 0 for none.
        photos: folder of photographs for the photo family, nested folders included; the bundled ones if not given.
        degrade: strain, blur, vacancies, shading and noise at random on the training and validation images.
        augment: rotate and flip the training images at random.
        appearance: give each training image another look in every step: random blur or sharpening, tone, inversion and
            noise, which leave its symmetry alone; for images with the 17 groups as labels.
        workers: processes that draw images; -1 for one per core.
    """

    data: str | None = None
    valid_data: str | None = None
    test_data: list[str] = field(default_factory=list)
    colour: bool = False
    train_family: str = "noise"
    train_images: int | None = None
    size: int = 65
    test_images: int = 510
    photos: str | None = None
    degrade: bool = False
    augment: bool = False
    appearance: bool = True
    workers: int = -1

    @property
    def families(self) -> str | tuple[str, ...]:
        """The training families as :class:`equisym.data.WallpaperDataset` takes them."""
        return self.train_family if self.train_family == "all" else tuple(self.train_family.split("+"))

    @property
    def generated_images(self) -> int:
        """Number of generated training images."""
        return 8160 if self.train_images is None else self.train_images

    @property
    def valid_images(self) -> int:
        """Number of generated validation images, a multiple of 17."""
        return max(340, self.generated_images // 8 // 17 * 17)

    @property
    def trained_on(self) -> str:
        """What a run calls its training images: their families, or the name of its own data."""
        if self.data is None:
            return self.train_family
        file, _, group = self.data.partition("#")
        return f"{Path(file).stem}-{group}" if group else Path(file).stem


@dataclass(frozen=True, kw_only=True)
class OptimiserOptions:
    """Loss and optimiser.

    Attributes:
        epochs: passes over the training images.
        batch_size: images in a step and a device.
        lr: peak learning rate of the schedule.
        find_lr: take the learning rate from a range test before training (lr_finder.csv) instead of --lr.
        optimiser: adamw, adam or sgd (with Nesterov momentum).
        momentum: of sgd.
        schedule: how the learning rate moves; cosine after a warm-up of a twentieth.
        weight_decay: of the optimiser; not applied to norms and biases.
        loss: flat (the group), hierarchical (rotation order, crystal class and group on a tree) or rotation_family
            (three classes: without rotations, 2- and 4-fold, 3- and 6-fold).
        curriculum: share of the training in which a hierarchical loss goes from coarse to fine; 0 for none.
        accumulate: batches whose gradients make one step.
        clip: largest norm of the gradient; 0 for no limit.
        ema: decay of the running average of weights that is validated and kept; 0 for none.
        patience: epochs without a better validation accuracy before the run stops; 0 for no early stop.
    """

    epochs: int = 5
    batch_size: int = 34
    lr: float = 4e-3
    find_lr: bool = False
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = 0.9
    schedule: Literal["onecycle", "cosine", "constant"] = "onecycle"
    weight_decay: float = 0.05
    loss: Literal["flat", "hierarchical", "rotation_family"] = "flat"
    curriculum: float = 0.0
    accumulate: int = 1
    clip: float = 0.0
    ema: float = 0.0
    patience: int = 0


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """The machine.

    Attributes:
        precision: '32', bf16-mixed, or auto (bf16-mixed where the processor supports it natively).
        devices: number of devices of each machine to train on.
        nodes: number of machines.
    """

    precision: Literal["auto", "32", "bf16-mixed"] = "auto"
    devices: int = 1
    nodes: int = 1


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """The run and its folder.

    Attributes:
        seed: of weights, images and their order.
        out: folder for the run; runs/ARCH-FAMILY-SEED if not given.
        resume: continue the run in the folder from its last checkpoint.
        checkpoint_steps: optimiser steps between checkpoints within an epoch; 0 for one at the end of each epoch.
        logger: logs besides metrics.csv; wandb and mlflow need the extra of that name.
        callbacks: Lightning callbacks, each '{class_path: MODULE.CLASS, init_args: {...}}'.
        sweep: train one run for each value, or combination of values, such as seed=0,1,2 lr=1e-3,4e-3, in folders
            inside --out; run again after an interruption, it goes on where it was.
        jobs: runs of a sweep side by side.
    """

    seed: int = 0
    out: str | None = None
    resume: bool = False
    checkpoint_steps: int = 0
    logger: Literal["tensorboard", "wandb", "mlflow", "none"] = "tensorboard"
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    sweep: list[str] = field(default_factory=list)
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainConfig(FolderOptions, MachineOptions, OptimiserOptions, ImageOptions, NetworkOptions):
    """Train an architecture on images and test it, in a folder that the run can be continued from.

    The options stand in groups, ``NetworkOptions``, ``ImageOptions``, ``OptimiserOptions``, ``MachineOptions`` and
    ``FolderOptions``; a configuration is all of them.

    Raises:
        ValueError: if a value is out of its range.
    """

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("train_images", "size", "epochs", "batch_size", "devices", "nodes", "accumulate", "jobs"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        for name in ("clip", "patience", "checkpoint_steps", "weight_decay", "test_images"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative (got {getattr(self, name)})")
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number (got {value})")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to {2**32 - 1} (got {self.seed})")
        if not self.lr > 0:
            raise ValueError(f"lr must be positive (got {self.lr})")
        for name, top in (("ema", 1), ("momentum", 1), ("curriculum", 1 + 1e-9)):
            if not 0 <= getattr(self, name) < top:
                raise ValueError(f"{name} is a share from 0 to 1 (got {getattr(self, name)})")

    def optimiser_options(self, lr: float) -> OptimiserOptions:
        """Loss and optimiser alone, at a learning rate."""
        own: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(OptimiserOptions)}
        own["lr"] = lr
        return OptimiserOptions(**own)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.out or f"runs/{self.arch.replace('/', '-')}-{self.trained_on}-{self.seed}")

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of the architecture, with the tree head that a hierarchical loss asks for unless another is given."""
        return ({"head": "tree"} if self.loss == "hierarchical" else {}) | self.arch_options
