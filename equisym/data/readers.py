"""Image files of microscopes and of everybody else, as arrays with their pixel size."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NANOMETRES = {"pm": 1e-3, "a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3}
_NANOMETRES |= {"micron": 1e3, "microns": 1e3, "\\u00b5m": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9}


@dataclass(frozen=True)
class ImageFile:
    """An image as a file holds it.

    Attributes:
        pixels: grey (H, W) or colour (H, W, C), in the file's own type.
        pixel_size: side of a pixel in nanometres, if the file says so.
        source: the file's name, with the part that was read if there was a choice.
    """

    pixels: NDArray[Any]
    pixel_size: float | None
    source: str


def read_image(path: str | Path) -> ImageFile:
    """Read one image from a file, by its suffix.

    Known are png, jpg, bmp, tif (8, 16 and 32 bit), npy, npz, h5 and hdf5, and with the extra ``microscopy`` also dm3,
    dm4, emd, mrc and ser. ``FILE#NAME`` picks an array of an npz or HDF5 file, ``FILE#3`` an image of a stack. Nothing
    is ever unpickled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is empty, broken, of another kind than its name says, or holds no single image.
    """
    text = str(path)
    part = None
    if "#" in text and not Path(text).exists():
        text, part = text.rsplit("#", 1)
    file = Path(text)
    if not file.exists():
        raise FileNotFoundError(f"{text}: no such file")
    if not file.is_file():
        raise ValueError(f"{text}: not a file; give image files")
    kind = file.suffix.lower().removeprefix(".")
    if kind not in _READERS:
        raise ValueError(f"{text}: images end in {', '.join(_READERS)} (got {(kind and '.' + kind) or 'no suffix'})")
    if file.stat().st_size == 0:
        raise ValueError(f"{text}: the file is empty")
    with _one_line(text, kind):
        pixels, size = _READERS[kind](file, part)
        pixels = _single(np.asarray(pixels), part)
    return ImageFile(pixels, size, file.name + (f"#{part}" if part is not None else ""))


class _ReadError(ValueError):
    """A message of our own, to be passed on as it is."""


@contextlib.contextmanager
def _one_line(name: str, kind: str) -> Iterator[None]:
    """Whatever a parser meets in a broken file becomes one sentence; what it prints or logs is dropped."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _silent("tifffile"):
            warnings.simplefilter("ignore")
            yield
    except _ReadError as error:
        raise ValueError(f"{name}: {error}") from None
    except Exception as error:  # a parser of damaged bytes may raise anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ValueError(f"{name}: damaged, or not {kind} ({reason.rstrip('.')})") from error


@contextlib.contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Keep a library's log off the terminal."""
    log = logging.getLogger(logger)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _single(pixels: NDArray[Any], part: str | None) -> NDArray[Any]:
    """One image (H, W) or (H, W, C) out of what a file holds."""
    if pixels.dtype.kind not in "biuf":
        raise _ReadError(f"holds values of type {pixels.dtype}; images hold real numbers")
    pixels = pixels.reshape([n for n in pixels.shape if n > 1]) if pixels.ndim > 3 else pixels
    if pixels.ndim == 3 and pixels.shape[-1] > 4:
        if pixels.shape[0] == 1:
            return pixels[0]
        if part is None or not part.rsplit("/", 1)[-1].isdigit():
            raise _ReadError(f"holds a stack of {len(pixels)} images; say which by FILE#0 .. FILE#{len(pixels) - 1}")
        return pixels[_number(part, len(pixels))]
    if pixels.ndim not in (2, 3):
        raise _ReadError(f"holds an array of shape {pixels.shape}; an image has two dimensions, or three with colour")
    return pixels


def _number(part: str, count: int) -> int:
    """The index after ``#``, within a stack."""
    index = int(part.rsplit("/", 1)[-1])
    if index >= count:
        raise _ReadError(f"has no image #{index}; they are #0 .. #{count - 1}")
    return index


def _read_picture(file: Path, part: str | None) -> tuple[NDArray[Any], None]:
    from PIL import Image

    del part
    names = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP"}
    with Image.open(file, formats=[names[file.suffix.lower()[1:]]]) as picture:
        picture.load()
        return np.asarray(picture.convert("RGB") if picture.mode in ("P", "CMYK", "YCbCr") else picture), None


def _read_tif(file: Path, part: str | None) -> tuple[NDArray[Any], float | None]:
    from tifffile import TiffFile

    del part
    with TiffFile(file) as tif:
        page = tif.pages[0]
        for p in tif.pages:
            for offset, length in zip(p.dataoffsets, p.databytecounts, strict=False):  # pyright: ignore
                if offset + length > file.stat().st_size:
                    raise _ReadError("damaged: the file ends before its pixels do")
        series = tif.series[0]
        pixels = series.asarray()
        if series.axes.startswith("S") and pixels.ndim == 3:  # colour planes one after the other
            pixels = np.moveaxis(pixels, 0, -1)
        return pixels, _tif_pixel_size(tif.imagej_metadata or {}, page)


def _tif_pixel_size(about: dict, page: Any) -> float | None:
    """Only ImageJ writes the specimen's scale into a tif; other resolutions are those of paper."""
    resolution = page.tags.get("XResolution")
    if resolution is None or "unit" not in about or not resolution.value[0]:
        return None
    pixels, units = resolution.value
    return _nanometres(units / pixels, about["unit"])


