"""Igor binary waves (ibw) of version 5, as Asylum's and other scanning probes write them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import NotReadableError, Signal
from equisym.data.readers.units import PixelSize, nanometres, pixel_size

_TYPES = {2: "f4", 4: "f8", 8: "i1", 16: "i2", 32: "i4", 128: "i8", 72: "u1", 80: "u2", 96: "u4", 192: "u8"}
_TYPES |= {3: "c8", 5: "c16"}
_PIXELS = 384  # bytes of both headers
_LABEL = 32  # bytes of a layer's name


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The layers of a wave by their names, the first dimension along x and the second upwards, as they are measured."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    version = cursor.value("h")
    if version not in (5, 1280):
        if version in (1, 2, 3, 256, 512, 768):
            raise NotReadableError("holds an Igor wave of an old version, which has one dimension")
        raise ValueError("it does not begin like one")
    cursor.order = "<" if version == 5 else ">"
    cursor.seek(8)
    after = cursor.values("11i")  # formula, note, data units, four dimensions' units, four dimensions' labels
    cursor.seek(64 + 16)
    kind = cursor.value("h")
    cursor.seek(64 + 68)
    sides = [n for n in cursor.values("4i") if n]
    steps = cursor.values("4d")
    cursor.seek(64 + 152)
    units = [cursor.bytes(4).strip(b"\0") for _ in range(4)]
    if len(sides) < 2:
        raise NotReadableError("holds a wave of one dimension, no image")
    if kind not in _TYPES:
        raise NotReadableError(f"holds a wave of type {kind}; images hold real numbers")
    pixels = map_pixels(file, _PIXELS, tuple(sides[::-1]), cursor.order + _TYPES[kind])
    cursor.seek(_PIXELS + pixels.nbytes + after[0] + after[1] + after[2])
    long_units = [cursor.bytes(n) for n in after[3:7]]
    labels = [cursor.bytes(n) for n in after[7:11]]
    size = _size(steps, [long or short for long, short in zip(long_units, units, strict=True)])
    if len(sides) == 2:
        return [_layer("", pixels, size)]
    names = [labels[2][i : i + _LABEL].strip(b"\0").decode("latin-1") for i in range(_LABEL, len(labels[2]), _LABEL)]
    if len(sides) > 3 or len(names) < sides[2] or len(set(names)) < len(names):
        return [Signal("", "tz"[: len(sides) - 2] + "yx", pixels.shape, pixels.dtype, _turned(pixels), size)]
    return [_layer(name, layer, size) for name, layer in zip(names, pixels, strict=False)]


def _layer(name: str, pixels: NDArray, size: PixelSize | None) -> Signal:
    return Signal(name, "yx", pixels.shape, pixels.dtype, _turned(pixels), size)


def _turned(pixels: NDArray):
    return lambda index: np.asarray(pixels[index])[::-1]


def _size(steps: tuple[float, ...], units: list[bytes]) -> PixelSize | None:
    x, y = (nanometres(abs(step), unit) for step, unit in zip(steps[:2], units[:2], strict=True))
    return pixel_size(y, x)
