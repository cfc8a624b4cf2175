"""What a reader returns for a file: its images by name, shape and scale, each loaded only when chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from equisym.data.readers.units import PixelSize

MAX_BYTES = 2**30
"""An image whose pixels take more memory than this is not read, unless the caller sets another limit."""


class ReadError(ValueError):
    """An error message about a file that is shown to the user as it is."""


class NotReadableError(ReadError):
    """The file is intact but of a kind that is not supported."""


@dataclass(frozen=True)
class Signal:
    """One image, or one stack of images, in a file.

    Attributes:
        name: its own in the file; empty if it has none.
        axes: a letter for each axis: y and x of the image, s for colour samples; any other counts images of a stack.
        shape: length of each axis.
        dtype: of its values.
        load: reads the image at an index into the stack's axes, as (H, W) or (H, W, C).
        pixel_size: height and width of a pixel in nanometres, if the file says them.
        cost: bytes that reading takes, where that is more than the image's own.
        reciprocal: whether its axes are those of a diffraction pattern or a Fourier transform, as their units say.
    """

    name: str
    axes: str
    shape: tuple[int, ...]
    dtype: DTypeLike
    load: Callable[[tuple[int, ...]], NDArray]
    pixel_size: PixelSize | None = None
    cost: int = 0
    reciprocal: bool = False

    @property
    def stack(self) -> tuple[tuple[str, int], ...]:
        """Axes that count images, with their lengths; those of length one are left out."""
        return tuple((a, n) for a, n in zip(self.axes, self.shape, strict=True) if a not in "yxs" and n != 1)

    @property
    def image_bytes(self) -> int:
        """Memory that one image takes."""
        values = [n for a, n in zip(self.axes, self.shape, strict=True) if a in "yxs"]
        return max(self.cost, int(np.prod(values, dtype=object)) * np.dtype(self.dtype).itemsize)

    def index(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """Numbers on the stack's longer axes as an index into all of them."""
        given = iter(numbers)
        sides = zip(self.axes, self.shape, strict=True)
        return tuple(0 if n == 1 else next(given) for a, n in sides if a not in "yxs")


def from_array(
    name: str,
    array: Any,
    axes: str | None = None,
    size: PixelSize | None = None,
    cost: int = 0,
    reciprocal: bool = False,
) -> Signal:
    """The signal of an array, or of anything with a shape and a dtype that is indexed like one.

    If the axes are not stated: a last axis of 3 or 4, or of up to 4 after a much longer one, is colour.
    """
    shape = tuple(int(n) for n in array.shape)
    axes = axes or guess_axes(shape)

    def load(index: tuple[int, ...]) -> NDArray:
        given = iter(index)
        image = array[tuple(slice(None) if a in "yxs" else next(given) for a in axes)]
        left = "".join(a for a in axes if a in "yxs")
        order = [left.index(a) for a in "yxs" if a in left]
        return np.transpose(np.asarray(image), order)

    return Signal(name, axes, shape, array.dtype, load, size, cost, reciprocal)


def guess_axes(shape: tuple[int, ...]) -> str:
    """Letters for axes that a file does not explain.

    >>> guess_axes((5, 64, 64)), guess_axes((64, 64, 3)), guess_axes((64, 3))
    ('tyx', 'yxs', 'yx')
    """
    if len(shape) < 2:
        raise ReadError(f"holds an array of shape {shape}; an image has two dimensions, or three with colour")
    colour = len(shape) > 2 and 1 <= shape[-1] <= 4
    stack = len(shape) - (3 if colour else 2)
    if stack > len(_STACK):
        raise ReadError(f"holds an array of shape {shape}, of more dimensions than are read")
    return _STACK[:stack] + ("yxs" if colour else "yx")


_STACK = "tzcuv"
