"""Labelled images of one's own as a dataset of tensors of one size."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from equisym.data.dataset import WallpaperDataset
from equisym.data.labelled_sources import GROUPS, Pixels, find_labelled
from equisym.data.published import LARGEST


class LabelledImages(Dataset[tuple[Tensor, int]]):
    """Stored images of one size with their labels; (C, size, size) float32 in 0..1.

    Images of another size are scaled so that the shorter side fits, and cut to the square in the middle.

    Args:
        pixels: where the images come from.
        labels: a number from 0 for each image.
        classes: names of the labels.
        name: what the set is called in tables.
        size: side in pixels.
        colour: three channels instead of grey.
        indices: which of the images; all if not given.
    """

    def __init__(
        self,
        pixels: Pixels,
        labels: NDArray[np.int64],
        classes: Sequence[str],
        *,
        name: str,
        size: int,
        colour: bool = False,
        indices: NDArray[np.int64] | None = None,
    ) -> None:
        self.pixels, self.labels, self.classes = pixels, np.asarray(labels, np.int64), tuple(classes)
        self.name, self.size, self.colour = name, size, colour
        self.indices = np.arange(len(self.labels)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"index must lie in 0..{len(self) - 1} (got {index})")
        number = int(self.indices[index])
        return to_image(self.pixels.read(number), self.size, colour=self.colour), int(self.labels[number])

    @property
    def targets(self) -> NDArray[np.int64]:
        """The labels, in order, shape (N,)."""
        return self.labels[self.indices]

    def part(self, chosen: NDArray[np.integer]) -> LabelledImages:
        """Some of the images, by their numbers in this set."""
        return LabelledImages(
            self.pixels,
            self.labels,
            self.classes,
            name=self.name,
            size=self.size,
            colour=self.colour,
            indices=self.indices[chosen],
        )

    def named(self, classes: Sequence[str]) -> LabelledImages:
        """The same images with labels counted in another list of classes.

        Raises:
            ValueError: if a class has no place in the list.
        """
        if tuple(classes) == self.classes:
            return self
        present = sorted({self.classes[k] for k in np.unique(self.targets)})
        unknown = [name for name in present if name not in classes]
        if unknown:
            few = ", ".join(unknown[:5])
            raise ValueError(f"{self.name} has classes that were not trained on: {few}; those are {', '.join(classes)}")
        places = np.array([classes.index(name) if name in classes else -1 for name in self.classes], np.int64)
        return LabelledImages(
            self.pixels,
            places[self.labels],
            classes,
            name=self.name,
            size=self.size,
            colour=self.colour,
            indices=self.indices,
        )


def open_labelled(
    path: str | Path, *, size: int, colour: bool = False, workers: int = 0, progress: bool = True
) -> dict[str, LabelledImages]:
    """Labelled images from files, by split.

    Args:
        path: one of

            - an HDF5 file of equisym-generate or of the published layouts (groups with ``data`` and ``labels``), or a
              folder of such files; ``FILE#GROUP`` reads one group;
            - a folder of webdataset shards (tar files);
            - a folder with one folder of images for each class, or with the folders train, valid and test of such;
            - a csv table with the columns ``file`` and ``label``, and ``split`` if there are several.

        size: side of the images in pixels.
        colour: three channels instead of grey.
        workers: processes that read the headers of shards.
        progress: whether to show bars.

    Returns:
        Sets by split, such as train, valid and test; ``all`` where the files name no split. If every class is a
        wallpaper group, labels are those of the 17 groups; otherwise classes are sorted by name.

    Raises:
        FileNotFoundError: if there is no such path.
        ValueError: if nothing labelled is found there.
    """
    text = str(path)
    file, group = text.rsplit("#", 1) if "#" in text and not Path(text).exists() else (text, None)
    place = Path(file)
    if not place.exists():
        raise FileNotFoundError(f"{text}: no such file or folder")
    found = {split: parts for split, parts in find_labelled(place, group, workers, progress).items() if len(parts[1])}
    if not found:
        raise ValueError(f"{text} holds no images")
    name = f"{place.stem}#{group}" if group else place.stem
    classes = _classes({label for _, labels in found.values() for label in labels})
    number = {label: k for k, label in enumerate(classes)}
    sets = {}
    for split, (pixels, labels) in found.items():
        counted = np.array([number[label] for label in labels], np.int64)
        sets[split] = LabelledImages(pixels, counted, classes, name=name, size=size, colour=colour)
    return sets


def to_image(pixels: NDArray[Any], size: int, *, colour: bool = False) -> Tensor:
    """Pixels of any real type as a (C, size, size) float32 image in 0..1.

    Integers are divided by the largest value of their type, floats outside 0..1 are brought there by their range.

    Args:
        pixels: (H, W), or (H, W, C) with C of 1 to 4; a fourth channel, or a second, is transparency and left out.
        size: side in pixels.
        colour: three channels instead of their mean.

    Raises:
        ValueError: for other shapes, and for more than 64 million values.
    """
    if not 1 <= pixels.size <= LARGEST or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise ValueError(
            f"an image has the shape (H, W) or (H, W, C) with C from 1 to 4, and {LARGEST:,} values at most "
            f"(got {pixels.shape})"
        )
    image = torch.from_numpy(np.array(_unit(_middle(pixels))))
    image = image[None] if image.ndim == 2 else image.movedim(-1, 0)
    image = image[: 1 if len(image) < 3 else 3]
    image = image.expand(3, -1, -1) if colour and len(image) == 1 else image
    image = image if colour else image.mean(0, keepdim=True)
    height, width = image.shape[-2:]
    if (height, width) == (size, size):
        return image.contiguous()
    scale = size / min(height, width)
    shape = (max(size, round(height * scale)), max(size, round(width * scale)))
    if shape != (height, width):
        image = functional.interpolate(image[None], shape, mode="bilinear", antialias=True, align_corners=False)[0]
    top, left = (shape[0] - size) // 2, (shape[1] - size) // 2
    return image[:, top : top + size, left : left + size].clamp(0, 1).contiguous()


def _middle(pixels: NDArray[Any]) -> NDArray[Any]:
    """What is near the square in the middle: a long strip would take much room at the size that its width is given."""
    side = 4 * min(pixels.shape[:2])
    top, left = (max(0, (n - side) // 2) for n in pixels.shape[:2])
    return pixels[top : top + max(side, 1), left : left + max(side, 1)]


def _unit(pixels: NDArray[Any]) -> NDArray[np.float32]:
    if pixels.dtype.kind == "b":
        return pixels.astype(np.float32)
    if pixels.dtype.kind in "iu":
        values = pixels.astype(np.float64)
        values /= np.iinfo(pixels.dtype).max
        return values.clip(0, 1, out=values).astype(np.float32)
    values = np.nan_to_num(pixels.astype(np.float64)).clip(-1e300, 1e300)  # so that their range is a number
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        values -= low
        values /= high - low or 1
    return values.astype(np.float32)


def held_out(labels: NDArray[np.int64], *, seed: int, share: float = 1 / 8) -> tuple[NDArray, NDArray]:
    """Numbers of the images to train on and of those held out, the same share of each class, at random.

    >>> kept, held = held_out(np.array([0] * 16 + [1] * 8), seed=0)
    >>> len(kept), np.bincount(np.array([0] * 16 + [1] * 8)[held]).tolist()
    (21, [2, 1])
    """
    rng = np.random.default_rng((seed, 17))
    held = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) > 1:
            held.append(rng.permutation(own)[: max(1, round(share * len(own)))])
    chosen = np.sort(np.concatenate(held)) if held else np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def fingerprint(dataset: Dataset) -> str:
    """A digest of what a dataset holds, so that a run that is continued can tell whether it is given the same images.

    Of generated images it is of what they are drawn from; of others, of their number, their labels where these are
    known (``targets``), and sixteen images from all over the set.
    """
    if isinstance(dataset, WallpaperDataset):
        return _digest(json.dumps(dataset.provenance(), sort_keys=True).encode())
    length = len(dataset)  # pyright: ignore[reportArgumentType]
    parts = [str(length).encode()]
    for index in sorted({round(k * (length - 1) / 15) for k in range(16)}):
        if isinstance(dataset, LabelledImages):
            image = torch.from_numpy(np.array(dataset.pixels.read(int(dataset.indices[index]))))
            label = dataset.targets[index]
        else:
            image, label = dataset[index]
        parts.append(torch.as_tensor(image).contiguous().numpy().tobytes() + str(int(label)).encode())
    labels = getattr(dataset, "targets", None)
    if labels is not None:
        parts.append(np.asarray(labels, np.int64).tobytes())
    return _digest(b"".join(parts))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _classes(labels: set[str]) -> tuple[str, ...]:
    """The 17 groups if all labels are among them, otherwise the labels in order, numbers by their value."""
    if labels <= set(GROUPS):
        return GROUPS
    return tuple(sorted(labels, key=_natural))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(t), "") if t.isdigit() else (1, 0, t) for t in re.split(r"(\d+)", text) if t]
