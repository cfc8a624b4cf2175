"""Preprocessing: convert an input to the channels that are analysed, and find which of its pixels are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.square_pixels import PixelSize, square_pixels

LARGEST = 1024  # pixels along a side; larger images are reduced or cropped
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_WEAK = 0.01  # of the variance of all channels: weaker components are dropped
_FEW = 1e-3  # of the pixels: up to this many are filled from their neighbours rather than masked
_REACH = 2.0  # pixels: width of the local average that fills unknown pixels
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
        return self.channels[0] if len(self.channels) == 1 else np.tensordot(_LUMINANCE, self.channels, 1)

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


@dataclass(frozen=True)
class View:
    """The part of an image that is analysed, at the scale of the analysis.

    Attributes:
        channels: (C, H, W) float32: one for a grey image, uncorrelated components of a coloured one, the strongest
            first. Their mean is 0, the standard deviation of the first is 1; unknown pixels are filled smoothly.
        mask: which pixels are known, (H, W); ``None`` for all.
        mean: of the first channel's pixels before.
        spread: their standard deviation.
        scale: pixels of the image along one pixel of the view.
        corner: (x, y) of the view's first pixel in the image, its own centre.
        drift: largest shift of a line, in pixels, that was removed; 0 for none.
    """

    channels: Tensor
    mask: Tensor | None
    mean: float
    spread: float
    scale: int
    corner: tuple[float, float]
    drift: float = 0.0

    @property
    def grey(self) -> Tensor:
        """The first channel, (H, W)."""
        return self.channels[0]

    def without(self, unknown: Tensor) -> View:
        """The same with more pixels unknown, (H, W)."""
        known = (~unknown if self.mask is None else self.mask & ~unknown).numpy()
        values = self.channels.double().numpy()
        mean = values[:, known].mean(-1)
        values = _filled(values - mean[:, None, None], known)
        spread = float(values[0][known].std()) or 1.0
        channels = torch.from_numpy((values / spread).astype(np.float32))
        mean_before = self.mean + self.spread * float(mean[0])
        mask = torch.from_numpy(known)
        return replace(self, channels=channels, mask=mask, mean=mean_before, spread=self.spread * spread)


def as_pixels(image: Any, mask: Any = None) -> Pixels:
    """Channels (C, H, W) in the image's own type, and which pixels are known.

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
    most = float(np.abs(channels[:, ~unknown]).max())
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
        low, high = (float(v) for v in np.partition(sample, (n, sample.size - 1 - n))[[n, sample.size - 1 - n]])
        reach = _HOT_RANGES * (high - low)
        beyond = ((channel < low - reach) | (channel > high + reach)) & ~unknown
        if high > low and beyond.sum() <= few:
            hot |= beyond
    return hot


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


def whole(pixels: Pixels) -> View:
    """The image at its own scale."""
    return _view(pixels.channels, pixels.known, 1, pixels.corner)


def reduced(pixels: Pixels) -> View:
    """The image, reduced until it fits; each pixel is the mean of the known pixels of a block."""
    n = -(-max(pixels.shape) // LARGEST)
    height, width = (side // n for side in pixels.shape)

    def blocks(values: NDArray[Any]) -> NDArray[Any]:
        return values[..., : height * n, : width * n].reshape(*values.shape[:-2], height, n, width, n)

    x, y = pixels.corner
    corner = (x + (n - 1) / 2, y + (n - 1) / 2)
    if pixels.known is None:
        return _view(blocks(pixels.channels).mean((-3, -1), dtype=np.float64), None, n, corner)
    known = blocks(pixels.known)
    share = known.mean((-3, -1))
    sums = blocks(np.where(pixels.known, pixels.channels, 0)).mean((-3, -1), dtype=np.float64)
    return _view(sums / np.maximum(share, 1e-9), share >= 0.5, n, corner)


def middle(pixels: Pixels) -> View:
    """The middle of the image at its own scale."""
    y, x = (max(0, (side - LARGEST) // 2) for side in pixels.shape)
    return whole(pixels.cut(slice(y, y + LARGEST), slice(x, x + LARGEST)))


def _view(channels: NDArray[Any], known: NDArray[np.bool_] | None, scale: int, corner: tuple[float, float]) -> View:
    values = channels.astype(np.float64)
    if known is not None:
        values = np.where(known, values, 0.0)
    size = np.abs(values).max() or 1.0  # so that squares stay within range in any unit
    inside = values.reshape(len(values), -1) if known is None else values[:, known]
    mean = (inside / size).mean(-1)
    values = values / size - mean[:, None, None]
    if known is not None:
        values = _filled(values, known)
    if len(values) > 1:
        values, mean = _components(values, mean)
    spread = float(values[0].std() if known is None else values[0][known].std()) or 1.0
    tensor = torch.from_numpy((values / spread).astype(np.float32))
    few = known is None or known.mean() >= 1 - _FEW
    mask = None if few else torch.from_numpy(known)
    return View(tensor, mask, float(mean[0] * size), float(spread * size), scale, corner)


def _filled(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill unknown pixels with the average of known ones nearby; far from any, with the mean of all, 0."""
    weight = gaussian_filter(known.astype(np.float64), _REACH, truncate=6)
    around = np.stack([gaussian_filter(np.where(known, v, 0.0), _REACH, truncate=6) for v in values])
    return np.where(known, values, around / np.maximum(weight, 1e-6))


def _components(
    values: NDArray[np.float64], mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Principal components of the channels (C, H, W), strongest first, without negligible ones; and their means.

    A pattern in colours of equal brightness has no contrast in luminance, so principal components are used. Weak
    ones are raised to the root of their power: an operation that only weak colours break is broken.
    """
    flat = values.reshape(len(values), -1)
    power, mixtures = np.linalg.eigh(flat @ flat.T)
    count = max(1, int((power > _WEAK * power.sum()).sum()))
    kept, power = mixtures.T[::-1][:count], power[::-1][:count]
    signs = np.where(kept @ _LUMINANCE < 0, -1.0, 1.0)
    kept = kept * (signs / np.abs(kept[0]).sum())[:, None]  # of equal channels their mean
    kept = kept * (power / power[0])[:, None] ** -0.25
    return (kept @ flat).reshape(-1, *values.shape[1:]), kept @ mean
