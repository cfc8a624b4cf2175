"""Read one image from a file: find the format's reader, select an image, enforce the size limit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.formats import SUFFIXES, begins_like, reader_of
from equisym.data.readers.selection import choose
from equisym.data.readers.signal import MAX_BYTES, ReadError, Signal
from equisym.data.readers.units import PixelSize
from equisym.plain_text import one_line

RECIPROCAL = (
    "a diffraction pattern or a Fourier transform, as the units of its axes say, and no image; "
    "take the image itself, or give the pixel size in nanometres if this is one"
)
"""What is wrong with an image in reciprocal space."""


@dataclass(frozen=True)
class ImageFile:
    """An image as a file holds it.

    Attributes:
        pixels: grey (H, W) or colour (H, W, C), in the file's own type.
        pixel_size: height and width of a pixel in nanometres, if the file says them.
        source: the file's name, with the part that was read if there was a choice.
        notes: what should be known of what was done to it, in sentences.
        reciprocal: whether it is a diffraction pattern or a Fourier transform, as the units of its axes say.
    """

    pixels: NDArray[Any]
    pixel_size: PixelSize | None
    source: str
    notes: tuple[str, ...] = ()
    reciprocal: bool = False

    def in_real_space(self) -> ImageFile:
        """The image itself, if it is one.

        Raises:
            ValueError: if it is a diffraction pattern or a Fourier transform, and no pixel size is known.
        """
        if self.reciprocal and self.pixel_size is None:
            raise ValueError(one_line(f"{self.source}: {RECIPROCAL}"))
        return self


def read_image(path: str | Path, *, max_bytes: int = MAX_BYTES) -> ImageFile:
    """Read one image from a file, by its suffix.

    ``equisym.data.readers.FORMATS`` lists the formats. ``FILE#NAME`` picks an image by name, ``FILE#3`` one of a
    stack, ``FILE#t,z,c`` one of a stack with several axes, ``FILE#NAME/3`` one of a stack with a name. Sizes are
    checked before pixels are read, nothing is ever unpickled, and no other file is opened. Several threads may read
    at once.

    Args:
        path: of the file, with the selector.
        max_bytes: an image whose pixels take more memory is refused.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is empty, damaged or too large, of another kind than its name says, of a kind that is
            not read, or if it is not clear which image is meant.
    """
    file, part = _split(path)
    with _opened(file) as signals:
        signal, index = choose(signals, part)
        if signal.image_bytes > max_bytes:
            sides = " x ".join(str(n) for n in signal.shape)
            raise ReadError(
                f"too large: {sides} values of type {np.dtype(signal.dtype)} take {_memory(signal.image_bytes)}, and "
                f"the limit is {_memory(max_bytes)}; raise max_bytes, or cut out a part"
            )
        loaded = signal.load(index)
        pixels = loaded if type(loaded) is np.ndarray and loaded.flags.owndata else np.array(loaded)
    source = file.name + (f"#{part}" if part is not None else "")
    return ImageFile(pixels, signal.pixel_size, source, reciprocal=signal.reciprocal)


def list_images(path: str | Path) -> tuple[Signal, ...]:
    """Contents of a file, without pixels: name, axes, shape and scale of each image or stack.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_image`.
    """
    with _opened(_split(path)[0]) as signals:
        return tuple(signals)


def _split(path: str | Path) -> tuple[Path, str | None]:
    text, part = str(path), None
    if "#" in text and not Path(text).exists():
        text, part = text.rsplit("#", 1)
    return Path(text), part


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[list[Signal]]:
    """The signals of an open file; any error of a parser on a damaged file becomes one sentence."""
    if not file.exists():
        raise FileNotFoundError(one_line(f"{file}: no such file"))
    if file.is_dir():
        raise ValueError(one_line(f"{file}: a folder without images, which end in {', '.join(SUFFIXES)}"))
    if not file.is_file():
        raise ValueError(one_line(f"{file}: not a file; give image files"))
    kind = file.suffix.lower().removeprefix(".")
    if file.stat().st_size == 0:
        raise ValueError(one_line(f"{file}: the file is empty"))
    try:
        signals = reader_of(kind)
        with contextlib.ExitStack() as stack:
            yield signals(file, stack)
    except ReadError as error:
        raise ValueError(one_line(f"{file}: {error}")) from None
    except MemoryError:
        raise ValueError(one_line(f"{file}: too large for this machine's memory")) from None
    except PermissionError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        needs = f"{kind} files need the package {package}, which is not installed: pip install {package}"
        raise ValueError(one_line(f"{file}: {needs}")) from None
    except Exception as error:  # on damaged bytes a parser may raise any exception
        other = begins_like(file)
        if other and kind not in other:
            raise ValueError(one_line(f"{file}: not {kind}: it begins like {other[0]}; rename it")) from error
        reason = one_line(error, 160).rstrip(".")
        raise ValueError(one_line(f"{file}: damaged, or not {kind} ({reason})")) from error


def _memory(n: int) -> str:
    return f"{n / 2**30:.3g} GiB" if n >= 2**29 else f"{n / 2**20:.3g} MiB"
