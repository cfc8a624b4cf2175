"""Lattices of parts of an image: one that the whole lacks, or a second one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import estimate_lattice
from equisym.crystal.lattice_choice import twice
from equisym.crystal.lattice_search import Lattice
from equisym.predict.background import Background
from equisym.predict.refusal import Refusal, RefusalCode

Place = tuple[slice, slice]
"""Rows and columns of a part of an image."""

_SMALLEST = 32  # pixels along a side of a part
_CLEAR, _DOZEN = 0.6, 12.0  # of a part repeats, in so many cells: no chance
_SURE = 0.8  # of a part repeats, in at least half as many cells as in the finest: not joined by a fault
_EQUAL = 0.03  # of a vector: two lattices are told by their directions
# of the sides, and pixels that a part has at least: many small ones take long
_DIVISIONS = {2: 48, 3: 48, 5: 48, 8: 96}


def second_lattice(image: Tensor, lattice: Lattice, rest: Background, *, over: bool = True) -> Refusal | None:
    """A second lattice in another part of the image, or laid over the first, if ``over`` is to be asked."""
    worst, best = int(np.argmin(rest.quarters)), max(rest.quarters)
    if rest.quarters[worst] < 0.35 * best and lattice.repeats > 24:
        h, w = (n // 2 for n in image.shape)
        y, x = divmod(worst, 2)
        other = clear_lattice(image[y * h : (y + 1) * h, x * w : (x + 1) * w])
        if other is not None and differ(lattice.basis, other.basis):
            return several_lattices(lattice, other)
    if over and rest.explained < 0.85 and lattice.repeats > 8:
        other = clear_lattice(torch.from_numpy(rest.left).float())
        if other is not None and differ(lattice.basis, other.basis):
            return several_lattices(lattice, other)
    return None


def several_grains(image: Tensor) -> Refusal | None:
    """Two quarters of an image with different lattices."""
    h, w = (n // 2 for n in image.shape)
    if min(h, w) < _SMALLEST:
        return None
    found = [clear_lattice(image[y : y + h, x : x + w]) for y in (0, h) for x in (0, w)]
    strong = [lattice for lattice in found if lattice is not None]
    for other in strong[1:]:
        if differ(strong[0].basis, other.basis):
            return several_lattices(strong[0], other)
    return None


def lattice_of_parts(image: Tensor) -> Lattice | None:
    """The finest lattice that holds in one of five parts of an image, each a third as long; ``None`` if none does.

    A crystal with dislocations or planar faults has one; quasicrystals and moires repeat a few times at most. Two
    grains, or two twins, have two: then it is none.
    """
    size = [side // 3 for side in image.shape]
    if min(size) < _SMALLEST:
        return None
    ends = [(0, n - s) for n, s in zip(image.shape, size, strict=True)]
    corners = [(size[0], size[1]), *((y, x) for y in ends[0] for x in ends[1])]
    found = [clear_lattice(image[y : y + size[0], x : x + size[1]]) for y, x in corners]
    clear = [lattice for lattice in found if lattice and lattice.score > _CLEAR and lattice.repeats >= _DOZEN]
    most = max((lattice.repeats for lattice in clear), default=0.0)
    sure = [lattice.basis for lattice in clear if lattice.score > _SURE and lattice.repeats > most / 2]
    if any(differ(first, second) for first, second in combinations(sure, 2)):
        return None
    return min(clear, key=lambda lattice: abs(np.linalg.det(lattice.basis))) if clear else None


def clearest_part(image: Tensor) -> tuple[Lattice, Place] | Refusal | None:
    """The part of an image, half of it along its sides or less, that shows a lattice most clearly, and that lattice.

    A refusal if parts surely show two; ``None`` if none shows one clearly, or if it is not clear whether there are two.
    """
    doubtful = False
    for n, least in _DIVISIONS.items():
        if min(image.shape) // n < least:
            break
        found = [(lattice, place) for place in _parts(image.shape, n) if (lattice := clear_lattice(image[place]))]
        clear = [(lattice, place) for lattice, place in found if lattice.score > _CLEAR and lattice.repeats >= _DOZEN]
        if clear:
            best = max(clear, key=lambda one: one[0].score)
            others = [lattice for lattice, _ in clear if differ(best[0].basis, lattice.basis)]
            other = max(others, key=lambda lattice: lattice.score, default=None)
            if other is None and not doubtful:
                return best
            if other is not None and other.score > _SURE:
                return several_lattices(best[0], other)
            doubtful = True
    return None


def _parts(shape: Sequence[int], n: int) -> Iterator[Place]:
    """Rows and columns of the parts of an image, a n-th of its sides long, each half way over the next."""
    first = [[i * (side - side // n) // (2 * n - 2) for i in range(2 * n - 1)] for side in shape]
    for y, x in product(*first):
        yield slice(y, y + shape[0] // n), slice(x, x + shape[1] // n)


def clear_lattice(part: Tensor) -> Lattice | None:
    """The lattice of a part of an image, if it is certain, with two repeats along each vector."""
    if float(part.std()) < 1e-4:
        return None
    lattice = estimate_lattice(part.contiguous())
    if lattice is None or lattice.score <= 0.5 or lattice.repeats < 6:
        return None
    return lattice if twice(lattice.basis, part.shape) else None


def differ(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether neither lattice contains the other."""
    return not holds(first, second) and not holds(second, first)


def holds(basis: NDArray[np.float64], finer: NDArray[np.float64], tolerance: float = 0.12) -> bool:
    """Whether the vectors of a basis are translations of a finer lattice, or of the same one."""
    steps = np.linalg.solve(finer, basis)
    return bool(np.abs(steps - np.rint(steps)).max() < tolerance and np.abs(np.rint(steps)).max() > 0)


def several_lattices(first: Lattice, second: Lattice) -> Refusal:
    """The refusal of an image with two lattices."""
    lengths = [np.sort(np.linalg.norm(found.basis, axis=0)) for found in (first, second)]
    sizes = [" x ".join(f"{v:.1f}" for v in each) for each in lengths]
    if np.abs(lengths[0] / lengths[1] - 1).max() < _EQUAL:
        cells = f"cells of {sizes[0]} pixels, turned by {_turn(first.basis, second.basis):.0f} degrees"
    else:
        cells = f"cells of {sizes[0]} and of {sizes[1]} pixels"
    detail = f"{cells}; cut out a part that has one"
    return Refusal(RefusalCode.SEVERAL_LATTICES, detail)


def _turn(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The least angle, in degrees, between shortest vectors of two lattices."""
    angles = []
    for basis in (first, second):
        vectors = basis @ np.array([(1, 0), (0, 1), (1, 1), (1, -1)]).T
        lengths = np.linalg.norm(vectors, axis=0)
        x, y = vectors[:, lengths < (1 + _EQUAL) * lengths.min()]
        angles.append(np.degrees(np.arctan2(y, x)))
    apart = np.abs((angles[0][:, None] - angles[1] + 90) % 180 - 90)
    return float(apart.min())
