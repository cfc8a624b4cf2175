"""MRC2014: a header of 1,024 bytes, and maps one after the other."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import NotReadableError, Signal, from_array
from equisym.data.readers.units import nanometres, pixel_size

_TYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The images of an mrc file; its cell is in angstrom."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    head = cursor.bytes(1024)
    big = head[212:214] == b"\x11\x11" or not 0 <= int.from_bytes(head[12:16], "little") < 2**16
    cursor.order = ">" if big else "<"
    cursor.seek(0)
    nx, ny, nz, mode, _, _, _, mx, my, _ = cursor.values("10i")
    width, height = cursor.values("2f")
    cursor.seek(92)
    extension = cursor.value("i")
    if mode not in _TYPES:
        if head[208:212] == b"MAP " and 0 <= mode < 102:
            raise NotReadableError(
                f"holds an mrc of mode {mode}, which is not read; modes {', '.join(map(str, _TYPES))} are"
            )
        raise ValueError(f"mode {mode}")
    if extension < 0:
        raise ValueError("a header of negative length")
    pixels = map_pixels(file, 1024 + extension, (nz, ny, nx), cursor.order + _TYPES[mode])
    sides = [nanometres(length / n, "A") if n > 0 else None for length, n in ((height, my), (width, mx))]
    return [from_array("", pixels, "zyx", pixel_size(*sides))]
