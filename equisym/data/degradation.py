"""Random mixtures of the faults of micrographs, for training: from a clean image to all faults at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.data.corruptions import CORRUPTIONS, unit_grid, warp


@dataclass(frozen=True)
class Degradation:
    """Strain, line jitter, blur, vacant patches, shading, blotches, noise and counts, each with some probability.

    Usable as ``WallpaperDataset(..., corrupt=Degradation())``. One image in four stays as it is, one in four gets
    every fault, and in the rest each fault is present with probability one third.

    Args:
        strain: largest stretch along one direction, as a fraction.
        jitter: largest standard deviation of the lines' shifts, in pixels.
        blur: largest standard deviation of the blur, in pixels.
        vacant: largest fraction of the field without pattern.
        noise: largest standard deviation of the pixel noise, for images in 0..1; drawn log-uniformly from a
            fortieth of it on.

    Shape:
        (C, H, W) in 0..1 to the same, not clipped: detectors have offsets.

    >>> image = torch.rand(1, 32, 32)
    >>> torch.equal(Degradation()(image, seed=3), Degradation()(image, seed=3))
    True
    """

    strain: float = 0.07
    jitter: float = 1.0
    blur: float = 1.6
    vacant: float = 0.12
    noise: float = 0.45

    def __call__(self, image: Tensor, *, seed: int | tuple[int, ...] = 0) -> Tensor:
        """Degrade one image; the same seed gives the same result."""
        seeds = (seed,) if isinstance(seed, int) else tuple(seed)
        rng = np.random.default_rng(np.random.SeedSequence((*seeds, 17)))
        chance = float(rng.choice([0, 1 / 3, 1 / 3, 1]))
        faults = (self._move, self._blur, self._vacate, _shade, _blotch, self._noise)
        for fault in faults:
            if rng.random() < chance:
                image = fault(image, rng)
        return image

    def _move(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Stretch along one direction, tilt of the scan axis, and line jitter."""
        size = x.shape[-1]
        u, v = unit_grid(x)
        turn, stretch = rng.uniform(0, math.pi), rng.uniform(-self.strain, self.strain)
        along = (math.cos(turn) * u + math.sin(turn) * v) * stretch
        shift = rng.standard_normal((x.shape[-2], 1)) * rng.uniform(0, self.jitter) * 2 / size
        return warp(x, u + along * math.cos(turn) + torch.from_numpy(shift).to(x), v + along * math.sin(turn))

    def _blur(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        sigma = rng.uniform(0.2, self.blur)
        reach = math.ceil(3 * sigma)
        k = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
        kernel = torch.exp(-0.5 * (k / sigma).square())
        kernel = kernel / kernel.sum()
        padded = functional.pad(x[:, None], (reach,) * 4, mode="reflect")
        rows = functional.conv2d(padded, kernel[None, None, :, None])
        return functional.conv2d(rows, kernel[None, None, None])[:, 0]

    def _vacate(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Discs without pattern, filled with the mean or another grey level."""
        u, v = unit_grid(x)
        count = int(rng.integers(1, 8))
        radius = math.sqrt(4 * rng.uniform(0.01, self.vacant) / (math.pi * count))
        mean = x.mean((-2, -1), keepdim=True)
        grey = mean if rng.random() < 0.5 else torch.full_like(mean, rng.uniform(0, 1))
        for cx, cy in rng.uniform(-1, 1, (count, 2)):
            inside = torch.sigmoid((radius - torch.hypot(u - cx, v - cy)) * x.shape[-1] / 2)
            x = x + (grey - x) * inside
        return x

    def _noise(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        if rng.random() < 0.2:
            return CORRUPTIONS["dose"](x, int(rng.integers(0, 5)), rng)
        sigma = math.exp(rng.uniform(math.log(self.noise / 40), math.log(self.noise)))
        return x + sigma * torch.from_numpy(rng.standard_normal(x.shape)).to(x)


def _shade(x: Tensor, rng: np.random.Generator) -> Tensor:
    """A gradient added or multiplied."""
    u, v = unit_grid(x)
    turn = rng.uniform(0, 2 * math.pi)
    ramp = (math.cos(turn) * u + math.sin(turn) * v) * rng.uniform(0, 0.3)
    return x + ramp if rng.random() < 0.5 else x * (1 + 2 * ramp)


def _blotch(x: Tensor, rng: np.random.Generator) -> Tensor:
    return CORRUPTIONS["contamination"](x, int(rng.integers(0, 3)), rng)
