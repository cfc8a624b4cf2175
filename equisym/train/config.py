"""Everything a training run is told, as one value that the command line, a YAML file and the run folder share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on which images, and how.

    Attributes:
        arch: architecture: a name of equisym.models.list_archs(), or timm/NAME for any timm model.
        arch_options: options of the architecture, such as '{group: C8, width: 6}'.
        train_family: image family to train and validate on: noise, photo, atom, several with + between, or all.
        train_images: number of training images; validation uses an eighth as many, 340 at least.
        size: side of the images in pixels; 65, 97, 129 keep the equivariant networks exact.
        epochs: passes over the training images.
        batch_size: images in a step and a device.
        lr: peak learning rate of the one-cycle schedule.
        weight_decay: of AdamW.
        precision: '32', 'bf16-mixed', or 'auto' (bf16-mixed where the processor multiplies it natively).
        test_images: images of each family for the test after training; 0 for none.
        photos: folder of photographs for the photo family, nested folders included; the bundled ones if not given.
        seed: of weights, images and their order.
        workers: processes that draw images; -1 for one per core.
        devices: number of devices to train on.
        out: folder for the run; runs/ARCH-FAMILY-SEED if not given.
        resume: continue the run in the folder from its last checkpoint.
        logger: logs besides metrics.csv: tensorboard or none.
    """

    arch: str = "e2resnet"
    arch_options: dict[str, Any] = field(default_factory=dict)
    train_family: str = "noise"
    train_images: int = 8160
    size: int = 65
    epochs: int = 6
    batch_size: int = 34
    lr: float = 4e-3
    weight_decay: float = 0.05
    precision: str = "auto"
    test_images: int = 510
    photos: str | None = None
    seed: int = 0
    workers: int = -1
    devices: int = 1
    out: str | None = None
    resume: bool = False
    logger: str = "tensorboard"

    def __post_init__(self) -> None:
        for name in ("train_images", "size", "epochs", "batch_size", "devices"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.precision not in ("auto", "32", "bf16-mixed"):
            raise ValueError(f"precision must be auto, 32 or bf16-mixed (got {self.precision!r})")
        if self.logger not in ("tensorboard", "none"):
            raise ValueError(f"logger must be tensorboard or none (got {self.logger!r})")

    @property
    def families(self) -> str | tuple[str, ...]:
        """The training families as :class:`equisym.data.WallpaperDataset` takes them."""
        return self.train_family if self.train_family == "all" else tuple(self.train_family.split("+"))

    @property
    def valid_images(self) -> int:
        """Number of validation images, a multiple of 17."""
        return max(340, self.train_images // 8 // 17 * 17)
