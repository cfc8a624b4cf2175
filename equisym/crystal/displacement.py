"""Displacement field of a lattice from the local phases of its waves, and the image without it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equisym.crystal.lattice_search import Lattice
from equisym.crystal.local_waves import Complex, flattened, local_waves, strongest_waves
from equisym.crystal.shifts import Array

_WAVES = 8
_STEP = 0.6  # of the window's standard deviation, from point to point
_ROUNDS = 4  # times that what is left is measured in the straightened image: a window flattens what it averages
_LARGEST = 48  # points along a side


def local_phase(
    image: Tensor, lattice: Lattice, *, cells: float = 2.0, waves: int = _WAVES
) -> tuple[Complex, NDArray[np.int64], Array, Array]:
    r"""Local amplitude and phase of a lattice's strongest waves, on a grid of points.

    Args:
        image: grey image, (H, W).
        lattice: that of the image.
        cells: standard deviation of the Gaussian window, in cells.
        waves: so many at most.

    Returns:
        The waves' amplitudes, (waves, rows, columns); their indices, (waves, 2); x of the columns and y of the rows in
        pixels. A displacement u turns the phase of wave k by :math:`-2 \pi k B^{-1} u`.
    """
    flat = flattened(image)
    sigma = cells * float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    k = strongest_waves(flat, lattice.basis, waves)
    x, y = (np.linspace(0, n - 1, int(np.clip(n / (_STEP * sigma), 5, _LARGEST))) for n in image.shape[::-1])
    return local_waves(flat, k @ np.linalg.inv(lattice.basis), x, y, sigma), k, x, y


def displacement_field(image: Tensor, lattice: Lattice, *, cells: float = 2.0) -> Tensor:
    r"""How far every point of the lattice is from where the lattice has it: x of the perfect image is at x + u(x).

    From point to point, the phases of all waves give the change of u by least squares; the changes are summed over the
    grid as agrees best with all of them, without any phase to unwrap. What then is left of the phases is added. The
    image is straightened and measured again, since windows flatten a field that bends within them.

    Args:
        image: grey image, (H, W).
        lattice: that of the image.
        cells: standard deviation of the window in which phases are measured, in cells.

    Returns:
        u in pixels, x and y, (2, H, W), of mean 0.

    Raises:
        ValueError: if the lattice's waves in the image do not run along two directions.

    >>> y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    >>> bend = 1.5 * torch.sin(2 * torch.pi * y / 160)
    >>> image = torch.cos(2 * torch.pi * (x - bend) / 10) + torch.cos(2 * torch.pi * y / 10)
    >>> found = displacement_field(image, Lattice(np.eye(2) * 10, np.zeros((2, 2)), 1.0, 256.0))
    >>> bool((found[0] - bend)[20:-20, 20:-20].std() < 0.1)
    True

    Source: Hytch, Snoeck and Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs
    (1998).
    """
    total = torch.zeros(2, *image.shape)
    for turn in range(_ROUNDS):
        straight = unbend(image, total) if turn else image
        more = _measured(straight, lattice, cells)
        total = more + _sampled(total, more) if turn else more
    return total - total.mean((1, 2), keepdim=True)


def unbend(image: Tensor, displacement: Tensor) -> Tensor:
    """The image as it would be without a displacement field: its value at x + u(x).

    Args:
        image: (H, W).
        displacement: u in pixels, x and y, (2, H, W).
    """
    return _sampled(image[None].float(), displacement)[0].to(image.dtype)


def _measured(image: Tensor, lattice: Lattice, cells: float) -> Tensor:
    """One look at the displacement: linear in the phases, on the grid, and between its points by cubics."""
    waves, k, *_ = local_phase(image, lattice, cells=cells)
    q = k @ np.linalg.inv(lattice.basis)
    if len(q) < 2 or np.linalg.cond(q.T @ q) > 1e4:
        raise ValueError("image must have waves along two directions of the lattice; give the lattice that it has")
    weight = np.abs(waves) ** 2
    down = solved(q, waves[:, 1:] * waves[:, :-1].conj(), np.minimum(weight[:, 1:], weight[:, :-1]))
    across = solved(q, waves[:, :, 1:] * waves[:, :, :-1].conj(), np.minimum(weight[:, :, 1:], weight[:, :, :-1]))
    u = np.stack([_summed(across[i], down[i]) for i in (0, 1)])
    for _ in range(2):
        left = waves * np.exp(2j * np.pi * np.einsum("ki,iyx->kyx", q, u))
        left = left * left.sum((1, 2), keepdims=True).conj()
        u = u + solved(q, left, weight)
    grid = torch.from_numpy(u).float()[None]
    at_y, at_x = (torch.arange(n) * 2 / (n - 1) - 1 for n in image.shape)
    places = torch.stack(torch.meshgrid(at_y, at_x, indexing="ij")[::-1], -1)[None]
    return functional.grid_sample(grid, places, mode="bicubic", padding_mode="border", align_corners=True)[0]


def solved(q: Array, turned: Complex, weight: NDArray[np.floating]) -> Array:
    """The displacement that turns the phases of waves q so, by weighted least squares; (waves, ...) to (2, ...)."""
    phase = np.angle(turned) * weight
    normal = np.einsum("ki,kj,k...->...ij", q, q, weight)
    normal = normal + 1e-6 * np.trace(normal, axis1=-2, axis2=-1)[..., None, None] * np.eye(2) + 1e-30 * np.eye(2)
    right = np.einsum("ki,k...->...i", q, phase)
    return np.moveaxis(np.linalg.solve(normal, right[..., None])[..., 0], -1, 0) / (-2 * np.pi)


def _summed(across: Array, down: Array) -> Array:
    """The field of mean 0 whose differences along x and y are nearest to these: Poisson's equation, by cosines."""
    from scipy.fft import dctn, idctn  # loaded where an image is bent

    rows, columns = down.shape[0] + 1, across.shape[1] + 1
    source = np.zeros((rows, columns))
    source[:, :-1] += across
    source[:, 1:] -= across
    source[:-1] += down
    source[1:] -= down
    ky, kx = (2 * np.cos(np.pi * np.arange(n) / n) - 2 for n in (rows, columns))
    factor = ky[:, None] + kx
    factor[0, 0] = 1.0
    waves = np.asarray(dctn(source, norm="ortho")) / factor
    waves[0, 0] = 0.0
    return np.asarray(idctn(waves, norm="ortho"))


def _sampled(images: Tensor, displacement: Tensor) -> Tensor:
    """Images (C, H, W) at x + u(x)."""
    height, width = images.shape[-2:]
    y, x = torch.arange(height)[:, None], torch.arange(width)
    places = torch.stack(
        ((x + displacement[0]) * 2 / (width - 1) - 1, (y + displacement[1]) * 2 / (height - 1) - 1), -1
    )
    options = {"mode": "bicubic", "padding_mode": "reflection", "align_corners": True}
    return functional.grid_sample(images[None].float(), places[None].float(), **options)[0]
