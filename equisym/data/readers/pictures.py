"""png, jpg and bmp."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.signal import ReadError, Signal

_COLOURS = {"P": 3, "PA": 3, "CMYK": 3, "YCbCr": 3, "RGB": 3, "RGBA": 4, "RGBX": 4, "LA": 2, "La": 2, "RGBa": 4}
_FRAMES = tuple(bytes([k]) for k in range(0xC0, 0xD0) if k not in (0xC4, 0xC8, 0xCC))  # of images in a jpg
_ALONE = tuple(bytes([k]) for k in (0, 1, *range(0xD0, 0xDA), 0xFF))  # marks in a jpg without a length
_SEGMENTS = 100_000  # of a jpg, and bytes between them, before the image
_STRIP = 2**24  # bytes that are copied at once
_WORK = 10**10  # pixels of all scans of a jpg, some ten seconds
_TYPES = {"1": "bool", "I": "int32", "F": "float32"}


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The one image of a picture file."""
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    # the classes themselves, not Image.open: its own limit is a global setting, and its warning goes to the screen
    kinds = {"png": PngImageFile, "jpg": JpegImageFile, "jpeg": JpegImageFile, "bmp": BmpImageFile}
    if file.suffix.lower() in (".jpg", ".jpeg"):
        _find_frame(file)
    picture = stack.enter_context(kinds[file.suffix.lower()[1:]](str(file)))
    samples = _COLOURS.get(picture.mode, 1)
    dtype = np.uint16 if picture.mode.startswith("I;") else np.dtype(_TYPES.get(picture.mode, "uint8"))

    def load(index: tuple[int, ...]) -> NDArray:
        del index
        if picture.format == "JPEG" and (scans := _scans(file)) * shape[0] * shape[1] > _WORK:
            raise ReadError(f"damaged, or made to take very long: {scans} scans of {shape[1]} x {shape[0]} pixels")
        picture.load()
        convert = picture.mode in ("P", "PA", "CMYK", "YCbCr")
        pixels = np.empty(shape, dtype)
        rows = max(1, _STRIP // max(1, pixels[:1].nbytes))
        for top in range(0, shape[0], rows):  # at once, the picture would be there three times
            strip = picture.crop((0, top, shape[1], min(top + rows, shape[0])))
            pixels[top : top + rows] = np.asarray(strip.convert("RGB") if convert else strip)
        return pixels

    shape = (picture.height, picture.width) + (samples,) * (samples > 1)
    return [Signal("", "yx" if samples == 1 else "yxs", shape, dtype, load)]


def _find_frame(file: Path) -> None:
    """Whether an image begins among the segments of a jpg, before a program would read on and on byte by byte.

    Raises:
        ValueError: if none does.
    """
    with file.open("rb") as handle:
        handle.seek(2)
        for _ in range(_SEGMENTS):
            mark = handle.read(1)
            if mark != b"\xff":  # padding, or the end
                if not mark:
                    break
                continue
            kind = handle.read(1)
            if kind[:1] in _FRAMES:
                return
            if kind and kind not in _ALONE:
                handle.seek(int.from_bytes(handle.read(2), "big") - 2, 1)
    raise ValueError("no image begins in it")


def _scans(file: Path) -> int:
    """Number of scans of a jpg; their mark does not stand in packed pixels."""
    found, last = 0, b""
    with file.open("rb") as handle:
        while block := handle.read(_STRIP):
            found += (last + block).count(b"\xff\xda")
            last = block[-1:]
    return found
