"""Wallpaper images as a map-style dataset, drawn from (seed, index) on access: ten million need no disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from equisym.data.pattern import FAMILIES, VERSION_OF_DRAWS, Pattern, PatternOptions, draw_pattern
from equisym.data.photographs import photographs
from equisym.groups import WALLPAPER_GROUPS

_SPLIT_SEEDS = {"train": 0, "valid": 1, "test": 2}


def worker_count(wanted: int) -> int:
    """Number of worker processes: as requested, or for -1 one per core that this process may use."""
    if wanted >= 0:
        return wanted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WallpaperDataset(Dataset[tuple[Tensor, int]]):
    """Generated images with their labels, the 17 groups in turn.

    Args:
        family: noise, photo, atom, several of them, or ``"all"``; several take turns after each round of 17.
        length: number of images.
        size: side in pixels.
        seed: the same seed gives the same images, whatever the number of workers.
        split: train, valid or test: different images for the same seed, and different photographs.
        corrupt: applied to each image, such as ``Corruption("dose", 3)``; called with the image and a seed.
        options: pattern options; single ones may also be given by name (``colour=True``).

    Raises:
        ValueError: if a family or split is unknown, if length or size is not positive, or the seed negative.
        IndexError: beyond the length.

    >>> image, label = WallpaperDataset("noise", 34, size=33, seed=0)[10]
    >>> image.shape, image.dtype, WALLPAPER_GROUPS[label].name
    (torch.Size([1, 33, 33]), torch.float32, 'p4m')
    """

    def __init__(
        self,
        family: str | Sequence[str],
        length: int,
        *,
        size: int = 256,
        seed: int = 0,
        split: str = "train",
        corrupt: Callable[..., Tensor] | None = None,
        options: PatternOptions | None = None,
        **changes,
    ) -> None:
        families = FAMILIES if family == "all" else (family,) if isinstance(family, str) else tuple(family)
        for name in families:
            if name not in FAMILIES:
                raise ValueError(f"family must be one of {', '.join(FAMILIES)} or all (got {name!r})")
        if split not in _SPLIT_SEEDS:
            raise ValueError(f"split must be one of {', '.join(_SPLIT_SEEDS)} (got {split!r})")
        if length < 1:
            raise ValueError(f"length must be at least 1 (got {length}): give the number of images")
        if seed < 0:
            raise ValueError(f"seed must not be negative (got {seed})")
        self.families, self.length, self.size, self.seed, self.split = families, length, size, seed, split
        self.corrupt = corrupt
        self.options = replace(options or PatternOptions(), split=split, **changes)

    def __len__(self) -> int:
        return self.length

    def pattern(self, index: int) -> Pattern:
        """The pattern that an image is drawn from, with its cell and group."""
        if not 0 <= index < self.length:
            raise IndexError(f"index must lie in 0..{self.length - 1} (got {index})")
        family = self.families[index // 17 % len(self.families)]
        seed = (self.seed, _SPLIT_SEEDS[self.split], FAMILIES.index(family), index)
        return draw_pattern(WALLPAPER_GROUPS[index % 17], family, seed, self.size, self.options)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.pattern(index).image(self.size)
        if self.corrupt is not None:
            image = self.corrupt(image, seed=(self.seed, _SPLIT_SEEDS[self.split], index))
        return image, index % 17

    def provenance(self) -> dict[str, Any]:
        """What the images are drawn from, so that equal ones mean equal images wherever the photographs lie."""
        options = asdict(self.options)
        photos = options.pop("photos")
        if "photo" in self.families and photos is not None:
            options["photographs"] = photographs(photos, self.split).fingerprint
        return {
            "generator": f"equisym draws {VERSION_OF_DRAWS}",
            "families": list(self.families),
            "count": self.length,
            "size": self.size,
            "seed": self.seed,
            "split": self.split,
            "options": json.loads(json.dumps(options)),
        }

    def in_memory(self, *, workers: int = 0, progress: bool = True) -> TensorDataset:
        """Draw every image once and keep them: (images, labels) as one :class:`TensorDataset`."""
        title = f"drawing {self.length} {'+'.join(self.families)} ({self.split})"
        return in_memory(self, title, workers=workers, progress=progress)


def in_memory(dataset: Dataset, title: str, *, workers: int = 0, progress: bool = True) -> TensorDataset:
    """Read every image of a map-style dataset once and keep them: (images, labels) as one :class:`TensorDataset`.

    Args:
        dataset: of images of one shape, with integer labels.
        title: of the bar.
        workers: processes that read.
        progress: whether to show a bar.
    """
    from tqdm.auto import tqdm

    loader = DataLoader(_Errors(dataset), batch_size=17, num_workers=workers, collate_fn=_collate)
    images, labels = [], []
    for batch in tqdm(loader, desc=title, disable=not progress):
        if isinstance(batch, Exception):
            raise batch
        images.append(batch[0])
        labels.append(batch[1])
    return TensorDataset(torch.cat(images), torch.cat(labels))


class _Errors(Dataset):
    """A dataset whose errors are values: a loader would bury them under a worker's traceback."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # pyright: ignore[reportArgumentType]

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except (ValueError, OSError) as error:
            return error


def _collate(items: list[Any]) -> Any:
    for item in items:
        if isinstance(item, Exception):
            return item
    return default_collate(items)
