"""Known crystals seen along a zone axis, as projected atomic columns; their structures are in ``crystals.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.situations.drawing import Motif, gaussian
from equisym.data.situations.oracle import reduced

Array = NDArray[Any]
Atom = tuple[str, float, float, float]

Z = dict(B=5, C=6, N=7, O=8, Mg=12, Al=13, Si=14, S=16, Cl=17, Ca=20, Ti=22, V=23, Cr=24, Mn=25, Fe=26, Co=27, Ni=28)
Z |= dict(Cu=29, Zn=30, Ga=31, Ge=32, As=33, Se=34, Sr=38, Y=39, Zr=40, Nb=41, Mo=42, Pd=46, In=49, Sn=50, Te=52)
Z |= dict(Cs=55, Ba=56, La=57, Hf=72, W=74, Pt=78, Au=79, Pb=82, Bi=83, Na=11, F=9, K=19)


CENTRING = {
    "P": ["0 0 0"],
    "I": ["0 0 0", "1/2 1/2 1/2"],
    "F": ["0 0 0", "0 1/2 1/2", "1/2 0 1/2", "1/2 1/2 0"],
    "R": ["0 0 0", "2/3 1/3 1/3", "1/3 2/3 2/3"],
}
"""Translations by which a cell's centring repeats its atoms; of R, the obverse setting."""


@dataclass(frozen=True)
class Crystal:
    """One crystal structure.

    Attributes:
        cell: lengths a, b, c in angstrom and angles alpha, beta, gamma in degrees.
        atoms: element and fractional position of every atom of the cell, centring written out.
        views: right groups for each zone axis.
        strained: for a zone axis, groups of a lattice that is stretched by the number.
    """

    cell: tuple[float, float, float, float, float, float]
    atoms: tuple[Atom, ...]
    views: dict[str, str] = field(default_factory=dict)
    strained: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def vectors(self) -> Array:
        """Lattice vectors as columns, (3, 3)."""
        a, b, c, *angles = self.cell
        ca, cb, cg = np.cos(np.radians(angles))
        sg = np.sqrt(1 - cg**2)
        z = np.sqrt(1 - cb**2 - ((ca - cb * cg) / sg) ** 2)
        return np.array([[a, b * cg, c * cb], [0, b * sg, c * (ca - cb * cg) / sg], [0, 0, c * z]])


@cache
def crystals() -> dict[str, Crystal]:
    """All known crystals by name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return {name: _crystal(**entry) for name, entry in table.items()}


def _crystal(cell: list[float], centring: str, atoms: list[str], **seen: Any) -> Crystal:
    every = []
    for element, *position in map(str.split, atoms):
        for shift in CENTRING[centring]:
            x, y, z = (float((Fraction(p) + Fraction(s)) % 1) for p, s in zip(position, shift.split(), strict=True))
            every.append((element, x, y, z))
    a, b, c, alpha, beta, gamma = cell
    return Crystal((a, b, c, alpha, beta, gamma), tuple(every), **seen)


def project(crystal: Crystal, zone: tuple[int, int, int]) -> tuple[Array, list[tuple[float, float, float]]]:
    """A crystal's columns along a zone axis.

    Returns:
        Primitive vectors of the projection in angstrom, columns, in a plane perpendicular to the axis; and
        ``(u, v, weight)`` of each column: fractional position and the sum of Z^1.6 over the repeat along the axis.
    """
    m = crystal.vectors
    axis = m @ np.array(zone)
    axis /= np.linalg.norm(axis)
    first = m @ next(
        np.array(v) for v in ((1, 0, 0), (0, 1, 0)) if np.abs(np.cross(m @ np.array(v), axis)).max() > 1e-6
    )
    x = first - axis * (first @ axis)
    x /= np.linalg.norm(x)
    plane = np.array([x, np.cross(axis, x)])
    steps = [plane @ m @ np.array(t) for t in product(range(-3, 4), repeat=3)]
    basis = _shortest(steps)
    at = [plane @ m @ np.array(p) for _, *p in crystal.atoms]
    columns = _merged(basis, at, [float(Z[e]) ** 1.6 for e, *_ in crystal.atoms])
    extra = [np.array(p[:2]) - columns[0][:2] for p in columns[1:] if abs(p[2] - columns[0][2]) < 1e-6]
    held = [t for t in extra if _holds(columns, t)]
    if held:
        basis = _shortest([*(basis @ t for t in held), *(basis @ t for t in product(range(-2, 3), repeat=2))])
        columns = _merged(basis, at, [float(Z[e]) ** 1.6 for e, *_ in crystal.atoms])
    top = max(w for *_, w in columns)
    return basis, [(u, v, w / top) for u, v, w in columns]


def _shortest(steps: list[Array]) -> Array:
    """A reduced basis of the lattice that some vectors span: the two that enclose the least area."""
    long = sorted((s for s in steps if np.linalg.norm(s) > 1e-3), key=np.linalg.norm)[:60]
    pairs = ((abs(a[0] * b[1] - a[1] * b[0]), i, j) for i, a in enumerate(long) for j, b in enumerate(long[:i]))
    areas = [p for p in pairs if p[0] > 1e-3]
    least = min(area for area, *_ in areas)
    _, i, j = min((p for p in areas if p[0] < 1.001 * least), key=lambda p: p[1] + p[2])
    return reduced(np.array([long[i], long[j]]).T)


def _merged(basis: Array, at: list[Array], weights: list[float]) -> list[tuple[float, float, float]]:
    columns: list[list[float]] = []
    for p, weight in zip(at, weights, strict=True):
        t = np.linalg.solve(basis, p) % 1
        for column in columns:
            d = t - column[:2]
            if np.abs(d - np.rint(d)).max() < 1e-4:
                column[2] += weight
                break
        else:
            columns.append([*t, weight])
    return [(u, v, w) for u, v, w in columns]


def _holds(columns: list[tuple[float, float, float]], step: Array) -> bool:
    for u, v, w in columns:
        d = [np.array([a - u, b - v]) - step for a, b, weight in columns if abs(weight - w) < 1e-6]
        if not any(np.abs(t - np.rint(t)).max() < 1e-4 for t in d):
            return False
    return True


def columns(name: str, zone: tuple[int, int, int], scale: float, turn: float = 0.0, sigma: float = 0.45) -> Motif:
    """A crystal's projection as round spots.

    Args:
        name: in :func:`crystals`.
        zone: axis of view, in the crystal's vectors.
        scale: pixels in an angstrom.
        turn: of the image, in degrees.
        sigma: of a column's spot, in angstrom.
    """
    basis, points = project(crystals()[name], zone)
    t = np.radians(turn)
    rotation = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return Motif(scale * rotation @ basis, [(u, v, gaussian(sigma * scale, w)) for u, v, w in points], (3.0, 5.0))
