"""The view: the part of an image that is analysed, at the scale of the analysis, without its mean and colours apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from equisym.predict.preprocessing import LUMINANCE, Pixels

LARGEST = 1024  # pixels along a side; larger images are reduced or cropped
_WEAK = 0.01  # of the variance of all channels: weaker components are dropped
_RAISED = 0.5  # power to which a component's variance is raised, over the first's
_FEW = 1e-3  # of the pixels: up to this many are filled from their neighbours rather than masked
_REACH = 2.0  # pixels: width of the local average that fills unknown pixels


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
        perspective: magnification along x and y from edge to edge, less one, that was removed.
        expected: basis of the lattice that is expected, in pixels of the view.
        window: whether it is one of many of an image, each of which shows too little of a perspective to look for.
    """

    channels: Tensor
    mask: Tensor | None
    mean: float
    spread: float
    scale: int
    corner: tuple[float, float]
    drift: float = 0.0
    perspective: tuple[float, float] = (0.0, 0.0)
    expected: NDArray[np.float64] | None = None
    window: bool = False

    @property
    def grey(self) -> Tensor:
        """The first channel, (H, W)."""
        return self.channels[0]

    @property
    def shares(self) -> list[float]:
        """Of the variance of all channels, as they were before weak ones were raised."""
        power = [float(channel.var()) ** (1 / _RAISED) for channel in self.channels]
        return [p / sum(power) for p in power]

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Where it lies in the image, in pixels: x and y of its first pixel, width and height."""
        height, width = self.grey.shape
        x, y = (round(at - (self.scale - 1) / 2) for at in self.corner)
        return x, y, width * self.scale, height * self.scale

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

    def cut(self, rows: slice, columns: slice) -> View:
        """A part of it, with its mean and spread as they are."""
        x, y = self.corner
        corner = (x + self.scale * columns.start, y + self.scale * rows.start)
        mask = None if self.mask is None else self.mask[rows, columns]
        return replace(self, channels=self.channels[:, rows, columns].contiguous(), mask=mask, corner=corner)


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
    signs = np.where(kept @ LUMINANCE < 0, -1.0, 1.0)
    kept = kept * (signs / np.abs(kept[0]).sum())[:, None]  # of equal channels their mean
    kept = kept * (power / power[0])[:, None] ** ((_RAISED - 1) / 2)
    return (kept @ flat).reshape(-1, *values.shape[1:]), kept @ mean
