"""Patterns as functions of the plane: motifs of simple shapes at the points of a lattice, to be sampled anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.situations.oracle import finer, trials
from equisym.groups import WALLPAPER_GROUPS

Array = NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """A spot of some form.

    Attributes:
        value: of displacements (dx, dy) from the middle, in pixels.
        reach: beyond this distance it is nothing, in pixels.
    """

    value: Callable[[Array, Array], Array]
    reach: float

    def times(self, factor: float) -> Shape:
        """The same form, brighter or darker."""
        return Shape(lambda x, y: factor * self.value(x, y), self.reach)


def gaussian(sigma: float, weight: float = 1.0) -> Shape:
    """A round spot, such as an atomic column."""
    return Shape(lambda x, y: weight * np.exp(-(x * x + y * y) / (2 * sigma * sigma)), 5.5 * sigma)


def disc(radius: float, weight: float = 1.0) -> Shape:
    """A disc with a hard edge."""
    return Shape(lambda x, y: weight * (x * x + y * y < radius * radius), radius)


def polygon(sides: int, radius: float, angle: float = 0.0, weight: float = 1.0) -> Shape:
    """A regular polygon with a hard edge; ``angle`` in degrees turns a corner away from x."""
    turns = np.radians(angle) + 2 * np.pi * (np.arange(sides) + 0.5) / sides
    inner = radius * np.cos(np.pi / sides)

    def value(x: Array, y: Array) -> Array:
        inside = np.ones(x.shape, bool)
        for t in turns:
            inside &= x * np.cos(t) + y * np.sin(t) < inner
        return weight * inside

    return Shape(value, radius)


@dataclass(frozen=True)
class Motif:
    """Shapes at fractional positions of a lattice: a periodic function of the plane.

    Attributes:
        basis: lattice vectors in pixels, columns a and b, (2, 2).
        points: fractional position and shape of each member of one cell.
        corner: where the lattice's origin lies, in pixels.
    """

    basis: Array
    points: Sequence[tuple[float, float, Shape]]
    corner: tuple[float, float] = (0.0, 0.0)

    def __call__(self, x: Array, y: Array) -> Array:
        """Value at any points, in pixels."""
        out = np.zeros(np.broadcast(x, y).shape)
        u, v = np.tensordot(np.linalg.inv(self.basis), np.stack(np.broadcast_arrays(x, y)), 1)
        u0, v0 = np.linalg.solve(self.basis, self.corner)
        half = 0.5 * max(np.linalg.norm(self.basis @ [1, 1]), np.linalg.norm(self.basis @ [1, -1]))
        steps = [self.basis @ [i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        for pu, pv, shape in self.points:
            du, dv = u - pu - u0, v - pv - v0
            dx, dy = np.tensordot(self.basis, np.stack((du - np.rint(du), dv - np.rint(dv))), 1)
            for i, j in (step for step in steps if np.linalg.norm(step) < half + shape.reach):
                near = (dx + i) ** 2 + (dy + j) ** 2 < shape.reach**2
                out[near] += shape.value(dx[near] + i, dy[near] + j)
        return out

    def moved(self, dx: float, dy: float) -> Motif:
        """The same pattern shifted by pixels."""
        return replace(self, corner=(self.corner[0] + dx, self.corner[1] + dy))

    def cell(self, primitive: Array | None = None, size: int = 96) -> Array:
        """One cell on a grid, row along b and column along a; of the primitive basis given, or of ``basis``."""
        at = np.arange(size) / size
        xy = np.tensordot(self.basis if primitive is None else primitive, np.stack(np.meshgrid(at, at)), 1)
        return self(xy[0] + self.corner[0], xy[1] + self.corner[1])


def image(function: Callable[[Array, Array], Array], size: int | tuple[int, int], samples: int = 1) -> Array:
    """Sample a function of (x, y) at the pixels of an image.

    Args:
        function: of pixel coordinates.
        size: side, or (height, width).
        samples: points along each pixel's side whose mean is the pixel: 1 leaves hard edges as staircases.
    """
    h, w = (size, size) if isinstance(size, int) else size
    y, x = np.mgrid[:h, :w].astype(float)
    steps = (np.arange(samples) + 0.5) / samples - 0.5
    return sum((function(x + i, y + j) for i in steps for j in steps), np.zeros((h, w))) / samples**2


def noisy(picture: Array, level: float, seed: int = 0) -> Array:
    """Add white noise whose spread is ``level`` times the picture's."""
    return picture + level * picture.std() * np.random.default_rng(seed).standard_normal(picture.shape)


def vectors(a: float, b: float, gamma: float = 90.0, turn: float = 0.0) -> Array:
    """Basis from two lengths in pixels, the angle between them and that of a to x, in degrees."""
    t, g = np.radians(turn), np.radians(turn + gamma)
    return np.array([[a * np.cos(t), b * np.cos(g)], [a * np.sin(t), b * np.sin(g)]])


def rhombic(width: float, height: float, turn: float = 0.0) -> Array:
    """Primitive basis of the centred rectangle of a width and height."""
    t = np.radians(turn)
    rotation = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return rotation @ np.array([[width, -width], [height, height]]) / 2


def of_group(
    name: str, basis: Array, seed: int = 0, count: int = 3, sigma: float = 0.09, margin: float = 0.15
) -> Motif:
    """Round spots at general positions of a plane group, drawn until every other operation leaves a good part.

    Args:
        name: one of the 17.
        basis: of the conventional cell (centred cells hold two lattice points), in pixels; it may be strained.
        seed: of the positions; the spots' weights are 1 to 0.4.
        count: independent spots.
        sigma: of the spots, as a share of the square root of the primitive cell's area.
        margin: the residual of every operation outside of the group is at least this, and half of it that of every
            finer lattice.
    """
    group = WALLPAPER_GROUPS[name]
    primitive = basis @ group.primitive_basis
    ideal = group.primitive_basis if group.family != "hexagonal" else vectors(1, 1, 120)
    width = sigma * np.sqrt(abs(np.linalg.det(primitive)))
    for draw in range(200):
        rng = np.random.default_rng([seed, count, draw])
        points = []
        for weight in np.linspace(1, 0.4, count):
            at = rng.uniform(0, 1, 2)
            for op in group.operations:
                u, v = np.array(op.W, float) @ at + np.array([float(k) for k in op.w])
                points.append((float(u % 1), float(v % 1), gaussian(width, float(weight))))
        motif = Motif(basis, points, tuple(rng.uniform(0, 40, 2)))
        cell = motif.cell(primitive)
        if finer(cell) < margin / 2:
            continue
        found = trials(cell, ideal)
        if sum(t.residual < margin for t in found.values()) == len(group.primitive_operations):
            return motif
    told = f"no motif of {name} keeps a margin of {margin} to every other operation"
    raise ValueError(f"{told}: use another seed or more spots")
