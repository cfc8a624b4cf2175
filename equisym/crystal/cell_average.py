"""The unit cell of an image, averaged over all its repeats on a torus grid, with two independent half sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array
from torch import Tensor

from equisym.crystal.autocorrelate import polynomials

SIZE = 96


@dataclass(frozen=True)
class CellAverage:
    """Unit cells averaged over the repeats of images.

    Attributes:
        cell: the average over all repeats, row along b and column along a, (B, N, N).
        half_sets: the averages over the even and the odd repeats, as on a chessboard, (B, 2, N, N).
        basis: lattice vectors in pixels, columns a and b, (B, 2, 2).
        trend: the smooth background that was subtracted from the images, (B, H, W).
        tiled: the average at each pixel of the images, (B, H, W).
    """

    cell: Tensor
    half_sets: Tensor
    basis: Tensor
    trend: Tensor
    tiled: Tensor

    @property
    def size(self) -> int:
        """N, grid points along a side."""
        return self.cell.shape[-1]

    def frequency(self) -> Tensor:
        """Length of the reciprocal vectors in cycles per pixel, in the order of ``torch.fft.fft2``, (B, N, N)."""
        return self._frequency

    @cached_property
    def _frequency(self) -> Tensor:
        return reciprocal_length(self.basis, self.size)


def reciprocal_length(basis: Tensor, size: int) -> Tensor:
    """Length in cycles per pixel of the reciprocal vectors of a size x size cell grid, (B, size, size)."""
    return _squared_length(basis, size).sqrt()


def _squared_length(basis: Tensor, size: int) -> Tensor:
    k = torch.fft.fftfreq(size, 1 / size, dtype=basis.dtype, device=basis.device)
    (ax, ay), (bx, by) = (row.unbind(-1) for row in torch.linalg.inv(basis)[:, None, None].unbind(-2))  # reciprocal
    return (k * ax + k[:, None] * bx).square() + (k * ay + k[:, None] * by).square()


def average_cell(
    image: Tensor,
    basis: Tensor,
    *,
    size: int = SIZE,
    sharpen: int = 2,
    width: float = 0.45,
    trend_order: int = 2,
    mask: Tensor | None = None,
) -> CellAverage:
    r"""Average an image over its lattice.

    Each pixel is spread over the four grid points around its position in the cell; sums and counts are smoothed over a
    fraction of a pixel, isotropically in the image, and divided. What the smoothing removed is restored,
    and a smooth background fitted, by iterating on the residual: ``c += average(f - trend - c)``.

    Args:
        image: grey images.
        basis: lattice vectors, columns a and b in pixels.
        size: grid points along a side of the cell.
        sharpen: iterations on the residual.
        width: standard deviation of the smoothing, in pixels; 0 for none, which is exact where the lattice vectors
            are whole multiples of the grid.
        trend_order: degree of the background polynomial; 0 for a constant.
        mask: which pixels to average, (H, W); all if not given.

    Shape:
        image ``(B, H, W)``, basis ``(B, 2, 2)``.

    >>> tile = torch.arange(16.0, dtype=torch.float64).reshape(1, 4, 4)
    >>> average = average_cell(tile.repeat(1, 3, 3), torch.eye(2, dtype=torch.float64)[None] * 4, size=4, width=0)
    >>> bool(torch.allclose(average.cell + 7.5, tile))
    True
    """
    batch, height, wide = image.shape
    grid = _Grid(basis, height, wide, size, width)
    flat = image.flatten(-2)
    weight = torch.ones_like(flat) if mask is None else mask.flatten().to(flat).expand_as(flat)
    flat = flat - (flat * weight).sum(-1, keepdim=True) / weight.sum(-1, keepdim=True)
    counts = grid.smooth(grid.spread(weight))
    least = 1e-3 * counts.sum(1, keepdim=True).mean((-2, -1), keepdim=True)  # where no pixel lies
    background = _Background(height, wide, trend_order, image, mask)
    trend = torch.zeros_like(flat)
    half_sets = torch.zeros(batch, 2, size, size, dtype=image.dtype, device=image.device)
    rest = flat * weight
    for step in range(1 + sharpen):
        half_sets = half_sets + grid.smooth(grid.spread(rest)) / torch.maximum(counts, least)
        if step == sharpen:
            break
        seen = grid.gather(half_sets)
        rest = (flat - trend - seen) * weight
        if trend_order:
            trend = trend + background.of(rest)
            rest = (flat - trend - seen) * weight
    counts = counts.clamp(min=0)
    cell = (half_sets * counts).sum(1) / torch.maximum(counts.sum(1), least[:, 0])
    cell = cell - cell.mean((-2, -1), keepdim=True)
    half_sets = half_sets - half_sets.mean((-2, -1), keepdim=True)
    tiled = grid.gather(cell[:, None].expand_as(half_sets))
    return CellAverage(cell, half_sets, basis, trend.reshape(image.shape), tiled.reshape(image.shape))


def tile(cell: NDArray[np.floating], lattice: NDArray[np.float64], x: Any, y: Any) -> NDArray[np.float32]:
    """Values at pixel positions of the periodic image that a cell (row along b, column along a) makes."""
    inverse = np.linalg.inv(lattice) * cell.shape[-1]
    u, v = (row[0] * x + row[1] * y for row in inverse)
    return np.asarray(map_coordinates(cell.astype(np.float32), [v, u], order=1, mode="grid-wrap"), dtype=np.float32)


class _Background:
    """Least squares of polynomials without a constant, on all pixels of an image or on those of a mask."""

    def __init__(self, height: int, wide: int, order: int, like: Tensor, mask: Tensor | None) -> None:
        self.shapes = None if mask is None else (polynomials(height, wide, order, like)[1:] * mask).flatten(1)
        if self.shapes is not None:
            self.inverse = torch.linalg.inv(self.shapes @ self.shapes.T)
            return
        degree = torch.arange(order + 1, device=like.device)
        self.i, self.j = torch.nonzero((degree[:, None] + degree <= order) & (degree[:, None] + degree > 0)).unbind(1)
        self.y, self.x = (
            torch.linspace(-1, 1, n, dtype=like.dtype, device=like.device)[:, None] ** degree for n in (height, wide)
        )
        down, across = ((line.T @ line)[k[:, None], k] for line, k in ((self.y, self.i), (self.x, self.j)))
        self.inverse = torch.linalg.inv(down * across)

    def of(self, flat: Tensor) -> Tensor:
        """The polynomials' share of images (B, pixels), which are 0 outside of the mask."""
        if self.shapes is not None:
            return flat @ self.shapes.T @ self.inverse @ self.shapes
        inner = self.y.T @ flat.unflatten(1, (len(self.y), len(self.x))) @ self.x
        fitted = torch.zeros_like(inner)
        fitted[:, self.i, self.j] = inner[:, self.i, self.j] @ self.inverse
        return (self.y @ fitted @ self.x.T).flatten(1)


