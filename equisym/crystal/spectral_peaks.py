"""Peaks of an image's power spectrum, with their power and their height above the background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from equisym.crystal.autocorrelate import detrend, squared_modulus
from equisym.crystal.shifts import Array

LOWEST = 5.0  # bins, of one over the side: below, blotches and shading have peaks
_HANN = 0.1808  # standard deviation of a Hann window of length 1
_SPAN, _CORE = 12, 3  # bins on either side of a peak: its background is looked for within one and beyond the other


@dataclass(frozen=True)
class SpectralPeaks:
    """Peaks of a spectrum, the strongest first, one of each pair q and -q.

    Attributes:
        position: frequencies in cycles per pixel, x and y, (n, 2).
        power: under each peak and its twin, as a part of the image's variance, (n,).
        sharpness: height over that of the background around, (n,); infinite where it was not asked for.
    """

    position: Array
    power: Array
    sharpness: Array

    def median(self, values: Array) -> float:
        """Of one value for each, that below which half of their power is."""
        order = np.argsort(values)
        power = np.cumsum(self.power[order])
        return float(values[order][np.searchsorted(power, power[-1] / 2)])

    def __len__(self) -> int:
        return len(self.power)

    def __getitem__(self, which: NDArray | slice) -> SpectralPeaks:
        return SpectralPeaks(self.position[which], self.power[which], self.sharpness[which])


class PowerSpectrum:
    """Power of an image's waves, without trend and under a Hann window, in bins of one over the side.

    Args:
        image: grey image, (H, W).
        mask: which pixels are known, (H, W); all if not given.
        variance: the unit of power; that of the image if not given.

    Attributes:
        broadening: times that peaks are wider than without a mask, along the direction in which it leaves least.
    """

    def __init__(self, image: Tensor, mask: Tensor | None = None, *, variance: float | None = None) -> None:
        self.height, self.width = image.shape
        flat = detrend(image.detach().float(), 2, mask)
        rows, columns = (torch.hann_window(n + 2, periodic=False)[1:-1].to(flat) for n in image.shape)
        window = torch.outer(rows, columns)
        if mask is not None:
            soft = gaussian_filter(mask.double().cpu().numpy(), 0.03 * min(image.shape), mode="constant")
            window = window * torch.from_numpy(np.maximum(2 * soft - 1, 0)).to(flat) * mask
        self.broadening = 1.0 if mask is None else _broadening(window.double().cpu().numpy())
        self.variance = float((flat.square() * window).sum() / window.sum()) if variance is None else variance
        unit = max(self.variance, 1e-30) * float(window.square().sum()) * image.numel() / 2  # of the pair q and -q
        power = squared_modulus(torch.fft.rfft2(flat * window)) / unit
        # a column of the other half on either side, so that every bin has its neighbours
        left = torch.roll(power[:, 1].flip(0), 1, 0)
        right = torch.roll(power[:, (self.width - 1) // 2].flip(0), 1, 0)
        self.power: NDArray[np.float32] = torch.cat((left[:, None], power, right[:, None]), 1).cpu().numpy()

    def maxima(self, lowest: float = LOWEST) -> SpectralPeaks:
        """All local maxima from so many bins on, with positions between the bins."""
        every = self._maxima
        return every[np.hypot(*(every.position * (self.width, self.height)).T) >= lowest]

    @cached_property
    def _maxima(self) -> SpectralPeaks:
        power = self.power
        across = np.maximum(np.maximum(power[:, :-2], power[:, 2:]), power[:, 1:-1])
        highest = np.maximum(np.maximum(np.roll(across, 1, 0), np.roll(across, -1, 0)), across)
        row, column = np.nonzero((power[:, 1:-1] == highest) & (power[:, 1:-1] > 0))
        y = (row + self.height // 2) % self.height - self.height // 2
        kept = ((column > 0) | (y > 0)) & ((2 * column < self.width) | (y >= 0))
        row, column, y = row[kept], column[kept], y[kept]
        near = np.arange(-1, 2)
        patch = power[(row[:, None, None] + near[:, None]) % self.height, column[:, None, None] + 1 + near]
        root = np.sqrt(patch)
        dx, dy = _between(root[:, 1]), _between(root[:, :, 1])
        position = np.stack(((column + dx) / self.width, (y + dy) / self.height), -1).astype(float)
        total = patch.sum((1, 2), dtype=float)
        order = np.argsort(-total, kind="stable")
        return SpectralPeaks(position[order], total[order], np.full(len(order), np.inf))

    def at(self, x: NDArray, y: NDArray) -> NDArray[np.float32]:
        """Power in bins of any whole numbers."""
        x = (x + self.width // 2) % self.width - self.width // 2
        turned = x < 0
        return self.power[np.where(turned, -y, y) % self.height, np.abs(x) + 1]

    def sharpness(self, position: Array) -> Array:
        """Height at frequencies (n, 2) over the background: the greatest of medians around, along the row and column.

        Lines of a scan that jitter leave streaks, which no peak of their own stands out of.
        """
        x, y = np.rint(position * (self.width, self.height)).astype(int).T
        span = np.arange(-_SPAN, _SPAN + 1)
        patch = self.at(x[:, None, None] + span, y[:, None, None] + span[:, None])
        off = np.maximum(np.abs(span), np.abs(span)[:, None])
        line = span == 0
        parts = (off > _CORE, (off > _CORE) & (off <= 2 * _CORE), line & (off > _CORE), line[:, None] & (off > _CORE))
        background = np.maximum.reduce([_median(patch[:, part]) for part in parts])
        return patch[:, _SPAN, _SPAN] / np.maximum(background, 1e-12)


def _broadening(window: NDArray[np.float64]) -> float:
    """Spread of a Hann window over that of a window, each in parts of the image's sides, where that is least."""
    total = window.sum()
    if total <= 0:
        return np.inf
    y, x = (np.linspace(-0.5, 0.5, n) for n in window.shape)
    down, across = window.sum(1), window.sum(0)
    middle = np.array([across @ x, down @ y]) / total
    xy = float(y @ window @ x) / total
    spread = np.array([[across @ x**2 / total, xy], [xy, down @ y**2 / total]]) - np.outer(middle, middle)
    return float(_HANN / np.sqrt(max(np.linalg.eigvalsh(spread)[0], 1e-12)))


def _median(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The middle of each row."""
    middle = values.shape[1] // 2
    return np.partition(values, middle, -1)[:, middle]


def _between(root: NDArray[np.floating]) -> NDArray[np.floating]:
    """Where between the bins a wave lies, from the amplitudes (n, 3) of a Hann window's bins around the highest."""
    side = np.where(root[:, 2] >= root[:, 0], 1.0, -1.0)
    ratio = np.maximum(root[:, 2], root[:, 0]) / np.maximum(root[:, 1], 1e-30)
    return side * np.clip((2 * ratio - 1) / (1 + ratio), 0, 0.5)
