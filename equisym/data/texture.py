"""What fills the asymmetric unit: a continuous function of the position in pixels, one kind per image family."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.data.cell import Cell
from equisym.data.photographs import Photographs
from equisym.groups import WallpaperGroup
from equisym.groups.asymmetric_unit import fold


class Texture(Protocol):
    """A function on the asymmetric unit."""

    def __call__(self, points: Tensor) -> Tensor:
        """Values at positions in pixels from the cell's origin; (N, 2) -> (channels, N)."""
        ...


@dataclass(frozen=True)
class RasterTexture:
    """A raster read bilinearly; positions outside take the border's value.

    Attributes:
        raster: values, shape (channels, rows, columns).
        matrix: pixels of the image to (column, row) of the raster, shape (2, 2).
        offset: (column, row) at the cell's origin.
    """

    raster: Tensor
    matrix: Tensor
    offset: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        _, rows, columns = self.raster.shape
        scale = torch.tensor([columns - 1, rows - 1], dtype=points.dtype) / 2
        grid = (points @ self.matrix.to(points).T + self.offset.to(points)) / scale - 1
        raster = self.raster.to(points.dtype)[None]
        values = functional.grid_sample(raster, grid[None, None], padding_mode="border", align_corners=True)
        return values[0, :, 0]


@dataclass(frozen=True)
class AtomTexture:
    """A sum of round Gaussian atoms.

    Attributes:
        centres: positions in pixels from the cell's origin, shape (n, 2).
        radii: standard deviations in pixels, shape (n,).
        weights: peak heights, shape (channels, n).
    """

    centres: Tensor
    radii: Tensor
    weights: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        squared = (points[:, None] - self.centres.to(points)).square().sum(-1)
        return self.weights.to(points) @ torch.exp(-0.5 * squared / self.radii.to(points).square()).T


def _unit_box(group: WallpaperGroup, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Lower corner and extent, in pixels, of a box that holds the asymmetric unit."""
    steps = torch.linspace(0, 1, 25, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    points = fold(grid, group).numpy() @ cell.basis.T
    low, high = points.min(0), points.max(0)
    return low - 0.05 * (high - low), 1.1 * (high - low)


def noise_texture(
    group: WallpaperGroup, cell: Cell, rng: np.random.Generator, *, channels: int, correlation: tuple[float, float]
) -> RasterTexture:
    """Random values on a grid, read smoothly: independent per pixel, or correlated over a random length.

    Args:
        group: the wallpaper group, for the extent of its asymmetric unit.
        cell: the cell, likewise.
        rng: source of randomness.
        channels: 1 for grey, 3 for colour.
        correlation: least and greatest pitch of the random values, in pixels; drawn log-uniformly.
    """
    low, extent = _unit_box(group, cell)
    pitch = math.exp(rng.uniform(*np.log(correlation)))
    columns, rows = (int(n) for n in np.ceil(extent / pitch) + 4)
    values = torch.from_numpy(rng.random((1, channels, rows, columns), dtype=np.float32))
    finer = 1 if pitch <= 1 else 4
    if finer > 1:
        shape = ((rows - 1) * finer + 1, (columns - 1) * finer + 1)
        values = functional.interpolate(values, shape, mode="bicubic", align_corners=True)
    offset = -low / pitch + rng.uniform(0.5, 2.0, 2)
    return RasterTexture(values[0], torch.eye(2) * finer / pitch, torch.from_numpy(offset * finer).float())


def photo_texture(
    group: WallpaperGroup, cell: Cell, rng: np.random.Generator, *, channels: int, photographs: Photographs
) -> RasterTexture:
    """A patch of a photograph, turned and scaled at random, never enlarged beyond twice its own resolution."""
    low, extent = _unit_box(group, cell)
    photo = photographs.draw(rng, channels)
    rows, columns = photo.shape[1:]
    reach = math.hypot(*extent)
    largest = min(4.0, (min(rows, columns) - 2) / reach)
    scale = math.exp(rng.uniform(math.log(min(0.5, largest)), math.log(largest)))
    if scale > 1:  # average down first, so that one pixel of the image never skips pixels of the photograph
        shape = (max(2, round(rows / scale)), max(2, round(columns / scale)))
        photo = functional.interpolate(photo[None], shape, mode="area")[0]
        rows, columns = shape
        scale = 1.0
    turn = rng.uniform(0, 2 * math.pi)
    matrix = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    half = scale * reach / 2
    centre = [rng.uniform(min(half, n / 2), max(n - 1 - half, n / 2)) for n in (columns, rows)]
    offset = centre - matrix @ (low + extent / 2)
    return RasterTexture(photo, torch.from_numpy(matrix).float(), torch.from_numpy(offset).float())


def atom_texture(group: WallpaperGroup, cell: Cell, rng: np.random.Generator, *, channels: int) -> AtomTexture:
    """One to eight kinds of atom at general positions, with random radii and heights, bright on dark or the reverse."""
    low, extent = _unit_box(group, cell)
    side = math.sqrt(abs(np.linalg.det(cell.basis)) / (2 if group.centred else 1))
    kinds = int(rng.integers(1, 9))
    radii = side * np.exp(rng.uniform(math.log(0.04), math.log(0.16), kinds))
    radii = np.maximum(radii, 0.8)  # narrower atoms than that fall between the pixels
    weights = rng.uniform(0.3, 1.0, (channels, kinds)) * rng.choice([-1.0, 1.0])
    orbit = np.stack([op(rng_point) for rng_point in rng.uniform(0, 1, (kinds, 2)) for op in group.operations])
    orbit = orbit.reshape(kinds, group.order, 2) % 1
    shifts = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], dtype=float)
    centres = (orbit[:, :, None] + shifts).reshape(kinds, -1, 2) @ cell.basis.T
    gap = np.abs(centres - (low + extent / 2)) - extent / 2
    near = np.linalg.norm(np.maximum(gap, 0), axis=-1) < 5 * radii[:, None]
    kind = np.nonzero(near)[0]
    return AtomTexture(
        torch.from_numpy(centres[near]), torch.from_numpy(radii[kind]), torch.from_numpy(weights[:, kind])
    )