class _Grid:
    """Spread pixels onto the cell grids of the two half sets, and read them back, bilinearly."""

    def __init__(self, basis: Tensor, height: int, wide: int, size: int, width: float) -> None:
        self.size = size
        alike = bool((basis == basis[:1]).all())  # the channels of one image
        places = [_Places(one, height, wide, size) for one in basis[: 1 if alike else None]]
        self.places = places * len(basis) if alike else places
        squared = _squared_length(basis, size)[:, None, :, : size // 2 + 1]
        self.transfer = torch.exp(-2 * (torch.pi * width) ** 2 * squared)
        self.width = width

    def spread(self, values: Tensor) -> Tensor:
        """(B, pixels) to (B, 2, N, N): each pixel onto the grid of its half."""
        found = [_Spread.apply(place, place.weights, row) for place, row in zip(self.places, values, strict=True)]
        return torch.stack(found).unflatten(-1, (2, self.size, self.size))  # pyright: ignore[reportArgumentType]

    def gather(self, half_sets: Tensor) -> Tensor:
        """(B, 2, N, N) to (B, pixels), each from the grid of its half."""
        grids = half_sets.flatten(1)
        found = [_Gather.apply(place, place.weights, row) for place, row in zip(self.places, grids, strict=True)]
        return torch.stack(found)  # pyright: ignore[reportArgumentType]

    def smooth(self, cells: Tensor) -> Tensor:
        """Isotropic Gaussian in the image's metric."""
        if self.width == 0:
            return cells
        return torch.fft.irfft2(torch.fft.rfft2(cells) * self.transfer, s=cells.shape[-2:])


class _Places:
    """The four grid points around each pixel's position in the cell of its half, and their weights, (pixels, 4)."""

    def __init__(self, basis: Tensor, height: int, wide: int, size: int) -> None:
        y, x = (torch.arange(n, dtype=basis.dtype, device=basis.device) for n in (height, wide))
        inverse = torch.linalg.inv(basis)
        u, v = ((row[0] * x + row[1] * y[:, None]).flatten() for row in inverse)  # along a and b
        parity = (u.floor() + v.floor()).int() & 1
        (column, right, fx), (row, below, fy) = (_neighbours(t * size, size) for t in (u, v))
        rows, belows = ((parity * size + k) * size for k in (row, below))
        gx, gy = 1 - fx, 1 - fy
        self.points = torch.stack((rows + column, rows + right, belows + column, belows + right), -1)
        self.weights = basis.new_empty(len(u), 4)
        for corner, weight in enumerate((gy * gx, gy * fx, fy * gx, fy * fx)):
            self.weights[:, corner] = weight  # faster than stacking
        ends = np.arange(0, self.points.numel() + 1, 4, dtype=np.int32)
        numbers = (values.detach().cpu().flatten().numpy() for values in (self.weights, self.points))
        self.matrix = csr_array((*numbers, ends), shape=(len(u), 2 * size**2))  # faster than scattering


def _neighbours(t: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The grid points on either side of a position, and its distance from the first."""
    whole = t.floor()
    first = (whole - (whole / size).floor() * size).int()  # faster than the remainder of integers
    return first, (first + 1) * (first != size - 1), t - whole


class _Spread(torch.autograd.Function):
    """Pixels, (pixels,), onto grid points, (2 * size**2,)."""

    @staticmethod
    def forward(ctx: Any, place: _Places, weights: Tensor, values: Tensor) -> Tensor:
        ctx.place = place
        ctx.save_for_backward(weights, values)
        return torch.from_numpy(place.matrix.T @ values.detach().cpu().numpy()).to(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:
        weights, values = ctx.saved_tensors
        there = gradients[0][ctx.place.points.long()]
        return None, there * values[:, None], (there * weights).sum(-1)


class _Gather(torch.autograd.Function):
    """Grid points, (2 * size**2,), at pixels, (pixels,)."""

    @staticmethod
    def forward(ctx: Any, place: _Places, weights: Tensor, grid: Tensor) -> Tensor:
        ctx.place = place
        ctx.save_for_backward(weights, grid)
        return torch.from_numpy(place.matrix @ grid.detach().cpu().numpy()).to(grid)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:
        weights, grid = ctx.saved_tensors
        points, own = ctx.place.points.long(), gradients[0][:, None]
        spread = torch.zeros_like(grid).index_add(0, points.flatten(), (own * weights).flatten())
        return None, own * grid[points], spread
