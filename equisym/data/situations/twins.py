"""Kind 7: two orientations of one crystal on one lattice."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, noisy, of_group
from equisym.data.situations.situation import REFUSE, Situation, situation

_SIZE = 320
_WORDS = r"domain|twin|two (parts|halves|motifs)"


def situations() -> list[Situation]:
    """Twins: each side has the group, and their average would have a higher one."""
    found = []
    table = (
        ("p6", "mirrored"), ("p3", "turned"), ("p3m1", "turned"), ("p31m", "turned"), ("p4", "mirrored"),
        ("p2", "mirrored"), ("pmm", "quarter"), ("pm", "turned"), ("p3", "mirrored"), ("p1", "turned"),
    )  # fmt: skip
    for k, (name, way) in enumerate(table):
        for share in (0.5, 0.3):
            draw = lambda n=name, w=way, s=share, k=k: twins(n, w, s, k)  # noqa: E731
            found.append(situation("domains", f"{name} {way}, {100 * share:.0f} %", f"{name} {REFUSE}", draw, _WORDS))
    for k, name in enumerate(("p6", "p4", "p3m1")):
        found.append(situation("one domain", name, name, lambda n=name, k=k: twins(n, "mirrored", 0.0, k)))
    return found


def twins(name: str, way: str, share: float, seed: int) -> Array:
    """A pattern, and beyond a line its image under an operation of the lattice that is not of its group."""
    gamma_square = name == "pmm"
    basis = basis_of("p4" if gamma_square else "pm" if name == "p2" else name, 26.0, 0.0)
    motif = of_group(name, basis, seed, 3)
    motif = Motif(basis, motif.points, (0.0, 0.0))
    w = {"mirrored": np.diag([1.0, -1.0]), "turned": -np.eye(2), "quarter": np.array([[0.0, -1.0], [1.0, 0.0]])}[way]
    t = np.radians(19)
    turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    across = x * np.cos(0.7) + y * np.sin(0.7)
    edge = np.quantile(across, 1 - share) + (share == 0)
    here = np.tensordot(turn, np.stack((x, y)), 1)
    there = np.tensordot(w, here, 1)
    return noisy(np.where(across < edge, motif(*here), motif(*there)), 0.08, seed)
