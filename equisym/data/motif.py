"""Motifs, which fill the asymmetric unit: continuous functions of the position in pixels, one kind per family."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equisym.data.bravais import Cell
from equisym.data.photographs import Photographs
from equisym.groups import WallpaperGroup
from equisym.groups.asymmetric_unit import fold


@dataclass(frozen=True)
class RasterTexture:
    """Values on a grid with bilinear interpolation; outside, the border's values continue.

    Attributes:
        values: shape (channels, rows, columns).
        matrix: pixels of the image to (column, row) of the grid, shape (2, 2).
        offset: (column, row) at the cell's origin, shape (2,).
    """

    values: Tensor
    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def raster(self) -> RasterTexture:
        """Itself."""
        return self

    def __call__(self, points: Tensor) -> Tensor:
        """Values at positions in pixels from the cell's origin; (N, 2) -> (channels, N)."""
        x, y = points.unbind(-1)
        return self.sample(x[None], y[None], np.eye(2))[:, 0]

    def sample(self, u: Tensor, v: Tensor, basis: NDArray[np.float64]) -> Tensor:
        """Values at fractional coordinates of a cell with this basis; two (rows, columns) -> (channels, rows, columns).

        Two coordinate arrays and one fused affine map are twice as fast as interleaved points.
        """
        m, c = self.normalised(basis)
        grid = torch.empty((2, *u.shape), dtype=u.dtype, device=u.device)
        for plane, row, shift in zip(grid, m, c, strict=True):
            torch.add(u * row[0], v, alpha=row[1], out=plane).add_(shift)
        values = self.values.to(u)[None]
        grid = grid.permute(1, 2, 0)[None]
        return functional.grid_sample(values, grid, padding_mode="border", align_corners=True)[0]

    def normalised(self, basis: NDArray[np.float64], shape: tuple[int, int] | None = None) -> tuple[list, list]:
        """Matrix and offset from fractional coordinates to -1..1 over a grid of this shape (rows, columns)."""
        rows, columns = shape or self.values.shape[1:]
        scale = np.array([2 / (columns - 1), 2 / (rows - 1)])
        return (scale[:, None] * (self.matrix @ basis)).tolist(), (scale * self.offset - 1).tolist()


@dataclass(frozen=True)
class AtomTexture:
    r"""A sum of round atoms, each a Gaussian core with a halo twice as wide.

    .. math:: t(p) = \sum_i w_i \left[(1 - h_i)\, e^{-\rho_i^2 / 2} + h_i\, e^{-\rho_i^2 / 8}\right],
        \quad \rho_i = |p - c_i| / r_i

    Attributes:
        centres: positions c in pixels from the cell's origin, shape (n, 2).
        radii: core radii r in pixels, shape (n,).
        weights: peak heights w, shape (channels, n).
        halos: shares h of the halo, shape (n,); negative ones sharpen the core.
        low: lower corner of a box that holds the asymmetric unit, in pixels, shape (2,).
        extent: its sides, shape (2,).
    """

    centres: Tensor
    radii: Tensor
    weights: Tensor
    halos: Tensor
    low: NDArray[np.float64]
    extent: NDArray[np.float64]

    def __call__(self, points: Tensor) -> Tensor:
        """Values at positions in pixels from the cell's origin, summed atom by atom; (N, 2) -> (channels, N)."""
        squared = (points[:, None] - self.centres.to(points)).square().sum(-1) / self.radii.to(points).square()
        halos = self.halos.to(points)
        profiles = (1 - halos) * torch.exp(-squared / 2) + halos * torch.exp(-squared / 8)
        return self.weights.to(points) @ profiles.T

    @cached_property
    def raster(self) -> RasterTexture:
        """The sum, sampled on a grid of a tenth of the smallest radius: within 0.2 % of the peak of the exact sum.

        A Gaussian factors into x and y, so the whole grid costs one matrix product.
        """
        pitch = float(self.radii.min()) / 10
        shape = np.maximum(np.ceil(self.extent / pitch), 2).astype(int) + 1
        steps = [torch.from_numpy(low + pitch * np.arange(n)).float() for low, n in zip(self.low, shape, strict=True)]
        radii = torch.cat([self.radii, 2 * self.radii]).float()[:, None]
        heights = torch.cat([self.weights * (1 - self.halos), self.weights * self.halos], 1).float()
        centres = self.centres.float().repeat(2, 1)
        along_x, along_y = (
            torch.exp(-0.5 * ((axis - centres[:, k, None]) / radii).square()) for k, axis in enumerate(steps)
        )
        values = torch.stack([(along_y.T * height) @ along_x for height in heights])
        return RasterTexture(values, np.eye(2) / pitch, -self.low / pitch)


