"""Rectify a photograph of a wall taken at an angle, from the four corners of a rectangle on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates


def parse_corners(text: str) -> NDArray[np.float64]:
    """Four points ``X,Y X,Y X,Y X,Y``, clockwise from the one that shall be at the top left; (4, 2).

    Raises:
        ValueError: for anything else.
    """
    try:
        corners = np.array([[float(v) for v in part.split(",")] for part in text.split()])
    except ValueError:
        corners = np.zeros(0)
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        raise ValueError(f"rectify must be four corners X,Y X,Y X,Y X,Y, clockwise from the top left (got {text!r})")
    return corners


def rectify(image: NDArray[Any], corners: NDArray[np.float64]) -> NDArray[np.float32]:
    """The inside of a quadrilateral as a rectangle whose sides are as long as the means of opposite edges.

    Args:
        image: (H, W).
        corners: in pixels (x, y), clockwise from the top left, (4, 2).

    Raises:
        ValueError: if they are no convex quadrilateral inside the image.

    >>> rectify(np.eye(20), np.array([(0, 0), (9, 0), (9, 5), (0, 5)])).shape
    (6, 10)
    """
    edges = np.roll(corners, -1, 0) - corners
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if not (turns > 0).all():
        raise ValueError("rectify: the four corners must go clockwise round a convex figure, from the top left")
    if (corners < 0).any() or (corners > np.array(image.shape[1::-1]) - 1).any():
        raise ValueError(f"rectify: the corners must lie in the image of {image.shape[1]} x {image.shape[0]} pixels")
    top, right, bottom, left = np.linalg.norm(edges, axis=1)
    width, height = round((top + bottom) / 2) + 1, round((left + right) / 2) + 1
    y, x = np.mgrid[:height, :width]
    target = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)])
    a, b, c, d, e, f, g, h = _projection(target, corners)
    scale = g * x + h * y + 1
    places = [(d * x + e * y + f) / scale, (a * x + b * y + c) / scale]
    return np.asarray(map_coordinates(image.astype(np.float32), places, order=3, mode="nearest"), np.float32)


def _projection(source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """The eight numbers of the projection that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    return np.linalg.solve(np.array(rows, float), np.array(values, float))
