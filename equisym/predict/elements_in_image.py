"""Symmetry elements of an answer where they lie in its image, for programs that draw layers of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equisym.groups.symmetry_elements import reflection_lines, rotation_centres
from equisym.predict.answer import Answer

_CELLS = 60  # at most: more hide the image


@dataclass(frozen=True)
class ElementsInImage:
    """Positions in pixels, x right and y down.

    Attributes:
        cells: outlines of conventional cells, (n, 4, 2).
        centres: of rotations by order, each (n, 2).
        mirrors: two ends of each line's part in a cell, (n, 2, 2).
        glides: the same of glide lines.
    """

    cells: NDArray[np.float64]
    centres: dict[int, NDArray[np.float64]]
    mirrors: NDArray[np.float64]
    glides: NDArray[np.float64]


def elements_in_image(result: Answer, *, most: int = _CELLS) -> ElementsInImage:
    """The elements in all conventional cells in the part that was measured, or in those nearest to its middle.

    Args:
        result: the answer.
        most: cells.

    Raises:
        ValueError: if no group was answered.
    """
    group = result.wallpaper_group
    if group is None or result.cell is None or result.origin is None:
        raise ValueError(f"there are no symmetry elements: refused ({result.refused})")
    cell, start = result.cell, result.origin
    first, size = _measured(result)
    reach = np.abs(np.linalg.inv(cell)) @ size + 2
    middle = np.floor(np.linalg.solve(cell, first + size / 2 - start))
    grid = [np.arange(-n, n + 1) for n in np.minimum(np.ceil(reach), most).astype(int)]
    steps = middle + np.stack(np.meshgrid(*grid), -1).reshape(-1, 2)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
    outlines = start + (steps[:, None] + square) @ cell.T
    inside = np.asarray(((outlines > first - 1) & (outlines < first + size)).all((1, 2)))
    order = np.argsort(np.linalg.norm(outlines.mean(1) - first - size / 2, axis=1), kind="stable")
    kept = [k for k in order if inside[k]][:most] or [order[0]]

    def place(u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractions of a cell (..., 2) into every kept cell, doubles dropped."""
        every = start + (steps[kept].reshape(-1, *(1,) * (u.ndim - 1), 2) + u) @ cell.T
        return np.unique(every.round(6), axis=0)

    centres: dict[int, NDArray[np.float64]] = {}
    for n in (2, 3, 4, 6):
        found = [place(c.position) for c in rotation_centres(group) if c.order == n]
        if found:
            centres[n] = np.unique(np.concatenate(found).round(4), axis=0)
    lines: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
    for line in reflection_lines(group):
        lines[line.mirror].append(place(line.ends))
    mirrors, glides = (np.concatenate(lines[kind]) if lines[kind] else np.zeros((0, 2, 2)) for kind in (True, False))
    return ElementsInImage(outlines[kept], centres, mirrors, glides)


def middle_cell(result: Answer) -> NDArray[np.float64]:
    """The origin of a conventional cell in the middle of what was measured, of those that reach out of it least; (2,).

    Raises:
        ValueError: if there is no cell.
    """
    if result.cell is None or result.origin is None:
        raise ValueError(f"there is no cell: refused ({result.refused})")
    first, size = _measured(result)
    last = first + size
    middle = np.floor(np.linalg.solve(result.cell, first + size / 2 - result.origin))
    steps = middle + np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2), -1).reshape(-1, 2)
    outlines = result.origin + (steps[:, None] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])) @ result.cell.T
    outside = np.maximum(np.maximum(first - 0.5 - outlines, outlines - (last - 0.5)), 0).sum((1, 2))
    distance = np.linalg.norm(outlines.mean(1) - (first + last - 1) / 2, axis=1)
    return outlines[np.lexsort((distance.round(6), outside.round()))[0], 0]


def _measured(result: Answer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First pixel and size of the part of the image that was measured, x and y."""
    x, y, width, height = result.region or (0, 0, *result.shape[::-1])
    return np.array([x, y], float), np.array([width, height], float)