Texture = RasterTexture | AtomTexture  # a function on the asymmetric unit, and a raster that images are read from


def unit_box(group: WallpaperGroup, cell: Cell) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower corner and extent, in pixels, of a box that holds the asymmetric unit."""
    points = _unit_points(group) @ cell.basis.T
    low, high = points.min(0), points.max(0)
    return low - 0.05 * (high - low), 1.1 * (high - low)


@lru_cache
def _unit_points(group: WallpaperGroup) -> NDArray[np.float64]:
    """Fractional positions that include the corners of the unit."""
    steps = torch.linspace(0, 1, 25, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    inside = grid * (1 - 1e-9) + 5e-10  # avoid the edges, whose points may fold to either of two images
    return np.unique(fold(torch.cat([grid, inside]), group).numpy().round(6), axis=0)


def noise_texture(
    group: WallpaperGroup,
    cell: Cell,
    rng: np.random.Generator,
    *,
    channels: int,
    correlation: tuple[float, float],
    independent: float,
) -> RasterTexture:
    """Random values on a grid, interpolated: independent per pixel, or correlated over a random length.

    Args:
        group: the wallpaper group, for the extent of its asymmetric unit.
        cell: the cell, for the same reason.
        rng: source of randomness.
        channels: 1 for grey, 3 for colour.
        correlation: smallest and largest pitch of correlated values, in pixels; drawn log-uniformly.
        independent: probability of a pitch of one pixel instead.
    """
    low, extent = unit_box(group, cell)
    pitch = math.exp(rng.uniform(*np.log(correlation))) if rng.random() >= independent else 1.0
    columns, rows = (int(n) for n in np.ceil(extent / pitch) + 4)
    values = torch.from_numpy(rng.random((1, channels, rows, columns), dtype=np.float32))
    finer = math.ceil(1.5 * pitch) if pitch > 1 else 1
    if finer > 1:
        shape = ((rows - 1) * finer + 1, (columns - 1) * finer + 1)
        values = functional.interpolate(values, shape, mode="bicubic", align_corners=True)
    offset = -low / pitch + rng.uniform(0.5, 2.0, 2)
    return RasterTexture(values[0], np.eye(2) * finer / pitch, offset * finer)


def photo_texture(
    group: WallpaperGroup, cell: Cell, rng: np.random.Generator, *, channels: int, photographs: Photographs
) -> RasterTexture:
    """A patch of a photograph, rotated and scaled at random, enlarged at most twofold."""
    low, extent = unit_box(group, cell)
    photograph = photographs.draw(rng, channels)
    reach = math.hypot(*extent)
    largest = min(4.0, (min(photograph.reduced(0).shape[1:]) - 2) / reach)
    scale = math.exp(rng.uniform(math.log(min(0.5, largest)), math.log(largest)))
    level = max(0, math.floor(2 * math.log2(scale)))  # average down first, so that few pixels are skipped
    pixels = photograph.reduced(level)
    scale /= 2 ** (level / 2)
    turn = rng.uniform(0, 2 * math.pi)
    matrix = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    half = scale * reach / 2
    sides = np.array(pixels.shape[:0:-1])  # columns, rows
    centre = np.array([rng.uniform(min(half, n / 2), max(n - 1 - half, n / 2)) for n in sides])
    first = np.maximum(np.floor(centre - half - 1), 0).astype(int)
    last = np.maximum(np.minimum(np.ceil(centre + half + 2), sides).astype(int), first + 2)
    patch = pixels[:, first[1] : last[1], first[0] : last[0]].float() / 255
    return RasterTexture(patch, matrix, centre - first - matrix @ (low + extent / 2))


def atom_texture(group: WallpaperGroup, cell: Cell, rng: np.random.Generator, *, channels: int) -> AtomTexture:
    """One to eight species of random radius, height and shape: bright on dark (HAADF) or dark on bright (ABF).

    The first species has a general position, so that special ones alone do not raise the symmetry; each of the others
    has a special position with probability one third.
    """
    low, extent = unit_box(group, cell)
    side = math.sqrt(abs(np.linalg.det(cell.basis)) / (2 if group.centred else 1))
    kinds = int(rng.integers(1, 9))
    radii = side * np.exp(rng.uniform(math.log(0.04), math.log(0.14), kinds))
    radii = np.maximum(radii, 0.8)  # narrower atoms would fall between the pixels
    weights = rng.uniform(0.3, 1.0, (channels, kinds)) * rng.choice([-1.0, 1.0])
    halos = rng.uniform(-0.2, 0.5, kinds)
    positions, species = [], []
    for kind in range(kinds):
        point = rng.uniform(0, 1, 2)
        if kind and rng.random() < 1 / 3:
            point = special_position(group, point, rng)
        linear, shift = _affine(group)
        orbit = _distinct((linear @ point + shift) % 1)
        positions.append(orbit)
        species.append(np.full(len(orbit), kind))
    return atoms_of(cell, np.concatenate(positions), np.concatenate(species), radii, weights, halos, (low, extent))


def atoms_of(
    cell: Cell,
    positions: NDArray[np.float64],
    species: NDArray[np.int64],
    radii: NDArray[np.float64],
    weights: NDArray[np.float64],
    halos: NDArray[np.float64],
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> AtomTexture:
    """The atoms of one cell and all their translates that reach the box, with radii, weights and halos by species."""
    low, extent = box
    shifts = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), -1).reshape(-1, 2)
    centres = ((positions[:, None] + shifts) @ cell.basis.T).reshape(-1, 2)
    species = np.repeat(species, len(shifts))
    gap = np.maximum(np.abs(centres - (low + extent / 2)) - extent / 2, 0)
    near = (gap * gap).sum(-1) < (9 * radii[species]) ** 2  # halos are below 4e-5 there
    kind = species[near]
    return AtomTexture(
        torch.from_numpy(centres[near]),
        torch.from_numpy(radii[kind]),
        torch.from_numpy(weights[:, kind]),
        torch.from_numpy(halos[kind]),
        low,
        extent,
    )


def special_position(
    group: WallpaperGroup, point: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Move the point onto a mirror or rotation centre of the group, or leave it if the drawn operation has none.

    The mean of a point over the powers of an operation is a fixed point of that operation.
    """
    op = group.operations[rng.integers(group.order)]
    shift = rng.integers(-1, 2, 2)
    images: list[NDArray[np.floating]] = [point]
    for _ in range(op.rotation_order - 1):
        images.append(op(images[-1]) + shift)
    fixed = np.mean(images, 0)
    return fixed if np.allclose(op(fixed) + shift, fixed) else point


@lru_cache
def _affine(group: WallpaperGroup) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear parts (n, 2, 2) and translations (n, 2) of the group's operations."""
    return np.stack([op.matrix for op in group.operations]), np.stack([op.translation for op in group.operations])


def _distinct(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional positions without those that are translates of an earlier one."""
    steps = points[:, None] - points
    same = (np.abs(steps - np.round(steps)) < 1e-6).all(-1)
    return points[~np.tril(same, -1).any(-1)]
