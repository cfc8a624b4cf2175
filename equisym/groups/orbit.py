"""Orbits of permutations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Permutation = NDArray[np.int64]


def check_permutation(values: Sequence[int] | NDArray[Any], size: int, name: str) -> Permutation:
    """A permutation of 0 .. size-1 as an array: ``values[i]`` is where i goes.

    Raises:
        ValueError: if it is not a permutation of these numbers.
    """
    array = np.asarray(values)
    if array.shape != (size,) or not np.array_equal(np.sort(array), np.arange(size)):
        raise ValueError(f"{name} must hold each of 0..{size - 1} once (got shape {array.shape}): {array.tolist()[:8]}")
    return array.astype(np.int64)


def orbits(generators: Sequence[Permutation], size: int) -> Permutation:
    """The orbit of each point under the group that permutations generate.

    Args:
        generators: permutations of 0 .. size-1.
        size: number of points.

    Returns:
        For each point the number of its orbit; orbits are numbered by their smallest points.

    >>> orbits([np.array([1, 0, 2, 4, 3])], 5)
    array([0, 0, 1, 2, 2])
    """
    smallest = np.arange(size)
    while True:
        before = smallest.copy()
        for g in generators:
            low = np.minimum(smallest, smallest[g])
            smallest = low.copy()
            smallest[g] = np.minimum(low[g], low)
            smallest = smallest[smallest]  # follow pointers, so that long cycles close in few rounds
        if np.array_equal(before, smallest):
            return np.unique(smallest, return_inverse=True)[1]
