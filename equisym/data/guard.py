"""The label guard: a pattern is accepted only if no operation outside its group nearly holds."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.groups import WallpaperGroup
from equisym.groups.operation import Matrix

STRAIN = 0.1  # linear parts that strain the lattice by more than this cannot be mistaken for isometries
NEIGHBOURHOOD = 0.2  # of the cell's side: translations this small are no finer translation, only smoothness


def strongest_forbidden(cell_image: Tensor, basis: NDArray[np.floating], group: WallpaperGroup) -> float:
    """The greatest normalised correlation of a cell with its own image under an operation outside the group.

    Args:
        cell_image: the pattern on an N x N grid of the primitive cell, row along b and column along a; (C, N, N).
        basis: primitive basis in pixels, columns a and b, shape (2, 2).
        group: the label.

    Returns:
        The greatest correlation over linear parts outside the point group with any translation, and over
        translations away from the lattice. Below ``1 - margin`` the label is borne out; 1 if the cell is constant.
    """
    size = cell_image.shape[-1]
    centred = cell_image - cell_image.mean((-2, -1), keepdim=True)
    power = centred.square().sum().item()
    if power < 1e-10 * cell_image.numel():
        return 1.0
    spectrum = torch.fft.fft2(centred)
    own = frozenset(op.W for op in group.primitive_operations)
    forbidden = [W for W in near_isometries(basis) if W not in own]
    correlations = [torch.fft.ifft2(spectrum.abs().square()).real.sum(0)[None]]
    if forbidden:
        # f(W^-1 u) has the spectrum F(W^T k), so the turned spectra are gathers of the one spectrum.
        k = torch.arange(size)
        ky, kx = torch.meshgrid(k, k, indexing="ij")
        W = torch.tensor(forbidden)[:, :, :, None, None]
        tx, ty = W[:, 0, 0] * kx + W[:, 1, 0] * ky, W[:, 0, 1] * kx + W[:, 1, 1] * ky
        turned = spectrum[:, ty % size, tx % size]
        correlations.append(torch.fft.ifft2(spectrum[:, None] * turned.conj()).real.sum(0))
    correlations[0] = correlations[0].masked_fill(_near_lattice(size, basis)[None], -1.0)
    return torch.cat(correlations).max().item() / power


def near_isometries(basis: NDArray[np.floating], strain: float = STRAIN) -> list[Matrix]:
    """The finite-order integer matrices that keep the lattice's metric to within a strain; lists of 2x2 tuples."""
    matrices = _finite_order()
    maps = basis @ matrices @ np.linalg.inv(basis)
    stretch = np.linalg.svd(maps, compute_uv=False)
    keep = (np.abs(stretch - 1) < strain).all(-1)
    return [((int(a), int(b)), (int(c), int(d))) for (a, b), (c, d) in matrices[keep]]


@lru_cache
def _finite_order() -> NDArray[np.int64]:
    found = []
    for entries in product(range(-2, 3), repeat=4):
        m = np.array(entries).reshape(2, 2)
        unimodular = abs(entries[0] * entries[3] - entries[1] * entries[2]) == 1
        if unimodular and np.array_equal(np.linalg.matrix_power(m, 12), np.eye(2)):
            found.append(m)
    return np.array(found)


def _near_lattice(size: int, basis: NDArray[np.floating]) -> Tensor:
    """Mask of the translations within the neighbourhood of a lattice point, shape (size, size)."""
    u = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1) / size
    corners = np.array([(i, j) for i in range(-1, 3) for j in range(-1, 3)])
    distance = np.linalg.norm((u[:, :, None] - corners) @ basis.T, axis=-1).min(-1)
    return torch.from_numpy(distance <= NEIGHBOURHOOD * np.sqrt(abs(np.linalg.det(basis))))
