"""Photographs to cut textures from, split into train, valid and test by source file."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SPLITS = ("train", "valid", "test")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
# Photographs that scikit-image and scikit-learn ship inside their wheels.
_BUNDLED = {
    "train": (
        "skimage/astronaut.png",
        "skimage/camera.png",
        "skimage/coffee.png",
        "skimage/brick.png",
        "skimage/grass.png",
        "skimage/hubble_deep_field.jpg",
        "skimage/ihc.png",
        "skimage/motorcycle_left.png",
        "skimage/rocket.jpg",
        "sklearn/china.jpg",
    ),
    "valid": ("skimage/chelsea.png", "skimage/gravel.png", "skimage/moon.png"),
    "test": ("sklearn/flower.jpg", "skimage/coins.png", "skimage/retina.jpg", "skimage/clock_motion.png"),
}


class Photographs:
    """A set of photographs, read when first drawn and kept in memory.

    Args:
        folder: any folder of images, nested folders included; ``None`` for the bundled photographs.
        split: train, valid or test. A folder's files fall into the three (80:10:10) by a hash of their name,
            so a photograph never moves when others are added.

    Raises:
        ValueError: if the split is unknown or holds no photograph.
    """

    def __init__(self, folder: str | Path | None = None, *, split: str = "train") -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)} (got {split!r})")
        self.split = split
        self.files = _bundled(split) if folder is None else _in_folder(Path(folder), split)
        if not self.files:
            raise ValueError(f"photos must hold images for the {split} split (none found in {folder}): add images")

    def draw(self, rng: np.random.Generator, channels: int) -> Tensor:
        """One photograph, (channels, rows, columns) float32 in 0..1."""
        return _read(self.files[rng.integers(len(self.files))], channels)


def _bundled(split: str) -> tuple[Path, ...]:
    roots = {"skimage": resources.files("skimage") / "data", "sklearn": resources.files("sklearn") / "datasets/images"}
    return tuple(Path(str(roots[package] / name)) for package, name in (f.split("/") for f in _BUNDLED[split]))


def _in_folder(folder: Path, split: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise ValueError(f"photos must be a folder of images (got {folder}, which is not a folder)")

    def split_of(path: Path) -> str:
        digest = hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest()[0]
        return "train" if digest < 205 else "valid" if digest < 231 else "test"

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    return tuple(p for p in files if split_of(p) == split)


@lru_cache(maxsize=256)
def _read(path: Path, channels: int) -> Tensor:
    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((1024, 1024))
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels)).permute(2, 0, 1).contiguous()
