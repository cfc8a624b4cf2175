"""How the operations of a lattice act on the frequencies of its unit cell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equisym.groups.operation import Matrix


@lru_cache(maxsize=256)
def turned_frequencies(matrices: tuple[Matrix, ...], size: int, columns: int | None = None) -> NDArray[np.int64]:
    r"""Where each matrix takes the frequencies of a cell: for every k the place of :math:`W^T k` in the spectrum.

    f has the spectrum F, so its image :math:`f(W^{-1} u)` has the spectrum :math:`F(W^T k)`: a cell is turned by a
    gather of its spectrum, without interpolation. The correlation of a cell with its image under {W | t}, at all
    translations t at once, is the Fourier transform of :math:`F(k) \overline{F(W^T k)}`.

    Args:
        matrices: linear parts on fractional coordinates.
        size: N, of the N x N cell; rows along b, columns along a.
        columns: how many columns of the spectrum to take, ``N // 2 + 1`` for that of a real cell; all if not given.

    Returns:
        Indices into the flat N x N spectrum, (matrices, N * columns).

    >>> turned_frequencies((((1, 0), (0, 1)), ((-1, 0), (0, -1))), 3)
    array([[0, 1, 2, 3, 4, 5, 6, 7, 8],
           [0, 2, 1, 6, 8, 7, 3, 5, 4]])
    """
    ky, kx = np.meshgrid(np.arange(size), np.arange(size if columns is None else columns), indexing="ij")
    W = np.array(matrices, dtype=np.int64).reshape(-1, 2, 2, 1, 1)
    tx, ty = W[:, 0, 0] * kx + W[:, 1, 0] * ky, W[:, 0, 1] * kx + W[:, 1, 1] * ky
    return (ty % size * size + tx % size).reshape(len(W), ky.size)
