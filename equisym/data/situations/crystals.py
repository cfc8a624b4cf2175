"""Known crystals seen along a zone axis, as projected atomic columns: cells in angstrom, atoms in fractions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.situations.drawing import Motif, gaussian
from equisym.data.situations.oracle import reduced

Array = NDArray[Any]
Atoms = tuple[tuple[str, float, float, float], ...]

Z = dict(B=5, C=6, N=7, O=8, Mg=12, Al=13, Si=14, S=16, Cl=17, Ca=20, Ti=22, V=23, Cr=24, Mn=25, Fe=26, Co=27, Ni=28)
Z |= dict(Cu=29, Zn=30, Ga=31, Ge=32, As=33, Se=34, Sr=38, Y=39, Zr=40, Nb=41, Mo=42, Pd=46, In=49, Sn=50, Te=52)
Z |= dict(Cs=55, Ba=56, La=57, Hf=72, W=74, Pt=78, Au=79, Pb=82, Bi=83, Na=11, F=9, K=19)


@dataclass(frozen=True)
class Crystal:
    """One crystal structure.

    Attributes:
        cell: lengths a, b, c in angstrom and angles alpha, beta, gamma in degrees.
        atoms: element and fractional position of every atom of the cell, centring written out.
    """

    cell: tuple[float, float, float, float, float, float]
    atoms: Atoms

    @property
    def vectors(self) -> Array:
        """Lattice vectors as columns, (3, 3)."""
        a, b, c, *angles = self.cell
        ca, cb, cg = np.cos(np.radians(angles))
        sg = np.sqrt(1 - cg**2)
        z = np.sqrt(1 - cb**2 - ((ca - cb * cg) / sg) ** 2)
        return np.array([[a, b * cg, c * cb], [0, b * sg, c * (ca - cb * cg) / sg], [0, 0, c * z]])


def centred(
    cell: tuple[float, float, float], kind: str, *atoms: tuple[str, float, float, float], angles=(90, 90, 90)
) -> Crystal:
    """A crystal whose atoms are repeated by the centring P, I, F, A, C or R (obverse)."""
    half = {"P": [], "I": [(0.5, 0.5, 0.5)], "A": [(0, 0.5, 0.5)], "C": [(0.5, 0.5, 0)]}
    half["F"] = [(0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    half["R"] = [(2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)]
    shifts = [(0.0, 0.0, 0.0), *half[kind]]
    every = tuple((e, (x + i) % 1, (y + j) % 1, (z + k) % 1) for e, x, y, z in atoms for i, j, k in shifts)
    return Crystal((*cell, *angles), every)


def _hexagonal(a: float, c: float, *atoms: tuple[str, float, float, float], kind: str = "P") -> Crystal:
    return centred((a, a, c), kind, *atoms, angles=(90, 90, 120))


def _cubic(a: float, kind: str, *atoms: tuple[str, float, float, float]) -> Crystal:
    return centred((a, a, a), kind, *atoms)


_ORIGIN = (0.0, 0.0, 0.0)
_S = 0.385  # position of the sulphur in pyrite


def _tetragonal_oxide(a: float, c: float, metal: str, u: float) -> Crystal:
    atoms = [("O", u, u, 0), ("O", -u, -u, 0), ("O", 0.5 + u, 0.5 - u, 0.5), ("O", 0.5 - u, 0.5 + u, 0.5)]
    return centred((a, a, c), "P", (metal, 0, 0, 0), (metal, 0.5, 0.5, 0.5), *atoms)


def _anatase(a: float, c: float, metal: str, z: float) -> Crystal:
    sites = [(0, 0, 0), (0, 0.5, 0.25)]
    atoms = [(e, x, y, w + d) for x, y, w in sites for e, d in ((metal, 0.0), ("O", z), ("O", -z))]
    return centred((a, a, c), "I", *atoms)


def _perovskite(a: float, large: str, small: str, anion: str = "O", c: float | None = None) -> Crystal:
    anions = [(anion, 0.5, 0.5, 0), (anion, 0.5, 0, 0.5), (anion, 0, 0.5, 0.5)]
    return centred((a, a, c or a), "P", (large, 0, 0, 0), (small, 0.5, 0.5, 0.5), *anions)


CRYSTALS: dict[str, Crystal] = {
    "Cu": _cubic(3.615, "F", ("Cu", *_ORIGIN)),
    "Au": _cubic(4.078, "F", ("Au", *_ORIGIN)),
    "Fe": _cubic(2.866, "I", ("Fe", *_ORIGIN)),
    "W": _cubic(3.165, "I", ("W", *_ORIGIN)),
    "Ti": _hexagonal(2.951, 4.684, ("Ti", 1 / 3, 2 / 3, 0.25), ("Ti", 2 / 3, 1 / 3, 0.75)),
    "Mg": _hexagonal(3.209, 5.211, ("Mg", 1 / 3, 2 / 3, 0.25), ("Mg", 2 / 3, 1 / 3, 0.75)),
    "Si": _cubic(5.431, "F", ("Si", *_ORIGIN), ("Si", 0.25, 0.25, 0.25)),
    "GaAs": _cubic(5.653, "F", ("Ga", *_ORIGIN), ("As", 0.25, 0.25, 0.25)),
    "InAs": _cubic(6.058, "F", ("In", *_ORIGIN), ("As", 0.25, 0.25, 0.25)),
    "NaCl": _cubic(5.640, "F", ("Na", *_ORIGIN), ("Cl", 0.5, 0, 0)),
    "PbTe": _cubic(6.462, "F", ("Pb", *_ORIGIN), ("Te", 0.5, 0, 0)),
    "CsCl": _cubic(4.123, "P", ("Cs", *_ORIGIN), ("Cl", 0.5, 0.5, 0.5)),
    "NiAl": _cubic(2.887, "P", ("Ni", *_ORIGIN), ("Al", 0.5, 0.5, 0.5)),
    "CaF2": _cubic(5.463, "F", ("Ca", *_ORIGIN), ("F", 0.25, 0.25, 0.25), ("F", 0.75, 0.75, 0.75)),
    "SrTiO3": _perovskite(3.905, "Sr", "Ti"),
    "PbTiO3": centred(
        (3.904, 3.904, 4.152),
        "P",
        ("Pb", 0, 0, 0),
        ("Ti", 0.5, 0.5, 0.54),
        ("O", 0.5, 0.5, 0.112),
        ("O", 0.5, 0, 0.612),
        ("O", 0, 0.5, 0.612),
    ),
    "rutile": _tetragonal_oxide(4.594, 2.959, "Ti", 0.305),
    "SnO2": _tetragonal_oxide(4.737, 3.186, "Sn", 0.307),
    "anatase": _anatase(3.785, 9.514, "Ti", 0.208),
    "YBCO": centred(
        (3.823, 3.886, 11.68),
        "P",
        ("Cu", 0, 0, 0),
        ("Cu", 0, 0, 0.355),
        ("Cu", 0, 0, 0.645),
        ("Y", 0.5, 0.5, 0.5),
        ("Ba", 0.5, 0.5, 0.184),
        ("Ba", 0.5, 0.5, 0.816),
        ("O", 0, 0.5, 0),
        ("O", 0, 0, 0.159),
        ("O", 0, 0, 0.841),
        ("O", 0, 0.5, 0.378),
        ("O", 0, 0.5, 0.622),
        ("O", 0.5, 0, 0.378),
        ("O", 0.5, 0, 0.622),
    ),
    "ZrO2": centred(
        (5.151, 5.212, 5.317),
        "P",
        *(
            (e, x, y, z)
            for e, u, v, w in (("Zr", 0.275, 0.040, 0.208), ("O", 0.070, 0.332, 0.345), ("O", 0.450, 0.757, 0.480))
            for x, y, z in ((u, v, w), (-u, -v, -w), (-u, v + 0.5, 0.5 - w), (u, 0.5 - v, w + 0.5))
        ),
        angles=(90, 99.2, 90),
    ),
    "ZnO": _hexagonal(
        3.250,
        5.207,
        *(
            (e, x, y, z)
            for e, w in (("Zn", 0.0), ("O", 0.382))
            for x, y, z in ((1 / 3, 2 / 3, w), (2 / 3, 1 / 3, w + 0.5))
        ),
    ),
    "InN": _hexagonal(
        3.545,
        5.703,
        *(
            (e, x, y, z)
            for e, w in (("In", 0.0), ("N", 0.377))
            for x, y, z in ((1 / 3, 2 / 3, w), (2 / 3, 1 / 3, w + 0.5))
        ),
    ),
    "graphene": _hexagonal(2.460, 20.0, ("C", 1 / 3, 2 / 3, 0), ("C", 2 / 3, 1 / 3, 0)),
    "hBN": _hexagonal(2.504, 20.0, ("B", 1 / 3, 2 / 3, 0), ("N", 2 / 3, 1 / 3, 0)),
    "MoS2": _hexagonal(3.160, 20.0, ("Mo", 1 / 3, 2 / 3, 0), ("S", 2 / 3, 1 / 3, 0.08), ("S", 2 / 3, 1 / 3, -0.08)),
    "WSe2": _hexagonal(3.282, 20.0, ("W", 1 / 3, 2 / 3, 0), ("Se", 2 / 3, 1 / 3, 0.08), ("Se", 2 / 3, 1 / 3, -0.08)),
    "TiS2": _hexagonal(3.407, 5.695, ("Ti", 0, 0, 0), ("S", 1 / 3, 2 / 3, 0.25), ("S", 2 / 3, 1 / 3, -0.25)),
    "MgB2": _hexagonal(3.086, 3.524, ("Mg", 0, 0, 0), ("B", 1 / 3, 2 / 3, 0.5), ("B", 2 / 3, 1 / 3, 0.5)),
    "NiAs": _hexagonal(
        3.619, 5.034, ("Ni", 0, 0, 0), ("Ni", 0, 0, 0.5), ("As", 1 / 3, 2 / 3, 0.25), ("As", 2 / 3, 1 / 3, 0.75)
    ),
    "Bi2Te3": _hexagonal(
        4.386,
        30.50,
        ("Bi", 0, 0, 0.400),
        ("Bi", 0, 0, 0.600),
        ("Te", 0, 0, 0),
        ("Te", 0, 0, 0.212),
        ("Te", 0, 0, 0.788),
        kind="R",
    ),
    "pyrite": _cubic(
        5.418,
        "P",
        *(("Fe", x, y, z) for x, y, z in ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))),
        *(
            ("S", s * x, s * y, s * z)
            for s in (1, -1)
            for x, y, z in (
                (_S, _S, _S),
                (0.5 - _S, -_S, 0.5 + _S),
                (-_S, 0.5 + _S, 0.5 - _S),
                (0.5 + _S, 0.5 - _S, -_S),
            )
        ),
    ),
    "Cu2O": _cubic(
        4.270,
        "P",
        ("O", 0, 0, 0),
        ("O", 0.5, 0.5, 0.5),
        *(
            ("Cu", x, y, z)
            for x, y, z in ((0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.75, 0.25, 0.75), (0.25, 0.75, 0.75))
        ),
    ),
    "Cr3Si": _cubic(
        4.558,
        "P",
        ("Si", 0, 0, 0),
        ("Si", 0.5, 0.5, 0.5),
        *(
            ("Cr", x, y, z)
            for x, y, z in (
                (0.25, 0, 0.5),
                (0.75, 0, 0.5),
                (0.5, 0.25, 0),
                (0.5, 0.75, 0),
                (0, 0.5, 0.25),
                (0, 0.5, 0.75),
            )
        ),
    ),
    "Cu3Au": _cubic(3.748, "P", ("Au", 0, 0, 0), ("Cu", 0.5, 0.5, 0), ("Cu", 0.5, 0, 0.5), ("Cu", 0, 0.5, 0.5)),
    "CuAu": centred(
        (3.966, 3.966, 3.673), "P", ("Cu", 0, 0, 0), ("Cu", 0.5, 0.5, 0), ("Au", 0.5, 0, 0.5), ("Au", 0, 0.5, 0.5)
    ),
    "LaMnO3": centred(  # without its oxygen, which is dark beside lanthanum
        (5.537, 5.749, 7.694),
        "P",
        *(
            (e, x, y, z)
            for e, u, v, w in (("La", -0.007, 0.049, 0.25),)
            for x, y, z in ((u, v, w), (-u, -v, -w), (0.5 - u, 0.5 + v, 0.5 - w), (0.5 + u, 0.5 - v, 0.5 + w))
        ),
        *(("Mn", x, y, z) for x, y, z in ((0.5, 0, 0), (0.5, 0, 0.5), (0, 0.5, 0), (0, 0.5, 0.5))),
    ),
    "La2CuO4": centred(
        (3.803, 3.803, 13.15),
        "I",
        ("Cu", 0, 0, 0),
        ("La", 0, 0, 0.361),
        ("La", 0, 0, 0.639),
        ("O", 0.5, 0, 0),
        ("O", 0, 0.5, 0),
        ("O", 0, 0, 0.182),
        ("O", 0, 0, 0.818),
    ),
    "MgAl2O4": _cubic(
        8.083,
        "F",
        ("Mg", 0, 0, 0),
        ("Mg", 0.25, 0.25, 0.25),
        ("Al", 0.625, 0.625, 0.625),
        ("Al", 0.625, 0.875, 0.875),
        ("Al", 0.875, 0.625, 0.875),
        ("Al", 0.875, 0.875, 0.625),
    ),
    "FeSe": centred(
        (3.773, 3.773, 5.526),
        "P",
        ("Fe", 0.75, 0.25, 0),
        ("Fe", 0.25, 0.75, 0),
        ("Se", 0.25, 0.25, 0.266),
        ("Se", 0.75, 0.75, -0.266),
    ),
    "SnSe": centred(
        (11.501, 4.153, 4.445),
        "P",
        *(
            (e, x, y, z)
            for e, u, w in (("Sn", 0.118, 0.103), ("Se", 0.855, 0.479))
            for x, y, z in ((u, 0.25, w), (-u, 0.75, -w), (0.5 - u, 0.75, 0.5 + w), (0.5 + u, 0.25, 0.5 - w))
        ),
    ),
}


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
        name: in ``CRYSTALS``.
        zone: axis of view, in the crystal's vectors.
        scale: pixels in an angstrom.
        turn: of the image, in degrees.
        sigma: of a column's spot, in angstrom.
    """
    basis, points = project(CRYSTALS[name], zone)
    t = np.radians(turn)
    rotation = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return Motif(scale * rotation @ basis, [(u, v, gaussian(sigma * scale, w)) for u, v, w in points], (3.0, 5.0))
