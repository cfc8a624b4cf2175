"""Read and write the published HDF5 files, in both of their schemas.

Images are (N, size, size, 3) uint8, one image per compressed chunk; points and vectors are (N, 2) int32, row before
column. Version 4 calls the cell's shape ``shapes`` and keeps ``source_start_point``; version 5 calls it ``shape`` and
has ``rotation_angle`` instead. The families are groups of the file: imagenet, atom, noise.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from equisym.data.motif import unit_box
from equisym.data.pattern import Pattern
from equisym.groups import WALLPAPER_GROUPS
from equisym.plain_text import one_line

if TYPE_CHECKING:
    import h5py

GROUP_OF_FAMILY = {"photo": "imagenet", "atom": "atom", "noise": "noise"}
SHAPES = ("rectangular", "square", "rhombic", "oblique", "hexagonal")
_VECTORS = (
    "translation_start_point",
    "primitive_uc_vector_a",
    "primitive_uc_vector_b",
    "translation_uc_vector_a",
    "translation_uc_vector_b",
)
SCHEMAS: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "v4": {"labels": ("u1", ()), "shapes": ("u1", ())}
    | {name: ("<i4", (2,)) for name in ("source_start_point", *_VECTORS)},
    "v5": {"labels": ("u1", ()), "shape": ("u1", ()), "rotation_angle": ("<f4", ())}
    | {name: ("<i4", (2,)) for name in _VECTORS},
}
LARGEST = 2**26  # values of an image
COMPRESSION = 4  # deflate level


def record(pattern: Pattern, schema: str) -> dict[str, NDArray]:
    """The file's entries for one image: label, cell shape, and vectors rounded to pixels, row before column.

    ``primitive_uc_vector_a/b`` are the sides of the box around the asymmetric unit, ``translation_uc_vector_a/b`` the
    conventional cell's vectors, ``translation_start_point`` the cell's origin; the place in the source photograph is
    not kept and reads -1.
    """
    basis, (_, extent) = pattern.cell.basis, unit_box(pattern.group, pattern.cell)
    values = {
        "labels": pattern.group.label,
        "shapes": SHAPES.index(pattern.cell.metric),
        "shape": SHAPES.index(pattern.cell.metric),
        "rotation_angle": np.degrees(np.arctan2(basis[1, 0], basis[0, 0])),
        "source_start_point": (-1, -1),
        "translation_start_point": np.rint(pattern.cell.origin[::-1]),
        "primitive_uc_vector_a": np.rint((0, extent[0] / 1.1)),
        "primitive_uc_vector_b": np.rint((extent[1] / 1.1, 0)),
        "translation_uc_vector_a": np.rint(basis[::-1, 0]),
        "translation_uc_vector_b": np.rint(basis[::-1, 1]),
    }
    return {name: np.asarray(values[name], dtype=dtype) for name, (dtype, _) in SCHEMAS[schema].items()}


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) in 0..1 to (H, W, 3) uint8."""
    return (image * 255).round().to(torch.uint8).expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def compress(pixels: NDArray[np.uint8]) -> bytes:
    """One image as the bytes of its chunk."""
    return zlib.compress(pixels.tobytes(), COMPRESSION)


