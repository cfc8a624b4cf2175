"""png, jpg and bmp."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.signal import Signal

_COLOURS = {"P": 3, "PA": 3, "CMYK": 3, "YCbCr": 3, "RGB": 3, "RGBA": 4, "RGBX": 4, "LA": 2, "La": 2, "RGBa": 4}
_TYPES = {"1": "bool", "I": "int32", "F": "float32"}


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The one image of a picture file."""
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    # the classes themselves, not Image.open: its own limit is a global setting, and its warning goes to the screen
    kinds = {"png": PngImageFile, "jpg": JpegImageFile, "jpeg": JpegImageFile, "bmp": BmpImageFile}
    picture = stack.enter_context(kinds[file.suffix.lower()[1:]](str(file)))
    samples = _COLOURS.get(picture.mode, 1)
    dtype = np.uint16 if picture.mode.startswith("I;") else np.dtype(_TYPES.get(picture.mode, "uint8"))

    def load(index: tuple[int, ...]) -> NDArray:
        del index
        picture.load()
        convert = picture.mode in ("P", "PA", "CMYK", "YCbCr")
        return np.asarray(picture.convert("RGB") if convert else picture)

    shape = (picture.height, picture.width)
    return [Signal("", "yx" if samples == 1 else "yxs", shape + (samples,) * (samples > 1), dtype, load)]
