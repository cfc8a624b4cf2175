"""Check the images and labels of a published or generated HDF5 file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equisym.data.published import SCHEMAS, PublishedImages, open_hdf5
from equisym.groups import WALLPAPER_GROUPS

_READ = 64  # images read at once


@dataclass
class FileReport:
    """Result of :func:`check_file` for one group of a file.

    Attributes:
        family: group of the file.
        images: number of images.
        schema: v4, v5 or unknown.
        per_label: images of each label.
        blank: indices of images that are constant to within one grey level.
        unknown_labels: indices of labels above 16.
        repeated: pairs of indices with equal pixels and different labels.
        impossible_shapes: indices of 4-fold groups on another cell than the square, 3- and 6-fold ones on another
            than the hexagonal. Only for files that say which code is which shape.
    """

    family: str
    images: int
    schema: str
    per_label: dict[int, int]
    blank: list[int] = field(default_factory=list)
    unknown_labels: list[int] = field(default_factory=list)
    repeated: list[tuple[int, int]] = field(default_factory=list)
    impossible_shapes: list[int] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.blank or self.unknown_labels or self.repeated or self.impossible_shapes)

    def __str__(self) -> str:
        blank_labels = "" if not self.blank else f" (first at {self.blank[0]})"
        return (
            f"{self.family}: {self.images} images ({self.schema}), {len(self.blank)} blank{blank_labels}, "
            f"{len(self.unknown_labels)} unknown labels, {len(self.repeated)} repeated under another label, "
            f"{len(self.impossible_shapes)} on an impossible cell"
        )


def check_file(path: str | Path, *, progress: bool = True) -> list[FileReport]:
    """Check every image and label of a published or generated file.

    Args:
        path: the HDF5 file.
        progress: show a bar.

    Returns:
        One report for each group of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an HDF5 file or has another layout.
    """
    import h5py
    from tqdm.auto import tqdm

    reports = []
    with open_hdf5(path) as file:
        for family, group in file.items():
            if not (isinstance(group, h5py.Group) and {"data", "labels"} <= set(group)):
                raise ValueError(
                    f"{path} must hold groups with data and labels ({family} is not one): give a v4 or v5 file"
                )
            PublishedImages(path, family)  # refuses arrays that lie elsewhere or are too large
            images = group["labels"].shape[0]  # pyright: ignore[reportAttributeAccessIssue]
            bar = tqdm(total=images, desc=f"checking {family}", unit=" images", disable=not progress)
            with bar:
                reports.append(_check_group(group, family, bar.update))
    return reports


def _check_group(group: Any, family: str, seen_more: Callable[[int], object]) -> FileReport:
    labels = np.asarray(group["labels"])
    schema = next((s for s, keys in SCHEMAS.items() if {"data", *keys} == set(group)), "unknown")
    report = FileReport(family, len(labels), schema, dict(sorted(Counter(labels.tolist()).items())))
    shapes, shape_names = group.get("shapes", group.get("shape")), group.attrs.get("shape_names")
    shapes = None if shapes is None or shape_names is None else np.asarray(shape_names)[np.asarray(shapes)]
    first_of: dict[bytes, int] = {}
    for start in range(0, len(labels), _READ):
        images = np.asarray(group["data"][start : start + _READ])
        for index, (pixels, label) in enumerate(zip(images, labels[start:].tolist(), strict=False), start):
            if int(pixels.max()) - int(pixels.min()) <= 1:
                report.blank.append(index)
                continue
            if label >= len(WALLPAPER_GROUPS):
                report.unknown_labels.append(index)
                continue
            first = first_of.setdefault(hashlib.blake2b(pixels.tobytes(), digest_size=16).digest(), index)
            if int(labels[first]) != label:
                report.repeated.append((first, index))
            needed = WALLPAPER_GROUPS[label].family
            if shapes is not None and needed in ("square", "hexagonal") and shapes[index] != needed:
                report.impossible_shapes.append(index)
        seen_more(len(images))
    return report
