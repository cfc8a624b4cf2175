"""Kind 1: more and more of one pattern, up to 10,000 cells."""

from __future__ import annotations

from equisym.data.situations.drawing import image, noisy, of_group, vectors
from equisym.data.situations.situation import Situation, situation

SIDES = (8, 16, 24, 32, 48, 64, 85)  # repeats along a side of the series with a cell of 12 pixels
_OTHERS = (
    ("p6m", 17.0, 60), ("p3", 11.0, 93), ("p31m", 16.0, 40), ("pgg", 14.0, 50), ("p2", 13.0, 60), ("cmm", 15.0, 45),
    ("p4g", 10.24, 100), ("p1", 16.0, 40), ("pm", 12.0, 70),
)  # fmt: skip
_NOISE = 0.05


def situations() -> list[Situation]:
    """Patterns shown often; their certainty must not fall with their number."""
    found = [situation("repeats", f"p4 12 px {n:02d} a side", "p4", lambda n=n: series(n)) for n in SIDES]
    for name, period, count in _OTHERS:
        found.append(situation("repeats", f"{name} {count} a side", name, lambda c=(name, period, count): _often(*c)))
    return found


def series(count: int):
    """The same pattern of p4 with a cell of 12 pixels, ``count`` times along each side."""
    return noisy(image(of_group("p4", vectors(12, 12, 90), 3, sigma=0.11), 12 * count), _NOISE, 1)


def _often(name: str, period: float, count: int):
    gamma = {"p6m": 120, "p3": 120, "p31m": 120, "p1": 101, "p2": 81}.get(name, 90)
    ratio = 1.0 if name in ("p6m", "p3", "p31m", "p4g") else 1.31
    basis = vectors(period, period * ratio, gamma, 7.3)
    return noisy(
        image(of_group(name, basis, 5, 2 if name.startswith("p6") else 3, sigma=0.11), int(period * count)), _NOISE, 2
    )
