"""What the scripts share that count what a detector says: our own families, of one piece on one lattice; options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from equisym.data import FAMILIES, Degradation, WallpaperDataset


def options(doc: str, count: int) -> argparse.Namespace:
    """How many images, and the file for the table."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    words = "images of each drawn kind; of each own family and size"
    parser.add_argument("--count", type=int, default=count, help=words)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def own_families(count: int, degraded: bool, seed: int) -> Iterator[torch.Tensor]:
    """Images (H, W) of our own families, in three sizes."""
    for size in (128, 192, 256):
        for family in FAMILIES:
            corrupt = Degradation() if degraded else None
            for image, _ in WallpaperDataset(family, count, size=size, seed=size + seed, corrupt=corrupt):
                yield image[0]
