"""The ser files of TIA (Emispec): a table of places, and at each an image with its calibration in metres."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import NotReadableError, Signal
from equisym.data.readers.units import nanometres, pixel_size

_TYPES = {1: "u1", 2: "<u2", 3: "<u4", 4: "i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8", 9: "<c8", 10: "<c16"}
_IMAGES, _SPECTRA = 0x4122, 0x4120


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The images of a ser file, as one stack."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    if cursor.bytes(2) != b"II" or cursor.value("H") != 0x0197:
        raise ValueError("it does not begin like one")
    version, kind, _, _, count = cursor.values("H4i")
    place = "i" if version <= 0x0210 else "q"
    if kind == _SPECTRA:
        raise NotReadableError("holds spectra, no images")
    if kind != _IMAGES or not 0 < count < 2**20:
        raise ValueError(f"data of type {kind:#x}")
    cursor.seek(cursor.value(place))
    places = cursor.values(f"{count}{place}")
    _, dx, _, _, dy, _, dtype, width, height = _header(cursor, places[0])

    def load(index: tuple[int, ...]) -> NDArray:
        *_, dtype, width, height = _header(cursor, places[index[0]])
        return np.array(map_pixels(file, places[index[0]] + 50, (height, width), _TYPES[dtype]))[::-1]

    size = pixel_size(nanometres(abs(dy), "m"), nanometres(abs(dx), "m"))
    return [Signal("", "tyx", (count, height, width), _TYPES[dtype], load, size)]


def _header(cursor: Cursor, place: int) -> tuple:
    cursor.seek(place)
    found = cursor.values("2di2di") + cursor.values("hii")
    if found[6] not in _TYPES:
        raise ValueError(f"pixels of type {found[6]}")
    return found
