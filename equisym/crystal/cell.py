"""The unit cell of an image, averaged over all its repeats on a torus grid, with two independent halves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equisym.crystal.autocorrelation import polynomials

SIZE = 96


@dataclass(frozen=True)
class CellAverage:
    """Unit cells averaged over the repeats of images.

    Attributes:
        cell: the average over all repeats, row along b and column along a, (B, N, N).
        halves: the averages over the even and the odd repeats, as on a chessboard, (B, 2, N, N).
        basis: lattice vectors in pixels, columns a and b, (B, 2, 2).
        trend: the smooth background that was taken off the images, (B, H, W).
    """

    cell: Tensor
    halves: Tensor
    basis: Tensor
    trend: Tensor

    @property
    def size(self) -> int:
        """N, grid points along a side."""
        return self.cell.shape[-1]

    def frequency(self) -> Tensor:
        """Length of the reciprocal vectors in cycles per pixel, in the order of ``torch.fft.fft2``, (B, N, N)."""
        return reciprocal_length(self.basis, self.size)


def reciprocal_length(basis: Tensor, size: int) -> Tensor:
    """Length in cycles per pixel of the reciprocal vectors of a size x size cell grid, (B, size, size)."""
    return _squared_length(basis, size).sqrt()


def _squared_length(basis: Tensor, size: int) -> Tensor:
    k = torch.fft.fftfreq(size, 1 / size, dtype=basis.dtype, device=basis.device)
    ky, kx = torch.meshgrid(k, k, indexing="ij")
    return (torch.stack((kx, ky), -1) @ torch.linalg.inv(basis)[:, None]).square().sum(-1)


def average_cell(
    image: Tensor,
    basis: Tensor,
    *,
    size: int = SIZE,
    sharpen: int = 2,
    width: float = 0.45,
    trend_order: int = 2,
) -> CellAverage:
    r"""Average an image over its lattice.

    Each pixel is spread over the four grid points around its place in the cell; sums and counts are smoothed over a
    fraction of a pixel, isotropically in the image, and divided. What the smoothing took away, and what a smooth
    background explains better, is put back by iterating on the residual: ``c += average(f - trend - c)``.

    Args:
        image: grey images.
        basis: lattice vectors, columns a and b in pixels.
        size: grid points along a side of the cell.
        sharpen: iterations on the residual.
        width: standard deviation of the smoothing, in pixels; 0 for none, which is exact where the lattice vectors
            are whole multiples of the grid.
        trend_order: degree of the background polynomial; 0 for a constant.

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
    flat = flat - flat.mean(-1, keepdim=True)
    part = grid.parity[:, None] == torch.arange(2, device=image.device)[None, :, None]
    part = torch.cat((torch.ones_like(part[:, :1]), part), 1).to(image.dtype)  # all, even, odd
    counts = grid.smooth(grid.spread(part))
    counts = torch.maximum(counts, 1e-3 * counts[:, :1].mean((-2, -1), keepdim=True))  # where no pixel fell
    shapes = polynomials(height, wide, trend_order, image)[1:]
    shapes = torch.linalg.qr(shapes.flatten(1).T)[0]
    trend = torch.zeros_like(flat)
    cells = torch.zeros(batch, 3, size, size, dtype=image.dtype, device=image.device)
    for step in range(1 + sharpen):
        residual = (flat - trend)[:, None] - (grid.gather(cells) if step else 0)
        cells = cells + grid.smooth(grid.spread(residual * part)) / counts
        if trend_order and step < sharpen:
            left = flat - trend - grid.gather(cells[:, :1])[:, 0]
            trend = trend + (left @ shapes) @ shapes.T
    cells = cells - cells.mean((-2, -1), keepdim=True)
    return CellAverage(cells[:, 0], cells[:, 1:], basis, trend.reshape(image.shape))


class _Grid:
    """Spreading pixels onto cell grids and reading them back, bilinearly."""

    def __init__(self, basis: Tensor, height: int, wide: int, size: int, width: float) -> None:
        self.size = size
        y = torch.arange(height, dtype=basis.dtype, device=basis.device)[:, None].expand(height, wide)
        x = torch.arange(wide, dtype=basis.dtype, device=basis.device).expand(height, wide)
        points = torch.stack((x, y), -1).reshape(-1, 2)
        # the chessboard of repeats starts at the middle, so that both halves see as much of the cell as they can
        u = points @ torch.linalg.inv(basis).mT
        self.parity = u.floor().sum(-1).remainder(2).long()
        u = u * size
        whole = u.floor()
        fraction = u - whole
        i, j = whole.long().unbind(-1)
        fx, fy = fraction.unbind(-1)
        self.index = torch.stack(
            [(j + dj).remainder(size) * size + (i + di).remainder(size) for dj in (0, 1) for di in (0, 1)], 1
        )  # (B, 4, pixels)
        self.weight = torch.stack([a * b for a in (1 - fy, fy) for b in (1 - fx, fx)], 1)
        squared = _squared_length(basis, size)[:, None, :, : size // 2 + 1]
        self.transfer = torch.exp(-2 * (torch.pi * width) ** 2 * squared)
        self.width = width

    def spread(self, values: Tensor) -> Tensor:
        """(B, K, pixels) to (B, K, N, N)."""
        batch, kinds, _ = values.shape
        out = torch.zeros(batch, kinds, self.size**2, dtype=values.dtype, device=values.device)
        for corner in range(4):
            index = self.index[:, corner, None].expand(-1, kinds, -1)
            out = out.scatter_add(-1, index, values * self.weight[:, corner, None])
        return out.reshape(batch, kinds, self.size, self.size)

    def gather(self, cells: Tensor) -> Tensor:
        """(B, K, N, N) to (B, K, pixels)."""
        flat = cells.flatten(-2)
        out = torch.zeros((), dtype=cells.dtype, device=cells.device)
        for corner in range(4):
            index = self.index[:, corner, None].expand(-1, cells.shape[1], -1)
            out = out + flat.gather(-1, index) * self.weight[:, corner, None]
        return out

    def smooth(self, cells: Tensor) -> Tensor:
        """Isotropic Gaussian in the image's metric."""
        if self.width == 0:
            return cells
        return torch.fft.irfft2(torch.fft.rfft2(cells) * self.transfer, s=cells.shape[-2:])
