"""The supported formats: suffix, what writes it, and the module that reads it, imported on use."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from equisym.data.readers.signal import ReadError, Signal

Reader = Callable[[Path, ExitStack], list[Signal]]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: common name.
        suffixes: of its files, without the dot.
        module: in this package, with a function ``signals``.
        scale: where its pixel size comes from; empty if it has none.
        stacks: whether it may hold several images.
        begins: first bytes of a file.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    scale: str = ""
    stacks: bool = False
    begins: tuple[bytes, ...] = ()


_HDF5 = (b"\x89HDF\r\n\x1a\n",)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
FORMATS: tuple[Format, ...] = (
    Format("PNG", ("png",), "pictures", begins=(b"\x89PNG\r\n",)),
    Format("JPEG", ("jpg", "jpeg"), "pictures", begins=(b"\xff\xd8\xff",)),
    Format("BMP", ("bmp",), "pictures", begins=(b"BM",)),
    Format("TIFF", ("tif", "tiff"), "tiff", "ImageJ, OME, FEI, Zeiss, DigitalMicrograph, TVIPS, Olympus", True, _TIFF),
    Format("numpy", ("npy",), "numpy_arrays", "", True, (b"\x93NUMPY",)),
    Format("numpy archive", ("npz",), "numpy_arrays", "array pixel_size in nm", True, (b"PK\x03\x04",)),
    Format("HDF5", ("h5", "hdf5"), "hdf5", "attributes pixel_size, pixel_unit; HyperSpy's axes", True, _HDF5),
    Format("HyperSpy", ("hspy",), "hdf5", "axes", True, _HDF5),
    Format("EMD (Velox, Berkeley)", ("emd",), "hdf5", "metadata; dimensions", True, _HDF5),
    Format("DigitalMicrograph", ("dm3", "dm4"), "digital_micrograph", "calibrations", True, (b"\0\0\0\3", b"\0\0\0\4")),
    Format("MRC", ("mrc", "mrcs", "map"), "mrc", "cell over sampling", True),
    Format("TIA series", ("ser",), "tia", "calibration", True, (b"II\x97\x01",)),
    Format("Nanonis scan", ("sxm",), "nanonis", "scan range", True, (b":NANONIS_VERSION:",)),
    Format("Gwyddion", ("gwy",), "gwyddion", "real size", True, (b"GWYP",)),
    Format("Igor wave (Asylum)", ("ibw",), "igor", "dimension scaling", True),
    Format("RHK SM4", ("sm4",), "rhk", "scale of each page", True),
    Format("NanoMEGAS blockfile", ("blo",), "blockfile", "scan step", True, (b"IMGBLO",)),
)
SUFFIXES: tuple[str, ...] = tuple(suffix for f in FORMATS for suffix in f.suffixes)


def reader_of(kind: str) -> Reader:
    """The function that reads files of a suffix.

    Raises:
        ReadError: if there is none.
    """
    for known in FORMATS:
        if kind in known.suffixes:
            return importlib.import_module(f"equisym.data.readers.{known.module}").signals
    if kind in foreign_suffixes():
        return importlib.import_module("equisym.data.readers.foreign").signals
    raise ReadError(
        f"images end in {', '.join(SUFFIXES)} (got {(kind and '.' + kind) or 'no suffix'}); more where rosettasciio is "
        "installed, which is GPL-licensed"
    )


def is_image_name(path: str | Path) -> bool:
    """Whether a file's name ends like an image that can be read here."""
    kind = Path(path).suffix.lower().removeprefix(".")
    return kind in SUFFIXES or kind in foreign_suffixes()


def begins_like(file: Path) -> tuple[str, ...]:
    """Suffixes of the format whose first bytes a file has; empty if of none that is known by them."""
    with file.open("rb") as handle:
        start = handle.read(20)
    return tuple(s for f in FORMATS if any(start.startswith(b) for b in f.begins) for s in f.suffixes)


@lru_cache
def foreign_suffixes() -> tuple[str, ...]:
    """Suffixes that only rosettasciio reads; empty unless it is installed, and nothing of it is imported for this."""
    spec = importlib.util.find_spec("rsciio")
    if spec is None or spec.submodule_search_locations is None:
        return ()
    import yaml

    found: list[str] = []
    for folder in spec.submodule_search_locations:
        for about in sorted(Path(folder).glob("*/specifications.yaml")):
            found += yaml.safe_load(about.read_text(encoding="utf-8")).get("file_extensions") or []
    kinds = {str(suffix).lower().lstrip(".") for suffix in found}
    return tuple(sorted(kinds - set(SUFFIXES) - _NO_IMAGES))


_NO_IMAGES = {"csv", "txt", "xml", "json", "msa", "cif", "zip", "gif", "py", "html", "info", "log", "dat"}
