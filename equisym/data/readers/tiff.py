"""tif files: pages and hyperstacks, and the scales that microscopes' makers keep in tags of their own."""

from __future__ import annotations

import importlib.util
import logging
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.binary import map_pixels
from equisym.data.readers.signal import NotReadableError, ReadError, Signal
from equisym.data.readers.tiff_directories import check_directories
from equisym.data.readers.tiff_scale import has_reciprocal_axes, scale_of

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # it would print about every odd tag
_OURS = {1, 8, 32946}  # none, deflate: read without imagecodecs
_DEFLATE, _DEFLATE_MOST = (8, 32946), 1032  # deflate makes no more than so many bytes out of one
_SUSPECT = 2**26  # bytes that a strip may unpack to before it is tried with care
_PALETTE, _MOSTLY, _NEAR = 3, 0.8, 400
_RGB, _CMYK, _YCBCR, _CIELAB = 2, 5, 6, 8  # kinds of colour
_ALPHA = (1, 2)  # what an extra sample may be; others are channels of their own


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The series of a tif, without reduced copies of them."""
    from tifffile import TiffFile

    check_directories(file)
    tif = stack.enter_context(TiffFile(file, _multifile=False))  # an OME tif may name other files: not opened
    series = [s for s in tif.series if len(s.shape) > 1]
    whole = [s for s in series if not s.keyframe.is_reduced]
    return [_signal(file, tif, s, len(whole or series)) for s in whole or series]


def _signal(file: Path, tif: Any, series: Any, count: int) -> Signal:
    page = series.keyframe
    axes = _letters(_samples_counted(series.axes, page))
    shape, dtype = tuple(int(n) for n in series.shape), series.dtype
    if _coloured(page):
        axes, shape, dtype = axes + "s", (*shape, 3), page.colormap.dtype
    frames = [n for a, n in zip(axes, shape, strict=True) if a not in "yxs"]
    before = axes[: len(frames)] if all(a not in "yxs" for a in axes[: len(frames)]) else None
    one_page_each = before is not None and len(series.pages) == int(np.prod(frames, dtype=object))
    mapped = series.dataoffset if before is not None and len(series.pages) == 1 and frames else None

    def load(index: tuple[int, ...]) -> NDArray:
        _check(file, [page] if not one_page_each else [series.pages[_flat(index, frames)]])
        if one_page_each:
            pixels = series.pages[_flat(index, frames)].asarray()
        elif mapped is not None:
            array = map_pixels(file, mapped, tuple(series.shape), tif.byteorder + series.dtype.char)
            pixels = np.array(array[index])
        else:
            _check(file, [p for p in series.pages if p is not None])
            given = iter(index)
            pixels = series.asarray()[tuple(slice(None) if a in "yxs" else next(given) for a in axes[: series.ndim])]
        return _ordered(pixels, axes, page)

    whole = 0 if one_page_each or mapped is not None else int(series.nbytes)
    tiles = int(np.prod(page.chunks, dtype=object)) * series.dtype.itemsize
    name = "" if count == 1 else _name(series)
    size, reciprocal = scale_of(tif, page), has_reciprocal_axes(tif, page)
    return Signal(name, axes, shape, dtype, load, size, max(whole, tiles), reciprocal)


def _name(series: Any) -> str:
    return str(series.name or "").strip() if not str(series.name or "").lower().startswith("series") else ""


def _letters(axes: str) -> str:
    """One letter for each axis, none twice."""
    free, found = iter("tzcuvwpqabdefg"), ""
    for axis in axes.lower():
        letter = axis if axis in "yxstzc" and axis not in found else next(c for c in free if c not in found)
        found += letter
    if "y" not in found or "x" not in found:
        raise NotReadableError("holds no image: its pages have one dimension")
    return found


def _samples_counted(axes: str, page: Any) -> str:
    """Axes where samples that are no colours are images of a stack, such as those of several detectors."""
    colours = page.photometric in (_RGB, _CMYK, _YCBCR, _CIELAB)
    alpha = any(int(e) in _ALPHA for e in page.extrasamples)
    return axes if colours or alpha else axes.replace("S", "C" if "C" not in axes else "Q")


def _flat(index: tuple[int, ...], frames: list[int]) -> int:
    return int(np.ravel_multi_index(index, frames)) if frames else 0


def _ordered(pixels: NDArray, axes: str, page: Any) -> NDArray:
    """Rows, columns, colours, and the colours that a palette stands for."""
    if _coloured(page):
        return np.moveaxis(page.colormap[:, pixels], 0, -1)
    left = "".join(a for a in axes if a in "yxs")
    pixels = np.transpose(pixels, [left.index(a) for a in "yxs" if a in left])
    if page.photometric == _CMYK and pixels.shape[-1] > 3 and pixels.dtype.kind == "u":
        full = np.iinfo(pixels.dtype).max
        ink = pixels[..., :4].astype(np.float64) / full
        return np.rint(full * (1 - ink[..., :3]) * (1 - ink[..., 3:])).astype(pixels.dtype)
    if pixels.ndim > 2 and pixels.shape[-1] > 3 and not any(int(e) in _ALPHA for e in page.extrasamples):
        return pixels[..., :3]
    return pixels


def _coloured(page: Any) -> bool:
    """Whether a palette gives colours, or grey values in another order than its numbers."""
    if page.photometric != _PALETTE or page.colormap is None:
        return False
    colours = page.colormap.astype(int)
    ramp = np.linspace(
        0, 65535, colours.shape[1]
    )  # all but a few colours for annotations, in scanning microscopes' files
    return bool((np.abs(colours - ramp) < _NEAR).all(0).mean() < _MOSTLY)


def _check(file: Path, pages: list[Any]) -> None:
    """Whether the pages' pixels are in the file, can be decoded here, and fit their declared size.

    Raises:
        ReadError: if not.
    """
    size = file.stat().st_size
    for page in pages:
        key = page.keyframe
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            if offset + length > size:
                raise ReadError("damaged: the file ends before its pixels do")
        if int(key.compression) not in _OURS and importlib.util.find_spec("imagecodecs") is None:
            raise NotReadableError(
                f"is compressed by {getattr(key.compression, 'name', key.compression)}, which needs imagecodecs: "
                "pip install 'equisym[microscopy]'"
            )
        if int(key.compression) in _DEFLATE and max(page.databytecounts, default=0) * _DEFLATE_MOST > _SUSPECT:
            _check_deflate(file, page, int(np.prod(key.chunks, dtype=object)) * key.dtype.itemsize)


def _check_deflate(file: Path, page: Any, expected: int) -> None:
    """Long strips, unpacked no further than they should reach."""
    with file.open("rb") as handle:
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            handle.seek(offset)
            unpacker = zlib.decompressobj()
            if len(unpacker.decompress(handle.read(length), expected + 1)) > expected:
                raise ReadError("damaged: its strips unpack to more than its pixels")