def open_hdf5(path: str | Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is not an HDF5 file.
    """
    import h5py

    if not Path(path).exists():
        raise FileNotFoundError(f"no such file: {path}")
    if not (Path(path).is_file() and h5py.is_hdf5(path)):
        raise ValueError(f"{path} is not an HDF5 file, or is damaged: give a v4 or v5 file")
    return h5py.File(path)


def plain_dataset(group: h5py.Group | h5py.File, name: str) -> h5py.Dataset:
    """A dataset that lies in the file itself.

    Raises:
        ValueError: if there is none, or if it is a link, virtual, or stored in another file: a file from elsewhere
            could read any file of this machine through these.
    """
    import h5py

    place = f"{group.file.filename}: {group.name.rstrip('/')}/{name}"  # pyright: ignore[reportOptionalMemberAccess]
    link = group.get(name, getlink=True)
    if link is None:
        raise ValueError(f"{place} does not exist")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{place} is a link to another place: refused; copy what it points to")
    item = group[name]
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f"{place} is no array")
    if item.is_virtual or item.external:
        raise ValueError(f"{place} is stored in other files: refused; copy it into one file")
    return item


@contextlib.contextmanager
def _readable(path: str | Path) -> Iterator[h5py.File]:
    """An open file; what the library says of a damaged one becomes one sentence."""
    try:
        with open_hdf5(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({one_line(error, 120)})") from None


class PublishedImages:
    """One group of an HDF5 file as it is stored: ``data`` (N, H, W) or (N, H, W, C) and ``labels`` (N,).

    Args:
        path: the HDF5 file.
        group: name of the group.

    Raises:
        ValueError: if the file is damaged, the group holds no such arrays, an image has more than 64 million values, or
            there are more than 33 million.
    """

    MOST = 2**25  # images
    NAMES = 2**16  # of labels

    def __init__(self, path: str | Path, group: str) -> None:
        self.path, self.group = Path(path), group
        with _readable(self.path) as file:
            data, labels = (plain_dataset(file[group], name) for name in ("data", "labels"))  # pyright: ignore
            place = f"{self.path}: {group}"
            if data.ndim not in (3, 4) or labels.shape != data.shape[:1]:
                raise ValueError(f"{place} must hold N images and N labels (got {data.shape} and {labels.shape})")
            if not 1 <= int(np.prod(data.shape[1:], dtype=object)) <= LARGEST or data.dtype.kind not in "biuf":
                raise ValueError(f"{place} holds images of {data.shape[1:]} {data.dtype}: numbers, 64 million at most")
            chunk = int(np.prod(data.chunks or (0,), dtype=object)) * data.dtype.itemsize
            if chunk > 8 * LARGEST:
                raise ValueError(f"{place} is packed in pieces of {chunk:,} bytes, which are too large to unpack")
            if len(labels) > self.MOST or labels.dtype.kind not in "iu":
                raise ValueError(f"{place} holds {labels.size:,} labels {labels.dtype}: integers, 33 million at most")
            self.labels = np.asarray(labels)
            self._sum = str(file[group].attrs.get("labels_sha256", ""))  # files of equisym-generate have it
            self.names = self._label_names(file[group])
        self._data: Any = None

    def check_labels(self) -> None:
        """Refuse labels that are not those whose checksum the file records.

        Raises:
            ValueError: if they are damaged, or were changed.
        """
        if self._sum and self._sum != hashlib.sha256(self.labels.tobytes()).hexdigest():
            place = f"{self.path}: {self.group}"
            raise ValueError(f"{place}: labels are damaged, their checksum is not the recorded one; copy it again")

    def _label_names(self, group: Any) -> tuple[str, ...] | None:
        if "label_names" not in group.attrs:
            return None
        about = group.attrs.get_id("label_names")
        if int(np.prod(about.shape, dtype=object)) > self.NAMES or about.dtype.itemsize > self.NAMES:
            raise ValueError(f"{self.path}: {self.group} has more than {self.NAMES:,} label_names")
        names = np.ravel(group.attrs["label_names"])
        return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names)

    @classmethod
    def all_in(cls, path: str | Path) -> list[PublishedImages]:
        """All groups of a file that hold data and labels."""
        with _readable(path) as file:
            groups = [str(name) for name in file if cls._is_one(file, str(name))]
        return [PublishedImages(path, name) for name in groups]

    @staticmethod
    def _is_one(file: h5py.File, name: str) -> bool:
        import h5py

        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            return False
        group = file[name]
        return isinstance(group, h5py.Group) and {"data", "labels"} <= set(group)

    def __len__(self) -> int:
        return len(self.labels)

    def label_names(self) -> list[str]:
        """The label of each image by name: that of the file, that of the group, or the number."""
        names = self.names or WALLPAPER_GROUPS.names
        if self.labels.size and int(self.labels.max()) < len(names) and int(self.labels.min()) >= 0:
            return [names[k] for k in self.labels.tolist()]
        return [str(k) for k in self.labels.tolist()]

    def read(self, index: int) -> NDArray[Any]:
        """The pixels of an image."""
        if self._data is None:  # opened in the worker that reads
            self._data = open_hdf5(self.path)[self.group]["data"]  # pyright: ignore[reportIndexIssue]
        try:
            return np.asarray(self._data[index])
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{self.path}: image {index} of {self.group} is damaged ({error})") from None

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_data": None}


class PublishedDataset(Dataset[tuple[Tensor, int]]):
    """Images of a version 4 or version 5 file, ours or the published ones; (3, H, W) float32 in 0..1 with labels.

    Args:
        path: the HDF5 file.
        family: group of the file: imagenet, atom, noise, train, valid or test; ``photo`` reads imagenet.

    Raises:
        ValueError: if the file has no such group.
    """

    def __init__(self, path: str | Path, family: str) -> None:
        self.path, self.family = Path(path), GROUP_OF_FAMILY.get(family, family)
        with open_hdf5(self.path) as file:
            if self.family not in file:
                raise ValueError(f"family must be one of {', '.join(file)} in {path} (got {family!r})")
        self._images = PublishedImages(self.path, self.family)
        self.labels = self._images.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self._images.read(index)
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, int(self.labels[index])
