"""Random unit cells: the five Bravais types with every metric a group allows; area and orientation ignore the group."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equisym.groups import WallpaperGroup

# Which metrics the lattice of each crystal family may have; "rhombic" is centred rectangular.
_METRICS = {
    "oblique": ("oblique", "rectangular", "square", "rhombic", "hexagonal"),
    "rectangular": ("rectangular", "square"),
    "centred rectangular": ("rhombic", "square", "hexagonal"),
    "square": ("square",),
    "hexagonal": ("hexagonal",),
}


@dataclass(frozen=True)
class Cell:
    """A conventional unit cell placed in an image.

    Attributes:
        basis: columns a and b in pixels (x right, y down), shape (2, 2).
        origin: position of the cell's origin in pixels, shape (2,).
        metric: oblique, rectangular, square, rhombic or hexagonal: what the lattice of translations looks like.
    """

    basis: NDArray[np.float64]
    origin: NDArray[np.float64]
    metric: str


def metrics_of(group: WallpaperGroup) -> tuple[str, ...]:
    """The lattice metrics that a group allows: all five for p1, only the square one for p4."""
    return _METRICS[group.bravais]


def draw_cell(
    group: WallpaperGroup,
    size: int,
    rng: np.random.Generator,
    *,
    repeats: tuple[float, float] = (2.5, 12.0),
    min_cell: float = 16.0,
    area: float | None = None,
    turn: float | None = None,
) -> Cell:
    """Draw a cell whose area, orientation and phase do not depend on the group.

    Args:
        group: sets which metrics are possible; one of them is drawn with equal chances.
        size: side of the image in pixels.
        rng: source of randomness.
        repeats: fewest and most repeats of the primitive cell along the image's side.
        min_cell: smallest side, in pixels, of a square with the primitive cell's area; overrides ``repeats``.
        area: of the primitive cell in square pixels; ``None`` to draw it.
        turn: angle of a in radians; ``None`` to draw it.

    Returns:
        The cell. The primitive area is log-uniform between the limits.
    """
    few, many = repeats
    largest = size / few
    smallest = min(max(size / many, min_cell), largest)
    if area is None:
        area = math.exp(rng.uniform(math.log(smallest), math.log(largest))) ** 2
    metric = str(rng.choice(metrics_of(group)))
    ratio = math.exp(rng.uniform(-math.log(2), math.log(2)))
    angle = math.radians(rng.uniform(60, 120))
    if group.centred:  # the conventional cell is a rectangle of twice the primitive area, its diagonals the rhombus
        area *= 2
        rhombus = {"square": math.pi / 2, "hexagonal": math.pi / 3 * rng.choice([1, 2])}.get(metric, angle)
        ratio = math.tan(rhombus / 2)
        angle = math.pi / 2
    else:
        ratio = ratio if metric in ("oblique", "rectangular") else 1.0
        angle = {"oblique": angle, "rhombic": angle, "hexagonal": 2 * math.pi / 3}.get(metric, math.pi / 2)
    a = math.sqrt(area * ratio / math.sin(angle))
    b = a / ratio
    if turn is None:
        turn = rng.uniform(0, 2 * math.pi)
    basis = np.array(
        [[a * math.cos(turn), b * math.cos(turn + angle)], [a * math.sin(turn), b * math.sin(turn + angle)]]
    )
    return Cell(basis, basis @ rng.uniform(0, 1, 2), metric)
