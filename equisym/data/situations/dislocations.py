"""Kind 12: crystals that no lattice describes from end to end: a dislocation, several faults, a bent lens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.crystals import columns
from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, image, noisy, of_group
from equisym.data.situations.situation import Situation, situation

_SIZE = 400
_WORDS = r"fault|shift|windows"
Move = Callable[[Array, Array], tuple[Array, Array]]


def situations() -> list[Situation]:
    """Edge dislocations, four parallel faults and barrel distortion in crystals and in patterns of several groups."""
    motifs: dict[str, tuple[str, Callable[[], Motif]]] = {
        "SrTiO3 [001]": ("p4m", lambda: columns("SrTiO3", (0, 0, 1), 6.0, 12.0)),
        "Si [110]": ("cmm", lambda: columns("Si", (1, 1, 0), 5.0, 12.0)),
        "MoS2 [001]": ("p3m1", lambda: columns("MoS2", (0, 0, 1), 6.5, 12.0)),
    }
    for k, name in enumerate(("p2", "pmg", "p4", "p6", "p31m")):
        motifs[name] = (name, lambda n=name, k=k: of_group(n, basis_of(n), k + 20, 2))
    found = []
    for k, (name, (right, motif)) in enumerate(motifs.items()):
        for kind, what, move in (
            ("dislocation", f"{name}, edge dislocation", _edge(1 if k % 2 else -1)),
            ("several faults", f"{name}, four faults", _faults(35.0 + 40 * k)),
            ("barrel", f"{name}, barrel distortion of 4 %", _barrel(0.04)),
        ):
            draw = lambda motif=motif, move=move: _moved(motif(), move)  # noqa: E731
            found.append(situation(kind, what, right, draw, None if kind == "barrel" else _WORDS))
    return found


def _moved(motif: Motif, move: Callable[[Motif], Move]) -> Array:
    """A pattern of which every point is displaced."""
    by = move(motif)

    def value(x: Array, y: Array) -> Array:
        dx, dy = by(x - _SIZE / 2, y - _SIZE / 2)
        return motif(x - dx, y - dy)

    return noisy(image(value, _SIZE), 0.1, 7)


def _edge(sign: int) -> Callable[[Motif], Move]:
    """An edge dislocation in the middle, of one lattice vector, in an isotropic medium of Poisson's ratio 1/3."""

    def of(motif: Motif) -> Move:
        b = sign * motif.basis[:, 0]
        length = float(np.linalg.norm(b))
        along, across = b / length, np.array([-b[1], b[0]]) / length

        def move(x: Array, y: Array) -> tuple[Array, Array]:
            u, v = x * along[0] + y * along[1], x * across[0] + y * across[1]
            square = u * u + v * v + 1.0
            first = np.arctan2(v, u) + u * v / (4 / 3 * square)
            second = -(np.log(square) / 8 + (u * u - v * v) / (16 / 3 * square))
            first, second = (length / (2 * np.pi) * part for part in (first, second))
            return first * along[0] + second * across[0], first * along[1] + second * across[1]

        return move

    return of


def _faults(angle: float) -> Callable[[Motif], Move]:
    """Four parallel lines at uneven distances, across each of which the pattern is shifted by a part of its cell."""

    def of(motif: Motif) -> Move:
        t = np.radians(angle)
        lines = _SIZE * np.array([-0.33, -0.12, 0.11, 0.29])
        steps = [motif.basis @ np.array(step) for step in ((0.5, 0.0), (0.5, 0.5), (1 / 3, 2 / 3), (0.0, 0.5))]

        def move(x: Array, y: Array) -> tuple[Array, Array]:
            side = x * np.cos(t) + y * np.sin(t)
            beyond = [side > line for line in lines]
            dx, dy = (sum(step[i] * past for step, past in zip(steps, beyond, strict=True)) for i in range(2))
            return np.asarray(dx), np.asarray(dy)

        return move

    return of


def _barrel(amount: float) -> Callable[[Motif], Move]:
    """A lens that shrinks the corners by so much."""

    def of(motif: Motif) -> Move:
        del motif

        def move(x: Array, y: Array) -> tuple[Array, Array]:
            square = (x * x + y * y) / (_SIZE / 2) ** 2 / 2
            return -amount * square * x, -amount * square * y

        return move

    return of
