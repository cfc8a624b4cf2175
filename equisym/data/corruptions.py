"""Corruptions as microscopes and cameras make them, at five severities each, in the manner of ImageNet-C.

Every corruption is a function of (images, severity, random generator); :class:`Corruption` seeds it. Images are
float tensors in 0..1 before and after. Lengths are fractions of the image's side, so that a severity means the same
at every size.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

CORRUPTIONS: dict[str, Callable[[Tensor, int, np.random.Generator], Tensor]] = {}
"""The corruptions by name."""


@dataclass(frozen=True)
class Corruption:
    """A corruption at a severity; usable as ``WallpaperDataset(..., corrupt=Corruption("dose", 3))``.

    Args:
        name: one of ``CORRUPTIONS``.
        severity: 1 (mild) to 5 (severe).

    Shape:
        (C, H, W) or (B, C, H, W) in 0..1 to the same. Image k of a batch is drawn from (seed, k).

    Raises:
        ValueError: if the name or the severity is unknown.

    >>> image = torch.full((1, 32, 32), 0.5)
    >>> noisy = Corruption("gaussian_noise", 3)(image, seed=0)
    >>> noisy.shape, torch.equal(noisy, Corruption("gaussian_noise", 3)(image, seed=0))
    (torch.Size([1, 32, 32]), True)
    """

    name: str
    severity: int = 3

    def __post_init__(self) -> None:
        if self.name not in CORRUPTIONS:
            raise ValueError(f"corruption must be one of {', '.join(CORRUPTIONS)} (got {self.name!r})")
        if self.severity not in range(1, 6):
            raise ValueError(f"severity must be a whole number from 1 to 5 (got {self.severity!r})")

    def __call__(self, images: Tensor, *, seed: int | tuple[int, ...] = 0) -> Tensor:
        """Corrupt images; the same seed gives the same result."""
        if images.ndim == 3:
            return self(images[None], seed=seed)[0]
        if images.ndim != 4:
            raise ValueError(f"images must have shape (C, H, W) or (B, C, H, W) (got {tuple(images.shape)})")
        seeds = (seed,) if isinstance(seed, int) else tuple(seed)
        apply = CORRUPTIONS[self.name]
        generators = [np.random.default_rng(np.random.SeedSequence((*seeds, k))) for k in range(len(images))]
        done = [apply(x, self.severity - 1, rng) for x, rng in zip(images, generators, strict=True)]
        return torch.stack(done).clamp_(0, 1)


def _corruption(function: Callable[[Tensor, int, np.random.Generator], Tensor]):
    CORRUPTIONS[function.__name__] = function
    return function


def _like(values: np.ndarray, x: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(x)


@_corruption
def gaussian_noise(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Detector noise, independent per pixel: standard deviations 0.04, 0.08, 0.12, 0.2, 0.3."""
    return x + (0.04, 0.08, 0.12, 0.2, 0.3)[severity] * _like(rng.standard_normal(x.shape), x)


