"""Symmetry operations of the plane in fractional coordinates: x -> W x + w with W integer and w rational."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Matrix = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Operation:
    """One isometry x -> W x + w of a lattice, as the International Tables list it.

    Args:
        W: linear part, 2x2 integers of determinant +-1.
        w: translation, two fractions of the cell, kept in [0, 1).

    >>> Operation.parse("-y,x-y")
    Operation.parse('-y,x-y')
    >>> Operation.parse("-x+1/2,y").kind
    'mirror'
    """

    W: Matrix
    w: tuple[Fraction, Fraction]

    def __post_init__(self) -> None:
        object.__setattr__(self, "w", tuple(Fraction(t) % 1 for t in self.w))

    @classmethod
    def parse(cls, triplet: str) -> Operation:
        """Read the International Tables' coordinate form, such as ``"-x+1/2,y"``.

        Raises:
            ValueError: if the text is not two comma-separated sums of x, y and fractions.
        """
        parts = triplet.replace(" ", "").split(",")
        if len(parts) != 2 or not all(re.fullmatch(r"([+-]?(x|y|\d+(/\d+)?))+", p) for p in parts):
            raise ValueError(f"operation must read like '-x+1/2,y' (got {triplet!r})")
        rows, shifts = [], []
        for part in parts:
            row, shift = {"x": 0, "y": 0}, Fraction(0)
            for sign, term in re.findall(r"([+-]?)(x|y|\d+(?:/\d+)?)", part):
                factor = -1 if sign == "-" else 1
                if term in row:
                    row[term] += factor
                else:
                    shift += factor * Fraction(term)
            rows.append((row["x"], row["y"]))
            shifts.append(shift)
        return cls((rows[0], rows[1]), (shifts[0], shifts[1]))

    def __str__(self) -> str:
        parts = []
        for (a, b), t in zip(self.W, self.w, strict=True):
            text = "".join(f"{'-' if k < 0 else '+'}{name}" for k, name in ((a, "x"), (b, "y")) if k)
            parts.append((text + (f"+{t}" if t else "")).lstrip("+") or "0")
        return ",".join(parts)

    def __repr__(self) -> str:
        return f"Operation.parse('{self}')"

    def __matmul__(self, other: Operation) -> Operation:
        """Composition: ``(self @ other)(x) = self(other(x))``, translations modulo the lattice."""
        (a, b), (c, d) = self.W
        u, v = other.w
        W = matrix_product(self.W, other.W)
        return Operation(W, (a * u + b * v + self.w[0], c * u + d * v + self.w[1]))

    def inverse(self) -> Operation:
        """The operation that undoes this one."""
        (a, b), (c, d) = self.W
        det = self.determinant
        W = ((d * det, -b * det), (-c * det, a * det))
        u, v = self.w
        return Operation(W, (-(W[0][0] * u + W[0][1] * v), -(W[1][0] * u + W[1][1] * v)))

    def __call__(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply to fractional coordinates of shape (..., 2)."""
        return points @ self.matrix.T + self.translation

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The linear part W as a float array, shape (2, 2)."""
        return np.array(self.W, dtype=float)

    @property
    def translation(self) -> NDArray[np.float64]:
        """The translation w as a float array, shape (2,)."""
        return np.array([float(t) for t in self.w])

    @property
    def determinant(self) -> int:
        """+1 for translations and rotations, -1 for mirrors and glides."""
        (a, b), (c, d) = self.W
        return a * d - b * c

    @property
    def rotation_order(self) -> int:
        """The linear part's order, which is 1, 2, 3, 4 or 6 for rotations and 2 for mirrors and glides."""
        if self.determinant < 0:
            return 2
        (a, _), (_, d) = self.W
        return {2: 1, -2: 2, -1: 3, 0: 4, 1: 6}[a + d]

    @property
    def intrinsic_translation(self) -> tuple[Fraction, Fraction]:
        """The part of w along a mirror line, (W w + w) / 2; zero for a mirror, the glide vector for a glide."""
        (a, b), (c, d) = self.W
        u, v = self.w
        return ((a * u + b * v + u) / 2, (c * u + d * v + v) / 2)

    @property
    def kind(self) -> str:
        """``"identity"``, ``"translation"``, ``"rotation"``, ``"mirror"`` or ``"glide"`` of this representative."""
        if self.determinant < 0:
            return "mirror" if self.intrinsic_translation == (0, 0) else "glide"
        if self.rotation_order > 1:
            return "rotation"
        return "translation" if any(self.w) else "identity"


def matrix_product(left: Matrix, right: Matrix) -> Matrix:
    """The product of two matrices of integers.

    >>> matrix_product(((0, -1), (1, 0)), ((0, -1), (1, 0)))
    ((-1, 0), (0, -1))
    """
    (a, b), (c, d) = left
    (e, f), (g, h) = right
    return (a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h)
