"""Kind 2, simulated: projections of known crystals with the plane groups that their columns have."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.crystals import CRYSTALS, columns, project
from equisym.data.situations.drawing import image, noisy
from equisym.data.situations.situation import Situation, seeded, situation

# crystal, zone axis, right groups (two where the lower one differs by less than the tolerance of 5 %), and groups of
# a lattice that is stretched by the number
_TABLE: tuple[tuple[str, str, str, dict[str, float]], ...] = (
    ("Cu", "100", "p4m", {}),
    ("Cu", "110", "cmm", {}),
    ("Cu", "111", "p6m", {}),
    ("Cu", "211", "pmm", {}),
    ("Fe", "100", "p4m", {}),
    ("Fe", "110", "pmm", {}),
    ("W", "111", "p6m", {}),
    ("Ti", "001", "p6m", {}),
    ("Mg", "100", "pmg", {}),
    ("Si", "110", "cmm", {}),
    ("Si", "111", "p6m", {}),
    ("GaAs", "110", "cm cmm", {}),
    ("InAs", "110", "cm", {}),
    ("NaCl", "110", "cmm", {}),
    ("PbTe", "110", "cmm", {}),
    ("CsCl", "100", "p4m", {}),
    ("CsCl", "110", "pmm", {}),
    ("NiAl", "110", "pmm", {}),
    ("CaF2", "110", "cmm", {}),
    ("SrTiO3", "001", "p4m", {}),
    ("SrTiO3", "110", "pmm", {}),
    ("SrTiO3", "111", "p6m", {}),
    ("PbTiO3", "100", "pm pmm", {"p4m": 0.031}),
    ("PbTiO3", "110", "pm pmm", {}),
    ("rutile", "001", "p4g", {}),
    ("rutile", "100", "cmm", {"p6m": 0.055}),
    ("rutile", "110", "pmm", {}),
    ("rutile", "101", "pmg", {}),
    ("SnO2", "100", "cmm", {}),
    ("anatase", "100", "cmm", {}),
    ("anatase", "110", "cmm", {}),
    ("YBCO", "001", "pmm", {"p4m": 0.0082}),
    ("YBCO", "100", "pmm", {}),
    ("YBCO", "110", "pmm", {}),
    ("ZrO2", "100", "pgg", {}),
    ("ZrO2", "010", "p2", {}),
    ("ZrO2", "001", "pmg", {}),
    ("ZrO2", "110", "p2", {"pmg": 0.0575}),
    ("ZnO", "001", "p6m", {}),
    ("ZnO", "100", "pg pmg", {}),
    ("InN", "100", "pg pmg", {}),
    ("graphene", "001", "p6m", {}),
    ("hBN", "001", "p3m1", {}),
    ("MoS2", "001", "p3m1", {}),
    ("WSe2", "001", "p3m1", {}),
    ("TiS2", "001", "p6m", {}),
    ("TiS2", "100", "p2", {}),
    ("MgB2", "100", "pmm", {}),
    ("NiAs", "100", "pmg", {}),
    ("Bi2Te3", "100", "p2", {}),
    ("pyrite", "001", "pmg", {}),
    ("pyrite", "110", "pgg", {}),
    ("Cu2O", "001", "p4m", {}),
    ("Cr3Si", "001", "p4m", {}),
    ("Cr3Si", "110", "pmm", {}),
    ("Cu3Au", "110", "pmm", {}),
    ("CuAu", "110", "pmm", {}),
    ("LaMnO3", "110", "pmg", {}),
    ("La2CuO4", "100", "cmm", {}),
    ("La2CuO4", "110", "pmm", {}),
    ("MgAl2O4", "110", "cmm", {}),
    ("FeSe", "100", "pmg", {}),
    ("SnSe", "010", "pgg", {}),
    ("SnSe", "001", "pmg", {}),
    ("SnSe", "100", "cmm", {}),
)
_SHORTEST = 15.0  # pixels of the shorter vector
_CELLS = 50.0  # the image's side holds at least so many cells


def known_crystals() -> list[Situation]:
    """Simulated dark-field images of crystals: one spot a column, Z^1.6 bright, at an arbitrary turn, with noise."""
    return [
        situation("crystal", f"{name} [{zone}]", right, lambda n=name, z=zone: _draw(n, z), strained=strained)
        for name, zone, right, strained in _TABLE
    ]


def axis(zone: str) -> tuple[int, int, int]:
    """A zone axis from its digits."""
    u, v, w = (int(k) for k in zone)
    return u, v, w


def _draw(name: str, zone: str) -> np.ndarray:
    rng = seeded(name, zone)
    basis, _ = project(CRYSTALS[name], axis(zone))
    scale = _SHORTEST / float(np.linalg.norm(basis, axis=0).min())
    side = np.sqrt(_CELLS * abs(np.linalg.det(basis))) * scale
    size = int(np.clip(side, 224, 448))
    turn, sigma = float(rng.uniform(0, 90)), float(max(0.4, 1.3 / scale))
    motif = columns(name, axis(zone), scale, turn, sigma)
    return noisy(image(motif, size), 0.1, int(rng.integers(1 << 30)))
