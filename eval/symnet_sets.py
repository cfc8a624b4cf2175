"""Symmetry features of the images that symnet and its rivals are trained and tested on; continued after a cut.

    python eval/symnet_sets.py --workers 2          # everything, into runs/symnet; about an hour on two cores
    python eval/symnet_sets.py --only test          # the sets whose names begin so

256 x 256 pixels, label guard at 0.1. ``train`` images are degraded at random (equisym.data.Degradation), of other seeds
and, for photographs, of other sources than ``valid`` and ``test``. In ``test`` images, drift of the lines is
sought as the classifier seeks it; no other image has any.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equisym.data import CORRUPTIONS, FAMILIES, Corruption, Degradation, WallpaperDataset
from equisym.train.feature_set import FeatureSet, extract_feature_set

RUNS = Path("runs/symnet")
SIZE = 256


@dataclass(frozen=True)
class PixelNoise:
    """Independent noise of a standard deviation, for images in 0..1; not clipped."""

    sigma: float

    def __call__(self, image: Tensor, *, seed: tuple[int, ...]) -> Tensor:
        rng = np.random.default_rng(np.random.SeedSequence((*seed, 23)))
        return image + self.sigma * torch.from_numpy(rng.standard_normal(image.shape)).to(image)


def _sets() -> dict[str, tuple[int, str, dict[str, Any]]]:
    """Name without family: number of images, split, options."""
    sets: dict[str, tuple[int, str, dict[str, Any]]] = {
        "train": (5100, "train", {"corrupt": Degradation(), "seed": 1}),
        "test": (1700, "test", {"seed": 2}),
        "valid": (510, "valid", {"corrupt": Degradation(), "seed": 3}),
        "test-noise-0.1": (510, "test", {"corrupt": PixelNoise(0.1), "seed": 4}),
        "test-noise-0.3": (510, "test", {"corrupt": PixelNoise(0.3), "seed": 4}),
    }
    for repeats in (3, 4, 6, 10):
        sets[f"test-repeats-{repeats}"] = (510, "test", {"repeats": (repeats, repeats), "seed": 5})
    for name in CORRUPTIONS:
        sets[f"test-{name}-3"] = (170, "test", {"corrupt": Corruption(name, 3), "seed": 6})
    sets["poster-train"] = (1700, "train", {"preset": "poster", "corrupt": Degradation(), "seed": 7})
    sets["poster-test"] = (510, "test", {"preset": "poster", "seed": 8})
    sets["more"] = (5100, "train", {"corrupt": Degradation(), "seed": 9})
    return sets


SETS = _sets()


@cache
def feature_set(name: str, family: str, *, workers: int = 1) -> FeatureSet:
    """A set by name and family, drawn if it is not there yet."""
    count, split, options = SETS[name]
    dataset = WallpaperDataset(family, count, size=SIZE, split=split, **options)
    return extract_feature_set(dataset, RUNS / f"{name}-{family}", scans="test" in name, workers=workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="beginning of the sets' names")
    arguments = parser.parse_args()
    for name in SETS:
        if name.startswith(arguments.only):
            for family in FAMILIES:
                feature_set(name, family, workers=arguments.workers)


if __name__ == "__main__":
    main()
