"""Where labelled images of one's own are found: tables, HDF5 files, webdataset shards, folders of classes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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


Found = dict[str, tuple[Pixels, Sequence[str]]]
"""For each split, where its images are and the names of their labels."""


def find_labelled(place: Path, group: str | None, workers: int, progress: bool) -> Found:
    """The images and labels at a place: a table, HDF5 files, shards, or folders of classes.

    Args:
        place: file or folder.
        group: of an HDF5 file; all if not given.
        workers: processes that read shards.
        progress: show a bar.

    Raises:
        ValueError: if nothing of the kind is there.
    """
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


def _from_table(table: Path) -> Found:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is not a csv table: {one_line(error, 120)}") from None
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


def _from_hdf5(files: list[Path], group: str | None) -> Found:
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