@_corruption
def dose(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Poisson counts at 200, 80, 40, 20 or 10 electrons per pixel at full intensity."""
    electrons = (200, 80, 40, 20, 10)[severity]
    return _like(rng.poisson(electrons * x.double().clamp(0, 1).cpu().numpy()) / electrons, x)


@_corruption
def defocus(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Blur by a disc (a lens out of focus) of radius 1, 2, 3, 4 or 6 parts in 256 of the side, 3/4 pixel at least."""
    del rng
    radius = max(0.75, (1, 2, 3, 4, 6)[severity] / 256 * x.shape[-1])
    reach = math.ceil(radius)
    k = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    disc = (radius + 0.5 - torch.hypot(k[:, None], k[None, :])).clamp(0, 1)
    kernel = (disc / disc.sum()).expand(len(x), 1, -1, -1)
    padded = functional.pad(x[None], (reach,) * 4, mode="reflect")
    return functional.conv2d(padded, kernel, groups=len(x))[0]


@_corruption
def illumination(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """A brightness gradient across the field: a factor from 1 - a to 1 + a, a = 0.15, 0.3, 0.45, 0.6, 0.8."""
    turn = rng.uniform(0, 2 * math.pi)
    u, v = unit_grid(x)
    ramp = (math.cos(turn) * u + math.sin(turn) * v) / (abs(math.cos(turn)) + abs(math.sin(turn)))
    return x * (1 + (0.15, 0.3, 0.45, 0.6, 0.8)[severity] * ramp)


@_corruption
def contamination(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Smooth bright or dark blotches: 2, 4, 6, 9, 13 of them, up to 0.5 high."""
    u, v = unit_grid(x)
    total = torch.zeros_like(u)
    for _ in range((2, 4, 6, 9, 13)[severity]):
        (cx, cy), radius = rng.uniform(-1, 1, 2), rng.uniform(0.06, 0.25)
        height = rng.uniform(0.2, 0.5) * rng.choice([-1, 1])
        total += height * torch.exp(-((u - cx).square() + (v - cy).square()) / (2 * radius**2))
    return x + total


@_corruption
def scan_distortion(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Slow scan: shear and accelerating drift up to 1, 2, 3, 4, 6 % of the side, lines jittered by a tenth of it."""
    amount = 2 * (0.01, 0.02, 0.03, 0.04, 0.06)[severity]
    u, v = unit_grid(x)
    shear, stretch, bend_x, bend_y = rng.uniform(-amount, amount, 4)
    jitter = _like(rng.standard_normal((x.shape[-2], 1)), x) * amount / 10
    return warp(x, u + shear * v + bend_x * v.square() + jitter, v + stretch * v + bend_y * v.square())


@_corruption
def affine_strain(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """A uniform strain of 1, 2, 3, 5 or 8 % along a random direction, and the opposite strain across it."""
    strain, turn = (0.01, 0.02, 0.03, 0.05, 0.08)[severity], rng.uniform(0, math.pi)
    u, v = unit_grid(x)
    c, s = strain * math.cos(2 * turn), strain * math.sin(2 * turn)
    return warp(x, u + c * u + s * v, v + s * u - c * v)


@_corruption
def point_defects(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Vacancies (the local contrast vanishes) and substitutions (it doubles) on 1, 2, 4, 7 or 12 % of the field."""
    radius = 1 / 12  # of the half side
    count = max(1, round((0.01, 0.02, 0.04, 0.07, 0.12)[severity] * 4 / (2 * math.pi * radius**2)))
    u, v = unit_grid(x)
    gain = torch.ones_like(u)
    centres, kinds = rng.uniform(-1, 1, (count, 2)), rng.choice([-1.0, 1.0], count)
    for (cx, cy), kind in zip(centres, kinds, strict=True):
        squared = (u - cx).square() + (v - cy).square()
        gain += kind * torch.exp(-squared.square() / (2 * radius**4))
    mean = x.mean((-2, -1), keepdim=True)
    return mean + (x - mean) * gain.clamp(0, 2)


@_corruption
def contrast(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Gamma of 1.3, 1.6, 2, 2.5 or 3 or its inverse, and the negative in every second image."""
    gamma = (1.3, 1.6, 2.0, 2.5, 3.0)[severity] ** rng.choice([-1, 1])
    x = x.clamp(0, 1) ** gamma
    return 1 - x if rng.random() < 0.5 else x


@_corruption
def eight_bit(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """Rounding to 8 bits of a signal that fills only 1/8, 1/16, 1/24, 1/32 or 1/64 of the range."""
    del rng
    levels = 255 / (8, 16, 24, 32, 64)[severity]
    return torch.round(x * levels) / levels


@_corruption
def jpeg(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """JPEG at quality 80, 50, 30, 15 or 7, 8-bit rounding included."""
    from PIL import Image

    del rng
    pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
        buffer, "JPEG", quality=(80, 50, 30, 15, 7)[severity]
    )
    decoded = np.asarray(Image.open(buffer)).reshape(pixels.shape)
    return _like(decoded.transpose(2, 0, 1) / 255, x)


@_corruption
def partial_field(x: Tensor, severity: int, rng: np.random.Generator) -> Tensor:
    """A round aperture, black outside: 70, 55, 40, 30 or 20 % of the image's area stays visible."""
    radius = math.sqrt(4 * (0.7, 0.55, 0.4, 0.3, 0.2)[severity] / math.pi)
    cx, cy = rng.uniform(-1, 1, 2) * max(0.0, 1 - radius)
    u, v = unit_grid(x)
    return x * (torch.hypot(u - cx, v - cy) <= radius)


def unit_grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of the pixels from -1 to 1 over the image, x and y."""
    rows, columns = (torch.linspace(-1, 1, n, dtype=x.dtype, device=x.device) for n in x.shape[-2:])
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    return u, v


def warp(x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Sample an image at other positions, in the coordinates of :func:`unit_grid`; mirrored beyond its border."""
    grid = torch.stack((u, v), -1)[None]
    return functional.grid_sample(x[None], grid, mode="bicubic", padding_mode="reflection", align_corners=True)[0]
