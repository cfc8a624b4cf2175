"""Preprocessing: convert an input to pixels, and find which of them are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.square_pixels import PixelSize, square_pixels

LUMINANCE = np.array([0.299, 0.587, 0.114])  # shares of red, green and blue
_HOT, _HOT_RANGES = 1e-4, 2.0  # of the pixels at either end may lie so many ranges of the rest beyond it
_SMALL = 1e-15  # values below this, and above its inverse, are scaled before they are squared
_LEVELS = 16  # floating-point steps: less contrast is rounding error


@dataclass(frozen=True)
class Pixels:
    """An image as it was given.

    Attributes:
        channels: (C, H, W) in their own type.
        known: which pixels are known, (H, W); ``None`` for all.
        corner: (x, y) of the first pixel in the image.
    """

    channels: NDArray[Any]
    known: NDArray[np.bool_] | None = None
    corner: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.channels.shape[1], self.channels.shape[2]

    @property
    def grey(self) -> NDArray[Any]:
        """(H, W): the one channel, or the luminance of three."""
        return self.channels[0] if len(self.channels) == 1 else np.tensordot(LUMINANCE, self.channels, 1)

    def cut(self, rows: slice, columns: slice) -> Pixels:
        """A part of the image."""
        known = None if self.known is None else self.known[rows, columns]
        corner = (self.corner[0] + (columns.start or 0), self.corner[1] + (rows.start or 0))
        return Pixels(self.channels[:, rows, columns], None if known is None or known.all() else known, corner)

    def array(self) -> NDArray[Any]:
        """(H, W) or (H, W, 3); a masked array where pixels are unknown."""
        array = self.channels[0] if len(self.channels) == 1 else np.moveaxis(self.channels, 0, -1)
        if self.known is None:
            return array
        unknown = ~self.known if array.ndim == 2 else np.broadcast_to(~self.known[..., None], array.shape)
        return np.ma.array(array, mask=unknown)


def as_pixels(image: Any, mask: Any = None) -> Pixels:
    """Channels (C, H, W) in the image's own type, and which pixels are known.

    Where all that is not transparent has one colour, its opacity is the image, as in a drawing in ink without paper.
    Unknown are pixels outside of ``mask``, those that a masked array masks, NaN and infinities, fully transparent ones,
    and a few that lie far beyond all others.

    Args:
        image: array (H, W) or (H, W, C) with 1 to 4 channels, or tensor (H, W) or (C, H, W), of any real type. Of one
            or two channels the first is used, of three or four the first three; equal channels count once.
        mask: which pixels to use, (H, W); all if not given.

    Raises:
        ValueError: for other shapes, and for values that are not real numbers.

    >>> as_pixels(np.arange(60).reshape(4, 5, 3)).channels.shape, as_pixels(np.zeros((4, 5, 3))).channels.shape
    ((3, 4, 5), (1, 4, 5))
    >>> int(as_pixels(np.ma.masked_less(np.arange(20.0).reshape(4, 5), 3)).known.sum())
    17
    """
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = image.float() if image.dtype in (torch.bfloat16, torch.float16) else image
        shape = tuple(image.shape)
        array = image.movedim(0, -1).numpy() if image.dim() == 3 else image.numpy()
    else:
        array = np.asanyarray(image)
        shape = array.shape
    if array.dtype.kind not in "biuf":
        raise ValueError(f"image must hold real numbers (got dtype {array.dtype}): convert it first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 2, 3, 4)):
        raise ValueError(
            f"image must be (H, W) or (H, W, C) with at most 4 channels, as a tensor (C, H, W) (got shape {shape}): "
            "give one image; predict_batch takes several"
        )
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    channels = planes[: 3 if len(planes) > 2 else 1]
    unknown = np.zeros(channels.shape[1:], bool)
    if isinstance(channels, np.ma.MaskedArray):
        unknown |= np.ma.getmaskarray(channels).any(0)
        channels = channels.data
    if len(planes) in (2, 4) and (opaque := np.asarray(planes[-1]) > 0).any():
        inked = np.asarray(channels)[:, opaque]
        if (inked == inked[:, :1]).all() and np.ptp(planes[-1]) > 0:  # ink of one colour: its opacity is the drawing
            channels = np.asarray(planes[-1:])
        else:
            unknown |= ~opaque
    if mask is not None:
        inside = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask).astype(bool)
        if inside.shape != unknown.shape:
            raise ValueError(
                f"mask must have the image's shape {unknown.shape}, True where pixels count (got {inside.shape})"
            )
        unknown |= ~inside
    channels = np.asarray(channels)
    if len(channels) > 1 and (channels == channels[:1]).all():
        channels = channels[:1]
    if channels.dtype.kind == "f":
        unknown |= ~np.isfinite(channels).all(0)
    unknown |= _hot(channels, unknown)
    return Pixels(_within_range(channels, unknown), ~unknown if unknown.any() else None)


def _within_range(channels: NDArray[Any], unknown: NDArray[np.bool_]) -> NDArray[Any]:
    """Values whose squares single precision can hold: others are scaled to at most 1."""
    if channels.dtype.kind != "f" or unknown.all():
        return channels
    known = channels[:, ~unknown] if unknown.any() else channels
    most = float(max(-known.min(), known.max()))
    return channels if most == 0 or _SMALL < most < 1 / _SMALL else channels / most


def as_grey(image: Any) -> NDArray[Any]:
    """A grey array (H, W) for drawing, NaN where nothing is known; arguments as :func:`as_pixels`.

    >>> as_grey(np.zeros((4, 5, 3), np.uint8)).shape
    (4, 5)
    """
    pixels = as_pixels(image)
    return pixels.grey if pixels.known is None else np.where(pixels.known, pixels.grey, np.nan)


def _hot(channels: NDArray[Any], unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Outliers: hot pixels, and placeholders such as -1e30 for missing values."""
    hot = np.zeros_like(unknown)
    few = max(8, int(_HOT * unknown.size))
    for channel in channels:
        step = max(1, int(np.sqrt(unknown.size / 2**20)))
        sample = channel[::step, ::step][~unknown[::step, ::step]]
        n = max(8, int(_HOT * sample.size))
        if sample.size <= 4 * n or channel.dtype.kind == "b":
            continue
        low, high = _lowest(sample, n), -_lowest(-sample.astype(np.float64), n)
        reach = _HOT_RANGES * (high - low)
        beyond = ((channel < low - reach) | (channel > high + reach)) & ~unknown
        if high > low and beyond.sum() <= few:
            hot |= beyond
    return hot


