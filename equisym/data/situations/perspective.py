"""Kind 8: plane patterns photographed at an angle, lines and spots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, image, noisy, of_group
from equisym.data.situations.situation import Situation, situation

_SIZE = (240, 320)
_TILTS = ((0.05, 0.03), (-0.04, 0.07), (0.1, -0.08))  # magnification from edge to edge along x and y, less one


def situations() -> list[Situation]:
    """Walls, fences and grids, and spots of four groups, each at three angles."""
    patterns: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
        "bricks": ("cmm", _bricks),
        "chevrons": ("pmg", _chevrons),
        "mesh": ("p4m", lambda x, y: 1.0 * (_line(x, 36.0, 1.0) | _line(y, 36.0, 1.0))),
        "gratings": ("pmm", lambda x, y: _line(x, 24.0, 2.0) + 0.5 * _line(y, 34.0, 2.0)),
    }
    patterns |= {
        f"spots of {name}": (name, of_group(name, basis_of(name, 26.0), 5, 2)) for name in ("p2", "p4", "p3m1", "p6m")
    }
    return [
        situation("perspective", f"{name}, {100 * a:g} and {100 * b:g} %", group, lambda f=f, a=a, b=b: _taken(f, a, b))
        for name, (group, f) in patterns.items()
        for a, b in _TILTS
    ]


def _taken(pattern: Callable[[Array, Array], Array], a: float, b: float) -> Array:
    """A pattern as a camera sees it that is magnified by so much from edge to edge, with noise."""
    height, width = _SIZE

    def seen(x: Array, y: Array) -> Array:
        distance = 1 + a * (x / width - 0.5) + b * (y / height - 0.5)
        return pattern((x - width / 2) / distance, (y - height / 2) / distance)

    return noisy(image(seen, _SIZE, 3), 0.1, 12)


def _line(t: Array, period: float, width: float) -> Array:
    """Whether a coordinate lies on lines of a width and period."""
    return np.abs(t / period - np.rint(t / period)) * period < width / 2


def _bricks(x: Array, y: Array) -> Array:
    row = np.floor(y / 20)
    return 1.0 * (_line(x + 21 * (row % 2), 42.0, 2.4) | _line(y, 20.0, 2.4))


def _chevrons(x: Array, y: Array) -> Array:
    """Lines that lean to either side in turn, and level ones between."""
    row = y / 80 - np.floor(y / 80)
    return 1.0 * (_line(x + 44 * np.abs(row - 0.5), 26.0, 2.8) | _line(y, 40.0, 2.8))
