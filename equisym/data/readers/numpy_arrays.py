"""npy and npz, without pickles."""

from __future__ import annotations

import io
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from equisym.data.readers.signal import ReadError, Signal, from_array, guess_axes
from equisym.data.readers.units import PixelSize, nanometres, pixel_size

_HEADER = 2**16  # most bytes of a header
_PICKLE = "a pickle, which could run any program: refused; save plain numbers"


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The array of an npy file, or all of an npz file; ``pixel_size`` (one number or y, x) is in nanometres."""
    if file.suffix.lower() == ".npy":
        return [_from_npy(file)]
    archive = stack.enter_context(zipfile.ZipFile(file))
    headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
    for member in archive.namelist():
        if member.endswith(".npy"):
            with archive.open(member) as handle:
                headers[member.removesuffix(".npy")] = _header(handle)
    size = _size(archive, headers)
    return [_member(archive, name, *headers[name], size) for name in headers if name != "pixel_size"]


def _from_npy(file: Path) -> Signal:
    with file.open("rb") as handle:
        if handle.read(6) != b"\x93NUMPY":
            raise ReadError("damaged, or not npy: it does not begin like one")
        handle.seek(0)
        _, dtype = _header(handle)
    if dtype.hasobject:
        raise ReadError(f"holds {_PICKLE}")
    return from_array("", np.load(file, mmap_mode="r", allow_pickle=False))


def _header(handle: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(handle)
    size = handle.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(size, "little")
    if length > _HEADER:  # numpy would read all of it before it looks at how much there is
        raise ReadError(f"damaged: its header has {length} bytes")
    start = io.BytesIO(size + handle.read(length))
    shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(start)
    return shape, dtype


def _member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype, size: PixelSize | None
) -> Signal:
    cost = int(np.prod(shape, dtype=object)) * dtype.itemsize

    def load(index: tuple[int, ...]) -> NDArray:
        if dtype.hasobject:
            raise ReadError(f"{name} holds {_PICKLE}")
        with archive.open(f"{name}.npy") as handle:
            array = npy.read_array(handle, allow_pickle=False)
        return from_array(name, array, axes).load(index)

    axes = guess_axes(shape) if len(shape) > 1 else "t" * len(shape)
    return Signal(name, axes, shape, dtype if not dtype.hasobject else np.uint8, load, size, cost)


def _size(archive: zipfile.ZipFile, headers: dict[str, Any]) -> PixelSize | None:
    shape, dtype = headers.get("pixel_size", ((9,), np.dtype(float)))
    if shape not in ((), (1,), (2,)) or dtype.kind not in "iuf" or archive.getinfo("pixel_size.npy").file_size > 4096:
        return None
    with archive.open("pixel_size.npy") as handle:
        values = np.ravel(npy.read_array(handle, allow_pickle=False))
    return pixel_size(nanometres(values[0], "nm"), nanometres(values[-1], "nm"))
