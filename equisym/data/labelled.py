"""Labelled images of one's own: HDF5 files, webdataset shards, folders of classes, tables."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from equisym.data.dataset import WallpaperDataset
from equisym.data.published import LARGEST, PublishedImages
from equisym.data.readers import SUFFIXES, read_image
from equisym.data.shards import ShardIndex
from equisym.groups import WALLPAPER_GROUPS
from equisym.plain_text import one_line

SPLITS = ("train", "valid", "test")
GROUPS = tuple(WALLPAPER_GROUPS.names)


class Pixels(Protocol):
    """Images as they are stored, by their number."""

    def read(self, index: int) -> NDArray[Any]:
        """Pixels of an image, (H, W) or (H, W, C), of any real type."""
        ...


@dataclass(frozen=True)
class ImageFiles:
    """Image files, of any kind that :func:`equisym.data.readers.read_image` knows."""

    files: tuple[str, ...]

    def read(self, index: int) -> NDArray[Any]:
        """Pixels of a file."""
        return read_image(self.files[index], max_bytes=LARGEST * 8).pixels


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
    found = {split: parts for split, parts in _found(place, group, workers, progress).items() if len(parts[1])}
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


_Found = dict[str, tuple[Pixels, Sequence[str]]]


def _found(place: Path, group: str | None, workers: int, progress: bool) -> _Found:
    if place.is_file():
        if place.suffix.lower() == ".csv":
            return _from_table(place)
        if place.suffix.lower() in (".h5", ".hdf5"):
            return _from_hdf5([place], group)
        raise ValueError(f"{place}: give a folder, a .csv table or a .h5 file")
    names = {path.suffix.lower() for path in place.iterdir() if path.is_file()}
    if ".tar" in names:
        return {"all": _from_shards(sorted(place.glob("*.tar")), workers, progress)}
    if names & {".h5", ".hdf5"}:
        return _from_hdf5(sorted(p for p in place.iterdir() if p.suffix.lower() in (".h5", ".hdf5")), group)
    inside = {path.name: path for path in place.iterdir() if path.is_dir()}
    if set(SPLITS) & set(inside) and set(inside) <= set(SPLITS):
        if any(inside["train" if "train" in inside else min(inside)].glob("*.tar")):
            return {split: _from_shards(sorted(inside[split].glob("*.tar")), workers, progress) for split in inside}
        return {split: _from_classes(inside[split]) for split in inside}
    return {"all": _from_classes(place)}


def _from_classes(folder: Path) -> tuple[Pixels, Sequence[str]]:
    files, labels = [], []
    for own in sorted(path for path in folder.iterdir() if path.is_dir()):
        if own.is_symlink():  # in a folder from elsewhere it could lead through the whole disk
            raise ValueError(f"{own} is a link to another folder: refused; copy or move that folder here")
        inside = sorted(str(p) for p in own.rglob("*") if p.suffix.lower().removeprefix(".") in SUFFIXES)
        files += inside
        labels += [own.name] * len(inside)
    if len(set(labels)) < 2:
        raise ValueError(f"{folder} must hold tar files, h5 files, or a folder of images for each of several classes")
    return ImageFiles(tuple(files)), labels


def _from_table(table: Path) -> _Found:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is no csv table: {one_line(error, 120)}") from None
    if not rows or not {"file", "label"} <= set(rows[0]):
        got = ", ".join(rows[0]) if rows else "nothing"
        raise ValueError(f"{table} must have the columns file and label, and may have split (got {got})")
    splits: dict[str, tuple[list[str], list[str]]] = {}
    for number, row in enumerate(rows, 2):
        if not row["file"] or not row["label"]:
            raise ValueError(f"{table}, line {number}: file or label is missing")
        split = (row.get("split") or "all").strip()
        if split not in (*SPLITS, "all"):
            raise ValueError(f"{table}: split must be {', '.join(SPLITS)} or empty (got {split!r})")
        files, labels = splits.setdefault(split, ([], []))
        files.append(str(table.parent / row["file"]))
        labels.append(row["label"].strip())
    return {split: (ImageFiles(tuple(files)), labels) for split, (files, labels) in splits.items()}


def _from_hdf5(files: list[Path], group: str | None) -> _Found:
    parts: dict[str, list[PublishedImages]] = {}
    for file in files:
        for part in PublishedImages.all_in(file):
            if group is None or part.group == group:
                part.check_labels()
                split = part.group if part.group in SPLITS and group is None else "all"
                parts.setdefault(split, []).append(part)
    if not parts:
        raise ValueError(f"{files[0]} holds no {f'group {group!r}' if group else 'group'} with data and labels")
    return {s: (_Joined(own), [name for part in own for name in part.label_names()]) for s, own in parts.items()}


def _from_shards(files: list[Path], workers: int, progress: bool) -> tuple[Pixels, Sequence[str]]:
    index = ShardIndex.of(files, workers=workers, progress=progress)
    own = (files[0].parent / "manifest.json").is_file()  # of equisym-generate: labels count the groups
    names = [GROUPS[k] if own and 0 <= k < len(GROUPS) else str(k) for k in index.labels.tolist()]
    return index, names


@dataclass
class _Joined:
    """Several sources one after the other."""

    parts: Sequence[PublishedImages]

    def __post_init__(self) -> None:
        self.ends = np.cumsum([len(part) for part in self.parts])

    def read(self, index: int) -> NDArray[Any]:
        number = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[number].read(index - int(self.ends[number]) + len(self.parts[number]))


def _classes(labels: set[str]) -> tuple[str, ...]:
    """The 17 groups if all labels are among them, otherwise the labels in order, numbers by their value."""
    if labels <= set(GROUPS):
        return GROUPS
    return tuple(sorted(labels, key=_natural))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(t), "") if t.isdigit() else (1, 0, t) for t in re.split(r"(\d+)", text) if t]
