"""The label guard: a pattern is accepted only if no operation outside its group nearly holds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.groups import WallpaperGroup
from equisym.groups.lattice import near_isometries
from equisym.groups.operation import Matrix
from equisym.groups.reciprocal import turned_frequencies

STRAIN = 0.1  # linear parts that strain the lattice by more than this cannot be mistaken for isometries
NEIGHBOURHOOD = 0.2  # of the cell's side: correlation at shifts this small only shows that the pattern is smooth
REFINED = 0.8  # correlations above this are measured again between the grid's points, where peaks may hide


def strongest_forbidden(cell_image: Tensor, basis: NDArray[np.floating], group: WallpaperGroup) -> float:
    """The largest normalised correlation of a cell with its own image under an operation outside the group.

    Args:
        cell_image: the pattern on an N x N grid of the primitive cell, row along b and column along a; (C, N, N).
        basis: primitive basis in pixels, columns a and b, shape (2, 2).
        group: the label.

    Returns:
        The largest correlation over linear parts outside the point group with any translation, and over
        translations away from the lattice. Below ``1 - margin`` the label is right; 1 if the cell is constant.

    The cell has the group's own symmetry, so g W h and W^-1 correlate as W does for all g and h of the group: one
    linear part of each such set is tried. A glide in place of a mirror is a translation by the glide vector.
    """
    size = cell_image.shape[-1]
    centred = cell_image - cell_image.mean((-2, -1), keepdim=True)
    power = centred.square().sum().item()
    if power < 1e-10 * cell_image.numel():
        return 1.0
    spectrum = torch.fft.fft2(centred)
    half = spectrum[..., : size // 2 + 1]
    forbidden = _representatives(group, frozenset(near_isometries(basis, STRAIN)))
    index = torch.from_numpy(turned_frequencies(forbidden, size, half.shape[-1]).ravel())
    turned = spectrum.flatten(1)[:, index].unflatten(1, (-1, *half.shape[1:]))
    products = torch.cat([half.abs().square().sum(0)[None], (half[:, None] * turned.conj()).sum(0)])
    correlations = torch.fft.irfft2(products, s=(size, size)) / power
    correlations[0] = correlations[0].masked_fill(_near_lattice(size, basis), -1.0)
    strongest = correlations.amax((-2, -1))
    for index in (strongest > REFINED).nonzero().flatten().tolist():
        fine = _between(products[index], size) / power
        if index == 0:
            fine = fine.masked_fill(_near_lattice(len(fine), basis), -1.0)
        strongest[index] = torch.maximum(strongest[index], fine.max())
    return min(1.0, strongest.max().item())


def _between(product: Tensor, size: int, finer: int = 4) -> Tensor:
    """A correlation on a grid several times finer, from its half spectrum; (finer * size, finer * size)."""
    upper, lower = product[: size // 2], product[size // 2 :]
    padding = product.new_zeros((finer - 1) * size, product.shape[-1])
    fine = torch.cat([upper, padding, lower])
    return torch.fft.irfft2(fine, s=(finer * size, finer * size)) * finer**2


@lru_cache(maxsize=256)
def _representatives(group: WallpaperGroup, near: frozenset) -> tuple:
    own = [np.array(op.W) for op in group.primitive_operations]
    seen = {_tuples(W) for W in own}
    chosen = []
    for name in sorted(near - seen):
        if name not in seen:
            chosen.append(name)
            W = np.array(name)
            inverse = np.round(np.linalg.inv(W)).astype(int)
            seen |= {_tuples(g @ m @ h) for m in (W, inverse) for g in own for h in own}
    return tuple(chosen)


def _tuples(matrix: NDArray[np.integer]) -> Matrix:
    (a, b), (c, d) = matrix.tolist()
    return (a, b), (c, d)


def _near_lattice(size: int, basis: NDArray[np.floating]) -> Tensor:
    """Mask of the translations within the neighbourhood of a lattice point, shape (size, size)."""
    u = torch.arange(size, dtype=torch.float32) / size
    u -= u.round()  # the neighbourhood is small enough for the nearest lattice point to be the rounded one
    (aa, ab), (_, bb) = (basis.T @ basis / (NEIGHBOURHOOD**2 * abs(np.linalg.det(basis)))).tolist()
    return torch.outer(2 * ab * u, u) + aa * u * u + (bb * u * u)[:, None] <= 1
