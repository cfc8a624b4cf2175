"""Regions of interest: rectangles and polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 2  # pixels along a side
_LARGEST = 1e9  # pixels from the corner of an image


@dataclass(frozen=True)
class Region:
    """A part of an image, in pixels, x right and y down.

    Attributes:
        corners: of a polygon, in order, (n, 2) with n at least 3; a rectangle has 4.
        rectangle: whether it is one, along the axes.
    """

    corners: NDArray[np.float64]
    rectangle: bool

    @classmethod
    def parse(cls, text: str) -> Region:
        """From ``X,Y,W,H``, or from the corners of a polygon: ``X,Y X,Y X,Y ...``.

        Raises:
            ValueError: for anything else.

        >>> Region.parse("10,20,30,40").box((100, 100))
        (10, 20, 40, 60)
        >>> Region.parse("10,20 40,20 25,50").rectangle
        False
        """
        message = f"roi must be X,Y,W,H in pixels, or a polygon of at least three corners X,Y X,Y X,Y (got {text!r})"
        try:
            rows = [[float(v) for v in part.split(",")] for part in text.split()]
        except ValueError:
            raise ValueError(message) from None
        if not all(abs(value) < _LARGEST for row in rows for value in row):
            raise ValueError(message)
        if len(rows) == 1 and len(rows[0]) == 4 and min(rows[0][2:]) >= _SMALLEST:
            x, y, w, h = rows[0]
            return cls(np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]), True)
        if len(rows) < 3 or any(len(row) != 2 for row in rows):
            raise ValueError(message)
        return cls(np.array(rows), False)

    def box(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """First and last column and row that it covers, within an image of this shape: (left, top, right, bottom).

        Raises:
            ValueError: if it lies outside.
        """
        low = np.maximum(np.floor(self.corners.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(self.corners.max(0)), shape[1::-1]).astype(int)
        image = f"the image of {shape[1]} x {shape[0]} pixels"
        if (high <= low).any():
            raise ValueError(f"roi lies outside {image}: {self._extent()}")
        if (high - low < _SMALLEST).any():
            raise ValueError(f"roi has less than {_SMALLEST} pixels along a side in {image}: {self._extent()}")
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """The smallest rectangle of an image (H, W) or (H, W, C) that holds it."""
        left, top, right, bottom = self.box(image.shape)
        return image[top:bottom, left:right]

    def part(self, image: NDArray[Any]) -> NDArray[Any]:
        """What :meth:`cut` leaves of an image, masked where it lies outside of a polygon.

        Raises:
            ValueError: if no pixel of the image lies inside.
        """
        part = self.cut(image)
        if self.rectangle:
            return part
        outside = ~self.in_cut(image.shape).mask(part.shape)
        if outside.all():
            raise ValueError(f"roi holds no pixel of the image of {image.shape[1]} x {image.shape[0]}")
        return np.ma.MaskedArray(part, np.broadcast_to(outside if part.ndim == 2 else outside[..., None], part.shape))

    def note(self, shape: tuple[int, ...]) -> str | None:
        """A sentence if some of it lies outside of an image of this shape.

        >>> Region.parse("60,20,50,30").note((80, 100))
        'roi reaches beyond the image of 100 x 80 pixels: x 60 to 110, y 20 to 50; what lies inside was used'
        """
        if (self.corners > -1).all() and (self.corners < np.array(shape[1::-1]) + 1).all():
            return None
        image = f"the image of {shape[1]} x {shape[0]} pixels"
        return f"roi reaches beyond {image}: {self._extent()}; what lies inside was used"

    def _extent(self) -> str:
        (left, top), (right, bottom) = self.corners.min(0), self.corners.max(0)
        return f"x {left:g} to {right:g}, y {top:g} to {bottom:g}"

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which pixels of an image of this shape lie inside, (H, W)."""
        y, x = np.indices(shape[:2])
        return _inside(self.corners, x, y)

    def in_cut(self, shape: tuple[int, ...]) -> Region:
        """The same part, counted from the corner of what :meth:`cut` leaves of an image of this shape."""
        left, top, _, _ = self.box(shape)
        return Region(self.corners - (left, top), self.rectangle)


def _inside(corners: NDArray[np.float64], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether points lie in a polygon: whether a ray to the right crosses its edges an odd number of times."""
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
