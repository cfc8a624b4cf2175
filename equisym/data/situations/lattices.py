"""Kind 5b to 5f: motifs that mislead the lattice search."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.drawing import (
    Array,
    Motif,
    disc,
    gaussian,
    image,
    noisy,
    polygon,
    rhombic,
    vectors,
)
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 320
_PAIR = [(1 / 3, 2 / 3, polygon(3, 8.3, 19)), (2 / 3, 1 / 3, polygon(3, 8.3, 199))]


def situations() -> list[Situation]:
    """Fine motifs, thin lines, weak second directions, few large cells, superstructures."""
    return [*_fine(), *_thin_lines(), *_weak_rows(), *_faint(), *_superstructures()]


def _fine() -> list[Situation]:
    """Hard-edged shapes that are not smoothed: periods are no whole pixels, the drawing is a staircase."""
    table = (
        ("triangles", "p3m1", vectors(19.3, 19.3, 120, 4), [(0.0, 0.0, polygon(3, 6.5, 34))]),
        ("triangles turned", "p3", vectors(23.7, 23.7, 120, 4), [(0.0, 0.0, polygon(3, 8.5, 17))]),
        ("squares", "p4m", vectors(38.4, 38.4, 90), [(0.0, 0.0, polygon(4, 13.0, 45))]),
        ("squares turned", "p4", vectors(26.3, 26.3, 90), [(0.0, 0.0, polygon(4, 9.7, 17))]),
        ("squares on a rectangle", "pmm", vectors(17.3, 24.9, 90, 9), [(0.0, 0.0, polygon(4, 6.0, 54))]),
        ("hexagons", "p6m", vectors(10.67, 10.67, 120), [(0.0, 0.0, polygon(6, 4.3, 0))]),
        ("pairs of triangles", "p6", vectors(31.1, 31.1, 120, 3), _PAIR),
        ("triangles on a rhombus", "cm", rhombic(37.7, 51.3, 0), [(0.0, 0.0, polygon(3, 11.0, 90))]),
        ("two discs", "p4m", vectors(27.3, 27.3, 90, 31), [(0.0, 0.0, disc(7.6)), (0.5, 0.5, disc(4.1))]),
        ("three discs", "p1", vectors(38.4, 31.7, 97), [(0, 0, disc(7.0)), (0.3, 0.42, disc(4)), (0.6, 0.1, disc(3))]),
    )
    return [
        situation("fine motif", name, right, lambda b=basis, p=points: image(Motif(b, p, (1.3, 2.1)), _SIZE))
        for name, right, basis, points in table
    ]


def _thin_lines() -> list[Situation]:
    found = []
    for period, width, right in ((32, 1, "p4m"), (32, 2, "p4m"), (21, 1, "p4m"), (45, 2, "p4m")):
        draw = lambda p=period, w=width: image(lambda x, y: 1.0 - ((x % p < w) | (y % p < w)), _SIZE)  # noqa: E731
        found.append(situation("thin lines", f"grid {period} px, lines {width} px", right, draw))
    found.append(situation("thin lines", "triangles of lines 34.7 px", "p6m", lambda: image(_triangles, _SIZE, 2)))
    found.append(situation("thin lines", "bricks 40 x 18 px", "cmm", lambda: image(_bricks, _SIZE)))
    found.append(situation("thin lines", "chessboard 4 px", "p4m", lambda: image(_chess, 512)))
    found.append(
        situation("thin lines", "chessboard 11 px", "p4m", lambda: image(lambda x, y: _chess(x, y, 11.0), _SIZE))
    )
    return found


def _triangles(x: Array, y: Array) -> Array:
    period, value = 34.7 * np.sqrt(3) / 2, np.zeros(x.shape)
    for angle in (15, 75, 135):
        t = np.radians(angle)
        value = np.maximum(value, ((x * np.cos(t) + y * np.sin(t) + 1.0) % period < 2.0).astype(float))
    return value


def _bricks(x: Array, y: Array) -> Array:
    row = np.floor(y / 18)
    return ((y % 18 < 2) | ((x + 20 * (row % 2)) % 40 < 2)).astype(float)


def _chess(x: Array, y: Array, side: float = 4.0) -> Array:
    return (np.floor(x / side) + np.floor(y / side)) % 2


def _weak_rows() -> list[Situation]:
    """Strong lines one way and weak ones the other: a rectangle or a square of lines, no stripes."""
    found = []
    for grey in (0.3, 0.2, 0.12):
        for across, words in ((32, "a square"), (26, "a rectangle")):
            draw = lambda g=grey, w=across: image(lambda x, y: 1 - np.maximum(y % 32 < 3, g * (x % w < 3)), _SIZE)  # noqa: E731
            found.append(situation("weak direction", f"{words}, {100 * grey:.0f} % grey", "pmm", draw))
    spots = Motif(vectors(25, 33, 90, 5), [(0, 0, gaussian(3.0, 0.3))], (3, 4))
    t = np.radians(5)

    def beads(x: Array, y: Array) -> Array:
        across = np.cos(t) * (y - 4) - np.sin(t) * (x - 3)
        return np.exp(-((across - 33 * np.rint(across / 33)) ** 2) / 18) + spots(x, y)

    found.append(situation("weak direction", "beads on rows", "pmm", lambda: noisy(image(beads, _SIZE), 0.05, 3)))
    return found


def _faint() -> list[Situation]:
    """Small cells under strong noise and clouds: the truth or a refusal, never a few large cells."""
    found = []
    table = (
        ("p6m", 33.0, 4.0), ("p4m", 28.0, 6.0), ("p4m", 24.0, 4.0), ("p3m1", 30.0, 4.0), ("pmm", 26.0, 6.0),
        ("p6m", 21.0, 5.0),
    )  # fmt: skip
    for k, (name, period, noise) in enumerate(table):
        draw = lambda n=name, p=period, s=noise, k=k: _clouded(n, p, s, k)  # noqa: E731
        above = {"p3m1": "p3m1 p6m", "p4m": "p4m", "pmm": "pmm"}.get(name, name)
        found.append(situation("faint", f"{name} {period:.0f} px, noise {noise:.1f} times", f"{above} refuse", draw))
    return found


def _clouded(name: str, period: float, noise: float, seed: int) -> Array:
    gamma = 120 if name[1] in "36" else 90
    basis = vectors(period, period * (1.3 if name == "pmm" else 1), gamma, 21)
    points = [(0.0, 0.0, gaussian(0.16 * period))]
    if name == "p3m1":
        points.append((1 / 3, 2 / 3, gaussian(0.16 * period, 0.5)))
    rng = seeded(name, seed)
    picture = noisy(image(Motif(basis, points, (3, 8)), _SIZE), noise, seed)
    y, x = np.mgrid[:_SIZE, :_SIZE]
    for _ in range(5):
        cx, cy, width = rng.uniform(0, _SIZE), rng.uniform(0, _SIZE), rng.uniform(60, 120)
        picture += 1.2 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
    return picture


def _superstructures() -> list[Situation]:
    """A lattice of which every second or third row differs by a few per cent."""
    found = []
    words = r"super(structure|lattice|cell)|larger (cell|period)|longer period|unexplained"
    table = (
        ("p4m", "pmm", vectors(20, 20, 90, 7), (2, 1), 0.3),
        ("p4m", "pmm", vectors(22, 22, 90, 7), (3, 1), 0.3),
        ("p4m", "p4m", vectors(19, 19, 90, 12), (2, 2), 0.4),
        ("p6m", "p6m", vectors(21, 21, 120, 12), (3, 3), 0.5),
        ("pmm", "pmm", vectors(18, 23, 90, 3), (1, 2), 0.25),
        ("p6m", "pmm", vectors(20, 20, 120, 2), (2, 1), 0.3),
    )
    for name, above, basis, (m, n), amount in table:
        points = [(i / m, j / n, gaussian(3.8, 1 + amount * ((i, j) == (0, 0)))) for i in range(m) for j in range(n)]
        motif = Motif(basis * np.array([m, n]), points, (3, 8))
        draw = lambda f=motif: noisy(image(f, _SIZE), 0.03, 3)  # noqa: E731
        right = name if name == above else f"{name} {above}"
        found.append(situation("superstructure", f"{name}, {m} x {n} cell, {100 * amount:.0f} %", right, draw, words))
    return found
