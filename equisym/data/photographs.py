"""Photographs to cut textures from, split into train, valid and test by source file."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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
    """A set of photographs, read on first use; the latest ones are kept in memory.

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
        self.split, self.folder = split, None if folder is None else Path(folder)
        self.files = _bundled(split) if self.folder is None else _in_folder(self.folder, split)
        if not self.files:
            raise ValueError(f"photos must hold images for the {split} split (none found in {folder}): add images")

    @property
    def fingerprint(self) -> str:
        """Number of files and a hash of their names, which together decide what is drawn."""
        names = (p.relative_to(self.folder).as_posix() if self.folder else p.name for p in self.files)
        return f"{len(self.files)} files, {hashlib.sha256(chr(10).join(names).encode()).hexdigest()[:16]}"

    def draw(self, rng: np.random.Generator, channels: int) -> Photograph:
        """Draw one photograph. Files that cannot be read are reported once, as a warning, and skipped.

        Raises:
            ValueError: if a hundred files in a row cannot be read.
        """
        for _ in range(100):
            photograph = Photograph(self.files[rng.integers(len(self.files))], channels)
            if _reduced(photograph.path, channels, 0) is not None:
                return photograph
        raise ValueError(f"photos must hold readable images (100 draws of {len(self.files)} files failed): check them")


@dataclass(frozen=True)
class Photograph:
    """A photograph that can be read.

    Attributes:
        path: the source file.
        channels: 1 for grey, 3 for colour.
    """

    path: Path
    channels: int

    def reduced(self, level: int) -> Tensor:
        """The photograph averaged down by the factor 2^(level / 2), (channels, rows, columns) uint8."""
        pixels = _reduced(self.path, self.channels, level)
        assert pixels is not None  # draw() gives out readable ones only
        return pixels


@lru_cache(maxsize=32)
def photographs(folder: str | Path | None, split: str) -> Photographs:
    """The photographs of a folder, listed once in a process."""
    return Photographs(folder, split=split)


def _bundled(split: str) -> tuple[Path, ...]:
    roots = {"skimage": _folder_of("skimage") / "data", "sklearn": _folder_of("sklearn") / "datasets" / "images"}
    return tuple(roots[package] / name for package, name in (file.split("/") for file in _BUNDLED[split]))


def _folder_of(package: str) -> Path:
    """Where a package lies; it is not imported, which would take a second in each process that draws."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent


def _in_folder(folder: Path, split: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise ValueError(f"photos must be a folder of images (got {folder}, which is not a folder)")

    def split_of(path: Path) -> str:
        digest = hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest()[0]
        return "train" if digest < 205 else "valid" if digest < 231 else "test"

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    return tuple(p for p in files if split_of(p) == split)


@lru_cache(maxsize=128)
def _reduced(path: Path, channels: int, level: int) -> Tensor | None:
    from PIL import Image

    if level > 0:
        whole = _reduced(path, channels, 0)
        assert whole is not None
        shape = [max(2, round(n / 2 ** (level / 2))) for n in whole.shape[1:]]
        return functional.interpolate(whole[None].float(), shape, mode="area")[0].round_().to(torch.uint8)
    try:
        with Image.open(path) as image:
            image.thumbnail((1024, 1024))
            pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        warnings.warn(f"{path} is skipped because it cannot be read as an image: {error}", stacklevel=2)
        return None
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels)).permute(2, 0, 1).contiguous()
