"""Kind 10: motifs that differ, waves and areas laid over a pattern, two patterns in two colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, gaussian, image, noisy, of_group
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 288
_PIPS = {
    1: [(0, 0)],
    2: [(-1, -1), (1, 1)],
    3: [(-1, -1), (0, 0), (1, 1)],
    4: [(-1, -1), (-1, 1), (1, -1), (1, 1)],
    5: [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)],
    6: [(-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)],
}


def situations() -> list[Situation]:
    """Each with what the text should say."""
    return [*_unlike(), *_modulated(), *_hum(), *_covered(), *_two_colours()]


def _unlike() -> list[Situation]:
    motifs: dict[str, Callable[[np.random.Generator, Array, Array], Array]] = {
        "dice": _die,
        "strokes": _strokes,
        "sevens": _segments,
    }
    return [
        situation("unlike motifs", f"{name}, {px} px", "refuse", lambda f=f, px=px: _grid(f, px), "differ|refus")
        for name, f in motifs.items()
        for px in (20, 28)
    ]


def _grid(motif: Callable[[np.random.Generator, Array, Array], Array], px: int) -> Array:
    rng, at = seeded("unlike", px), (np.arange(px) - (px - 1) / 2) / px
    y, x = np.meshgrid(at, at, indexing="ij")
    count = -(-_SIZE // px)
    return np.block([[motif(rng, x, y) for _ in range(count)] for _ in range(count)])[:_SIZE, :_SIZE]


def _die(rng: np.random.Generator, x: Array, y: Array) -> Array:
    spots = [np.hypot(x - 0.24 * i, y - 0.24 * j) < 0.09 for i, j in _PIPS[int(rng.integers(1, 7))]]
    return 1.0 * np.any(spots, 0)


def _strokes(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Three bars of the eight sides and diagonals of a small square."""
    out = np.zeros_like(x)
    for k in rng.choice(8, 3, replace=False):
        turn = np.pi / 4 * (k % 4)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        shift = 0.25 if k >= 4 else 0.0
        out = np.maximum(out, 1.0 * (np.abs(along) < 0.34) * (np.abs(across - shift) < 0.06))
    return out


def _segments(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A digit of seven segments, each lit or not."""
    bars = [np.abs(x) < 0.2, np.abs(y) < 0.4]
    level = [bars[0] & (np.abs(y - at) < 0.06) for at in (-0.36, 0.0, 0.36)]
    upright = [(np.abs(x - i) < 0.06) & (np.abs(y - j) < 0.18) for i in (-0.22, 0.22) for j in (-0.18, 0.18)]
    lit = [bar for bar in (*level, *upright) if rng.uniform() < 0.6]
    return 1.0 * np.any(lit, 0) if lit else np.zeros_like(x)


def _modulated() -> list[Situation]:
    """Square lattices whose atoms follow a wave of 3.17, 4.36 and 2.62 cells: their heights, or their places."""
    words = r"modulat|several lattices|fit no lattice|superstructure"
    return [
        situation("modulation", f"{how}, {cells:.2f} cells", "p4m refuse", lambda h=how, c=cells: _wavy(h, c), words)
        for how in ("heights", "places along it", "places across it")
        for cells in (3.17, 4.36, 2.62)
    ]


def _wavy(how: str, cells: float) -> Array:
    cell, shape, out = 9.3, gaussian(1.9), np.zeros((_SIZE, _SIZE))
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    for i in range(-1, int(_SIZE / cell) + 2):
        wave = np.sin(2 * np.pi * i / cells)
        for j in range(-1, int(_SIZE / cell) + 2):
            u, v = cell * i, cell * j
            if how != "heights":
                u, v = (u + 0.06 * cell * wave, v) if "along" in how else (u, v + 0.06 * cell * wave)
            near = (slice(max(0, int(v) - 8), int(v) + 10), slice(max(0, int(u) - 8), int(u) + 10))
            height = 1 + 0.3 * wave if how == "heights" else 1.0
            out[near] += height * shape.value(x[near] - u, y[near] - v)
    return noisy(out, 0.05, 5)


def _hum() -> list[Situation]:
    """Rows that a wave of the mains makes brighter and darker."""
    cases = [(name, period) for name in ("p4", "p4m", "pgg", "p31m") for period in (5.3, 31.0)]
    return [
        situation(
            "hum", f"{name}, {period:g} px", f"{name} refuse", lambda n=name, p=period: _humming(n, p), "wave|lattic"
        )
        for name, period in cases
    ]


def _humming(name: str, period: float) -> Array:
    clean = image(of_group(name, basis_of(name, 24.0), 6, 2), _SIZE)
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    return noisy(clean + 0.5 * clean.std() * np.sin(2 * np.pi * (y / period + x / 700)), 0.1, 6)


def _covered() -> list[Situation]:
    """A hole, a particle or a label over a third of the image."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    areas = {
        "hole": (np.hypot(x - 130, y - 150) < 95, -1.0),
        "particle": (np.hypot((x - 150) / 1.3, y - 120) < 80, 3.0),
        "label": ((np.abs(x - 140) < 100) & (np.abs(y - 160) < 75), 0.5),
    }
    return [
        situation("covered", f"{name} under a {what}", name, lambda n=name, w=what: _under(n, *areas[w]))
        for name in ("p4", "cmm", "p31m")
        for what in areas
    ]


def _under(name: str, where: Array, level: float) -> Array:
    clean = image(of_group(name, basis_of(name, 22.0), 8, 2), _SIZE)
    return noisy(np.where(where, clean.mean() + level * clean.std(), clean), 0.1, 7)


def _two_colours() -> list[Situation]:
    """A pattern in red and another, on a lattice of its own, in green."""
    cases = (
        ("p6m", 24.0, 7.0, "p4m", 29.0, 33.0),
        ("p4", 22.0, 0.0, "p31m", 27.0, 12.0),
        ("pmm", 25.0, 4.0, "p4m", 21.0, 4.0),
    )
    return [
        situation("two colours", f"{a} and {b}", "refuse", lambda c=case: _mixed(*c), "lattice")
        for case in cases
        for a, b in [(case[0], case[3])]
    ]


def _mixed(a: str, long: float, turn: float, b: str, other: float, other_turn: float) -> Array:
    def layer(name: str, length: float, angle: float) -> Array:
        picture = image(of_group(name, basis_of(name, length, angle), 4, 2), _SIZE)
        return (picture - picture.min()) / np.ptp(picture)

    return np.stack((layer(a, long, turn), layer(b, other, other_turn), np.zeros((_SIZE, _SIZE))), -1)
