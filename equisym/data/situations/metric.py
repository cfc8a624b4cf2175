"""Kind 2: round motifs on lattices close to one of higher symmetry; only the lattice decides."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.drawing import Array, Motif, disc, gaussian, image, noisy, of_group, rhombic, vectors
from equisym.data.situations.situation import Situation, situation

_HEX = np.sqrt(3)
_SIZE = 288


def stretch(ratio: float) -> float:
    """The strain that makes two axes equal: half the logarithm of their ratio."""
    return abs(float(np.log(ratio))) / 2


def shear(gamma: float, a: float = 1.0, b: float = 1.0) -> float:
    """The strain between an oblique lattice and the nearest rectangular one on the same vectors."""
    metric = np.array([[a * a, a * b * np.cos(np.radians(gamma))], [a * b * np.cos(np.radians(gamma)), b * b]])
    low, high = np.linalg.eigvalsh(np.diag([1 / a, 1 / b]) @ metric @ np.diag([1 / a, 1 / b]))
    return float(np.log(high / low) / 4)


def situations() -> list[Situation]:
    """Patterns whose motif has a higher symmetry than their lattice."""
    found = []
    for a, b in ((40, 44), (30, 32.4), (24, 29.0), (36, 36.5), (25, 26.2)):
        draw = lambda a=a, b=b: noisy(_lines(a, b), 0.05, 1)  # noqa: E731
        found.append(situation("metric", f"lines {a} x {b}", "pmm", draw, strained={"p4m": stretch(b / a)}))
    for gamma in (91, 92, 94, 97, 101):
        draw = lambda g=gamma: _discs(vectors(24, 31, g, 11))  # noqa: E731
        found.append(
            situation("metric", f"discs at {gamma} degrees", "p2", draw, strained={"pmm": shear(gamma, 24, 31)})
        )
    for percent in (-17, -11, -6, -3, 3, 6, 11, 17):
        ratio = 1 + percent / 100
        draw = lambda r=ratio: _discs(rhombic(26, 26 * _HEX * r, 8))  # noqa: E731
        found.append(
            situation(
                "metric", f"centred, {percent:+d} % from hexagonal", "cmm", draw, strained={"p6m": stretch(ratio)}
            )
        )
    for percent in (3, 6, 10):
        draw = lambda p=percent: _discs(rhombic(36, 36 * (1 + p / 100), 20))  # noqa: E731
        found.append(
            situation(
                "metric", f"centred, {percent} % from square", "cmm", draw, strained={"p4m": stretch(1 + percent / 100)}
            )
        )
    for percent in (0.5, 1.7, 4, 7, 12, 17):
        draw = lambda p=percent: _spots(vectors(22, 22 * (1 + p / 100), 90, 33))  # noqa: E731
        found.append(
            situation(
                "metric", f"spots, {percent} % from square", "pmm", draw, strained={"p4m": stretch(1 + percent / 100)}
            )
        )
    for name, lower, percent in (
        ("p4", "p2", 8),
        ("p4g", "pgg", 9),
        ("p3m1", "cm", 9),
        ("p31m", "cm", 10),
        ("p6", "p2", 10),
        ("p3", "p1", 12),
        ("p4m", "pmm", 5),
        ("p6m", "cmm", 8),
    ):
        draw = lambda n=name, p=percent: _stretched(n, 1 + p / 100)  # noqa: E731
        found.append(
            situation(
                "metric", f"{name} stretched by {percent} %", lower, draw, strained={name: stretch(1 + percent / 100)}
            )
        )
    for name, lower in (("p4", "p2"), ("p6m", "cmm"), ("p3m1", "cm"), ("p4g", "pgg"), ("p31m", "cm")):
        draw = lambda n=name: _stretched(n, 1.024)  # noqa: E731
        found.append(situation("metric", f"{name} scan off by 2.4 %", lower, draw, strained={name: stretch(1.024)}))
    return found


def _lines(a: float, b: float) -> Array:
    def dark(x: Array, y: Array) -> Array:
        return 1.0 - ((x % a < 3) | (y % b < 3))

    return image(dark, _SIZE, 4)


def _discs(basis: Array) -> Array:
    radius = 0.3 * float(np.linalg.norm(basis, axis=0).min())
    return noisy(image(Motif(basis, [(0, 0, disc(radius))], (4.0, 9.0)), _SIZE, 3), 0.08, 2)


def _spots(basis: Array) -> Array:
    return noisy(image(Motif(basis, [(0, 0, gaussian(4.5))], (4.0, 9.0)), _SIZE), 0.08, 3)


def _stretched(name: str, ratio: float) -> Array:
    """A pattern of a group on its lattice, stretched along a line of its own: along a mirror where there is one."""
    gamma = 120 if name.startswith(("p3", "p6")) else 90
    turn = {"p4": 20.0, "p6": 20.0, "p3": 20.0}.get(name, 0.0)
    basis = vectors(30, 30, gamma, turn)
    basis = np.diag([np.sqrt(ratio), 1 / np.sqrt(ratio)]) @ basis
    t = np.radians(17)
    basis = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) @ basis
    return noisy(image(of_group(name, basis, 4, 2 if name.startswith("p6") else 3), _SIZE), 0.05, 4)