def _lowest(values: NDArray[Any], n: int) -> float:
    """The value that n others are not above. Only those rows of 256 values are sorted that may hold it."""
    whole = len(values) // 256 * 256
    rows, rest = values[:whole].reshape(-1, 256), values[whole:]
    if len(rows) > 2 * n:
        rows = rows[np.argpartition(rows.min(1), n)[: n + 1]]
    return float(np.partition(np.concatenate((rows.ravel(), rest)), n)[n])


def squared(pixels: Pixels, size: PixelSize) -> tuple[Pixels, float | None, str | None]:
    """An image whose pixels are square, the side of one, and what was done (:func:`square_pixels`)."""
    channels = pixels.channels
    if pixels.known is not None and channels.dtype.kind != "f":
        channels = channels.astype(np.float64)
    if pixels.known is not None:
        channels = np.where(pixels.known, channels, np.nan)
    stretched, sides, notes = zip(*(square_pixels(channel, size) for channel in channels), strict=True)
    if notes[0] is None:
        return pixels, sides[0], None
    values = np.stack(stretched)
    known = np.asarray(np.isfinite(values).all(0))
    return Pixels(values, None if known.all() else known), sides[0], notes[0]


def known_part(pixels: Pixels) -> Pixels:
    """The smallest rectangle that holds all known pixels."""
    if pixels.known is None or not pixels.known.any():
        return pixels
    rows, columns = (np.flatnonzero(pixels.known.any(axis)) for axis in (1, 0))
    return pixels.cut(slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))


def refuse_pixels(pixels: Pixels) -> Refusal | None:
    """Why no lattice need be looked for in these pixels, or ``None``."""
    height, width = pixels.shape
    count = height * width if pixels.known is None else int(pixels.known.sum())
    if not count:
        return Refusal(RefusalCode.NOT_FINITE, "no pixel is known; all are NaN, infinite or masked")
    if min(height, width) < 16 or count < 256:
        known = "" if count == height * width else f", {count} of them known"
        detail = f"{width} x {height} pixels{known}, where two repeats of a cell of 8 take 16"
        return Refusal(RefusalCode.TOO_SMALL, detail)
    flat = pixels.channels.reshape(len(pixels.channels), -1)
    values = flat if pixels.known is None else flat[:, pixels.known.ravel()]
    low, high = (v.astype(np.float64) for v in (values.min(1), values.max(1)))
    step = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0.0
    if (high - low <= _LEVELS * step * np.maximum(abs(low), abs(high))).all():
        return Refusal(RefusalCode.CONSTANT, f"all pixels are {', '.join(f'{v:.6g}' for v in low)}")
    return None


def halves(pixels: Pixels, parts: int = 2) -> list[Pixels]:
    """Centre and corners of an image, each a given factor smaller along a side."""
    size = [side // parts for side in pixels.shape]
    starts = [((n - s) // 2, 0, n - s) for n, s in zip(pixels.shape, size, strict=True)]
    places = [(starts[0][0], starts[1][0]), *((y, x) for y in starts[0][1:] for x in starts[1][1:])]
    return [pixels.cut(slice(y, y + size[0]), slice(x, x + size[1])) for y, x in places]