def _read_npy(file: Path, part: str | None) -> tuple[NDArray[Any], None]:
    del part
    with file.open("rb") as handle:
        if handle.read(6) != b"\x93NUMPY":
            raise _ReadError("damaged, or not npy: it does not begin like one")
    with np.errstate(all="ignore"):
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "Object arrays" in str(error) or "objects" in str(error):
                raise _ReadError("holds a pickle, which could run any program: refused; save plain numbers") from None
            raise
    return np.array(array), None


def _read_npz(file: Path, part: str | None) -> tuple[NDArray[Any], float | None]:
    with file.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
        arrays: dict[str, NDArray[Any]] = {}
        for name in archive.files:
            try:
                arrays[name] = archive[name]
            except ValueError:
                if name == part:
                    raise _ReadError(f"{name} holds a pickle, which could run any program: refused") from None
    images = {name: (a.shape, a.dtype.kind) for name, a in arrays.items()}
    size = arrays.get("pixel_size")
    return arrays[_pick(images, part)], float(size) if size is not None and size.ndim == 0 else None


def _read_hdf5(file: Path, part: str | None) -> tuple[NDArray[Any], float | None]:
    import h5py

    with h5py.File(file, "r") as handle:
        found: dict[str, Any] = {}
        handle.visititems(lambda name, item: found.__setitem__(name, item) if isinstance(item, h5py.Dataset) else None)
        name = _pick({name: (item.shape or (), item.dtype.kind) for name, item in found.items()}, part)
        item = found[name]
        attributes = dict(item.attrs) | {k: v for k, v in item.parent.attrs.items() if k not in item.attrs}
        size = attributes.get("pixel_size")
        unit = attributes.get("pixel_unit", attributes.get("unit", "nm"))
        pixels = item[_number(part, len(item))] if item.ndim == 3 and part and part[-1].isdigit() else item[()]
        return pixels, None if size is None else _nanometres(np.ravel(size)[-1], unit)


def _pick(images: dict[str, tuple[tuple[int, ...], str]], part: str | None) -> str:
    """The array named, or the only one that can be an image."""
    if part is not None:
        for name in (part.strip("/"), part.strip("/").rpartition("/")[0]):
            if name in images:
                return name
    fitting = [
        name
        for name, (shape, kind) in images.items()
        if kind in "biuf" and len(shape) in (2, 3, 4) and min((n for n in shape if n > 4), default=0) > 4
    ]
    if len(fitting) == 1 and (part is None or part.isdigit()):
        return fitting[0]
    if not fitting:
        raise _ReadError(f"holds no image among its {len(images)} arrays")
    raise _ReadError(f"say which array by FILE#NAME, NAME one of {', '.join(fitting[:8])}")


def _read_microscope(file: Path, part: str | None) -> tuple[NDArray[Any], float | None]:
    try:
        import ncempy.io as nio
    except ImportError:
        raise _ReadError("needs ncempy: pip install 'equisym[microscopy]'") from None
    del part
    with file.open("rb") as handle:
        start = handle.read(16)
    begins = {
        "dm3": start[:4] == b"\0\0\0\3",
        "dm4": start[:4] == b"\0\0\0\4",
        "ser": start[:4] == b"II\x97\x01",
        "emd": start[:8] == b"\x89HDF\r\n\x1a\n",
        "mrc": file.stat().st_size > 1024,
    }
    kind = file.suffix.lower()[1:]
    if not begins[kind]:
        raise _ReadError(f"damaged, or not {kind}: it does not begin like one")
    if kind in ("dm3", "dm4"):
        with file.open("rb") as handle:
            found = nio.dm.fileDM(handle, on_memory=False).getDataset(0)
    else:
        if kind == "emd":
            import h5py

            h5py.File(file, "r").close()  # ncempy leaves a half-made object behind if this fails
        found = nio.read(file)
    size, unit = found.get("pixelSize", found.get("voxelSize")), found.get("pixelUnit", "")
    if size is None or not np.size(size):
        return found["data"], None
    return found["data"], _nanometres(np.ravel(size)[-1], unit if isinstance(unit, (str, bytes)) else unit[-1])


def _nanometres(size: Any, unit: Any) -> float | None:
    """A pixel's side in nanometres; ``None`` for units that are no length."""
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    factor = _NANOMETRES.get(text.strip(" []_").lower() if text.strip() != "M" else "")
    size = float(size)
    return size * factor if factor and np.isfinite(size) and size > 0 else None


_Reader = Callable[[Path, str | None], tuple[NDArray[Any], float | None]]
_READERS: dict[str, _Reader] = dict.fromkeys(("png", "jpg", "jpeg", "bmp"), _read_picture)
_READERS |= {"tif": _read_tif, "tiff": _read_tif, "npy": _read_npy, "npz": _read_npz}
_READERS |= {"h5": _read_hdf5, "hdf5": _read_hdf5}
_READERS |= dict.fromkeys(("dm3", "dm4", "emd", "mrc", "ser"), _read_microscope)
SUFFIXES = tuple(_READERS)
