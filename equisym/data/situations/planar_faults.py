"""Kind 5a: one lattice on either side of a line, shifted across it."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.crystals import columns
from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, image, noisy, of_group
from equisym.data.situations.situation import Situation, situation

_SIZE = 288
_WORDS = r"shift|fault|boundary|step"
_HALF, _THIRD = (0.5, 0.5), (1 / 3, 2 / 3)


def situations() -> list[Situation]:
    """Antiphase boundaries, stacking faults and step edges in crystals and in patterns of each group."""
    found = []
    for name, zone, right, scale, step in (
        ("SrTiO3", "001", "p4m", 6.0, _HALF),
        ("NaCl", "110", "cmm", 7.0, (0.5, 0.0)),
        ("CsCl", "100", "p4m", 6.0, _HALF),
        ("Cu3Au", "001", "p4m", 6.5, (0.5, 0.0)),
        ("NiAl", "110", "pmm", 8.0, (0.5, 0.5)),
        ("MoS2", "001", "p3m1", 7.5, _THIRD),
        ("graphene", "001", "p6m", 9.0, _THIRD),
        ("Si", "110", "cmm", 6.0, (0.33, 0.33)),
        ("rutile", "001", "p4g", 5.5, (0.5, 0.0)),
        ("Cu", "110", "cmm", 9.0, (0.33, 0.33)),
    ):
        u, v, w = (int(k) for k in zone)
        draw = lambda n=name, z=(u, v, w), k=scale, s=step: _antiphase(columns(n, z, k, 12.0), s)  # noqa: E731
        found.append(situation("planar fault", f"{name} [{zone}] antiphase", right, draw, _WORDS))
    for k, name in enumerate(("p1", "p2", "pm", "pgg", "p4", "p3", "p31m", "p6")):
        step = ((0.5, 0.0), (0.5, 0.5), (0.0, 0.5), (0.31, 0.47))[k % 4]
        draw = lambda n=name, k=k, s=step: _antiphase(of_group(n, basis_of(n), k, 2 if n in ("p6",) else 3), s, 40 * k)  # noqa: E731
        found.append(situation("planar fault", f"{name} shifted across a line", name, draw, _WORDS))
    for k, name in enumerate(("p4m", "p6m", "p3m1", "pmm")):
        draw = lambda n=name, k=k: _step(of_group(n, basis_of(n), k + 3, 2), 30 + 50 * k)  # noqa: E731
        found.append(situation("planar fault", f"{name} over a step edge", name, draw, _WORDS))
    return found


def _antiphase(motif: Motif, step: tuple[float, float], angle: float = 70.0, noise: float = 0.08) -> Array:
    moved = motif.moved(*(motif.basis @ np.array(step)))

    def value(x: Array, y: Array) -> Array:
        return np.where(_side(x, y, angle) < 6, motif(x, y), moved(x, y))

    return noisy(image(value, _SIZE), noise, 5)


def _step(motif: Motif, angle: float) -> Array:
    """Two terraces: the upper one brighter and shifted by a third of the cell."""
    moved = motif.moved(*(motif.basis @ np.array([1 / 3, 0.21])))
    height = 1.5 * float(motif.cell().std())

    def value(x: Array, y: Array) -> Array:
        side = _side(x, y, angle)
        return np.where(side < -10, motif(x, y), moved(x, y)) + height / (1 + np.exp(-(side + 10) / 2))

    return noisy(image(value, _SIZE), 0.08, 6)


def _side(x: Array, y: Array, angle: float) -> Array:
    t = np.radians(angle)
    return (x - _SIZE / 2) * np.cos(t) + (y - _SIZE / 2) * np.sin(t)
