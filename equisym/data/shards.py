"""Webdataset shards as a map-style dataset: tar files read at random places, after one pass over their headers."""

from __future__ import annotations

import io
import tarfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from equisym.data.image_blocks import checksum
from equisym.data.published import LARGEST
from equisym.plain_text import one_line

_PICTURES = ("png", "jpg", "jpeg", "bmp")


@dataclass(frozen=True)
class ShardIndex:
    """Where the images of some tar files lie.

    Attributes:
        files: the tar files.
        places: number of the file, first byte and number of bytes of each image, shape (N, 3).
        labels: what the ``cls`` entries hold, shape (N,).
    """

    files: tuple[Path, ...]
    places: NDArray[np.int64]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, files: Iterable[Path], *, workers: int = 0, progress: bool = True) -> ShardIndex:
        """Read the headers of tar files.

        A file that is cut off or damaged is read as far as it goes; a warning names it and says what is left out.

        Args:
            files: uncompressed tar files of ``NAME.png`` (or jpg, bmp) with ``NAME.cls``.
            workers: processes that read.
            progress: whether to show a bar.

        Raises:
            ValueError: if no image with a label is found.
        """
        from tqdm.auto import tqdm

        files = list(files)
        if not files:
            raise ValueError("no tar files: give a folder that equisym-generate --format webdataset wrote")
        workers = min(workers, len(files)) if len(files) > 8 else 0
        scans = DataLoader(_Scans(tuple(files)), batch_size=None, num_workers=workers, collate_fn=_as_it_is)
        places, labels = [], []
        for number, (own, classes, problem) in enumerate(tqdm(scans, desc="shards", disable=not progress, delay=2)):
            if problem:
                warnings.warn(f"{files[number]} {problem}", stacklevel=2)
            places.append(np.column_stack([np.full(len(own), number), own]).reshape(-1, 3))
            labels.append(classes)
        index = cls(tuple(files), np.concatenate(places).astype(np.int64), np.concatenate(labels).astype(np.int64))
        if not len(index.labels):
            raise ValueError(f"{files[0].parent} holds no image with a label (NAME.png beside NAME.cls in tar files)")
        return index

    def read(self, index: int) -> NDArray[np.uint8]:
        """The pixels of an image, (H, W) or (H, W, 3).

        Raises:
            ValueError: if its bytes are damaged.
        """
        from PIL import Image

        number, first, length = self.places[index].tolist()
        with self.files[number].open("rb") as file:
            file.seek(first)
            data = file.read(length)
        try:
            with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "BMP"]) as picture:
                if picture.width * picture.height > LARGEST:
                    raise ValueError(f"{picture.width} x {picture.height} pixels, {LARGEST:,} at most")
                return np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA", "I;16", "I", "F") else "RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(one_line(f"{self.files[number]}: image {index} is damaged ({error})")) from None


class _Scans(Dataset):
    """Headers of each tar file: places and labels of its images, and what is wrong with it."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
        return _scan(self.files[k])


def _as_it_is(item: Any) -> Any:
    return item


def _scan(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    images: dict[str, tuple[int, int]] = {}
    labels: dict[str, int] = {}
    problem = ""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                key = f"{folder}/{stem}"
                if not member.isreg():
                    continue
                if suffix.lower() in _PICTURES:
                    images[key] = (member.offset_data, member.size)
                elif suffix.lower() == "cls":
                    text = tar.extractfile(member).read(20)  # pyright: ignore[reportOptionalMemberAccess]
                    if member.uname.startswith("crc32-") and member.uname != checksum(text):
                        raise ValueError(f"the label of {stem} is not the one that was written")
                    labels[key] = _label(text)
            whole = _ends_well(path, tar.offset)
            problem = "" if whole else "is cut off"
    except (tarfile.TarError, OSError, ValueError) as error:
        problem = f"is damaged ({one_line(error, 200)})"
    size = path.stat().st_size
    complete = [key for key, (first, length) in images.items() if key in labels and first + length <= size]
    alone = len(images) - len(complete)
    if problem:
        problem += f": {len(complete)} images are read, what follows them is left out"
    elif alone:
        problem = f"holds {alone} images without a label (NAME.cls): they are left out"
    places = np.array([images[key] for key in complete], np.int64).reshape(-1, 2)
    return places, np.array([labels[key] for key in complete], np.int64), problem


def _label(text: bytes) -> int:
    if not text.strip().isdigit() or int(text) > 2**31:
        raise ValueError(f"the label {text!r} is not a whole number from 0")
    return int(text)


def _ends_well(path: Path, end: int) -> bool:
    """Whether the two blocks of zeros that close a tar file stand after its last entry."""
    with path.open("rb") as file:
        file.seek(end - 512 if end >= 512 else 0)
        rest = file.read(1536)
    return b"\0" * 1024 in rest
