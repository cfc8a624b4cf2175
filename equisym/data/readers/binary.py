"""Read numbers, text and images at given positions of a binary file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Cursor:
    """Reads fields in sequence, never past the end.

    Args:
        handle: a file opened for reading in binary.
        order: byte order, as :mod:`struct` writes it.
    """

    def __init__(self, handle: BinaryIO, order: str = "<") -> None:
        self.handle = handle
        self.order = order

    def bytes(self, count: int) -> bytes:
        """So many bytes.

        Raises:
            ValueError: if the file ends before.
        """
        if not 0 <= count < 2**31:
            raise ValueError(f"a field of {count} bytes")
        found = self.handle.read(count)
        if len(found) < count:
            raise ValueError("the file ends too early")
        return found

    def values(self, fields: str) -> tuple[Any, ...]:
        """Numbers, by their letters in :mod:`struct`, without padding."""
        return struct.unpack(self.order + fields, self.bytes(struct.calcsize(self.order + fields)))

    def value(self, field: str) -> Any:
        """One number."""
        return self.values(field)[0]

    def text(self) -> str:
        """Up to the next zero byte, of at most 64 KiB."""
        found = bytearray()
        while (byte := self.bytes(1)) != b"\0":
            found += byte
            if len(found) > 65536:
                raise ValueError("a text without an end")
        return found.decode("utf-8", "replace")

    def seek(self, offset: int) -> None:
        """Go to a place counted from the beginning."""
        if offset < 0:
            raise ValueError("a place before the beginning of the file")
        self.handle.seek(offset)


def map_pixels(file: Path, offset: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array stored uncompressed in a file, read on use.

    Raises:
        ValueError: if the file ends before they do.
    """
    if any(n < 1 for n in shape):
        raise ValueError(f"an array of shape {shape}")
    if offset + int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize > file.stat().st_size:
        raise ValueError("the file ends before its pixels do")
    return np.memmap(file, dtype, "r", offset, shape)
