"""Kind 3: crystals seen imperfectly: an instrument leaves 1 to 4 %, a lower symmetry 12 and more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.drawing import Array, Motif, gaussian, image, noisy, of_group, vectors
from equisym.data.situations.oracle import projected
from equisym.data.situations.situation import Situation, situation
from equisym.groups import WALLPAPER_GROUPS

_SIZE = 256
_MUCH = ("p4m", "p6m", "p3m1", "p4")  # shown also with a fifth that breaks it
_MIXED = ("p4m", "pmm", "p4g", "pmg")  # whose lower group has the same conventional cell and origin
_GROUPS = ("p4m", "p6m", "p3m1", "p31m", "pmm", "cmm", "p4", "p6", "p4g", "pgg", "pmg", "p3")


def situations() -> list[Situation]:
    """Patterns of a group, of which a share is made to break it."""
    found = []
    for k, name in enumerate(_GROUPS):
        for way in (("lower", 0.03), ("tilt", 0.03), ("lower", 0.2))[: 3 if name in _MUCH else 2]:
            found.append(_situation(name, *way, seed=k))
    for name in ("p4m", "p3m1", "cmm", "p6m"):
        found.append(situation("deviation", f"{name}, shaded from the side", name, lambda n=name: _shaded(n)))
        found.append(situation("deviation", f"{name}, scan lines smeared", name, lambda n=name: _smeared(n)))
    return found


def _situation(name: str, way: str, share: float, seed: int) -> Situation:
    draw = lambda: broken(name, way, share, seed)[1]  # noqa: E731
    right = name if share < 0.05 else {"tilt": "p1", "lower": lower(name)}[way]
    words = {"tilt": "a column tilted", "lower": f"mixed with {lower(name)}"}[way]
    return situation("deviation", f"{name}, {words}, {100 * share:.0f} % left", right, draw)


def lower(name: str) -> str:
    """The group whose pattern is mixed in."""
    table = {"p4m": "pmm", "p6m": "p3m1", "p3m1": "cm", "p31m": "cm", "pmm": "p2", "cmm": "p2", "p4": "p2", "p6": "p3"}
    return (table | {"p4g": "pgg", "pgg": "p2", "pmg": "p2", "p3": "p1"})[name]


def basis_of(name: str, length: float = 24.0, turn: float = 13.0) -> Array:
    """A conventional cell of a group, in pixels."""
    gamma, ratio = (120.0, 1.0) if name.startswith(("p3", "p6")) else (90.0, 1.0 if name.startswith("p4") else 1.37)
    return vectors(length, length * ratio, gamma, turn)


def broken(name: str, way: str, share: float, seed: int) -> tuple[float, Array]:
    """A pattern of a group of which a share breaks it; the residual that brute force finds, and the image."""
    basis = basis_of(name)
    group = WALLPAPER_GROUPS[name]
    primitive = basis @ group.primitive_basis
    motif = of_group(name, basis, seed, 2)
    if way == "lower":
        part = _mixed(motif, name, seed) if name in _MIXED else _subgroup_weights(motif, name)
    else:
        part = _tilted(motif)
    amount = _amount(lambda k: projected(part(k).cell(primitive, 48), group), share)
    left = projected(part(amount).cell(primitive, 48), group)
    return left, noisy(image(part(amount), _SIZE), 0.04, seed)


def _amount(left: Callable[[float], float], share: float) -> float:
    """How much of a deviation leaves a share: the logarithm by halves, as what is left grows with the amount."""
    low, high = np.log(0.03), np.log(4.0)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if left(float(np.exp(middle))) < share else (low, middle)
    return float(np.exp(low))


def _mixed(motif: Motif, name: str, seed: int):
    """Spots of the lower group laid over, about the same origin."""
    other = of_group(lower(name), motif.basis, seed + 50, 2, sigma=0.11)

    def part(amount: float) -> Motif:
        points = [*motif.points, *((u, v, shape.times(amount)) for u, v, shape in other.points)]
        return Motif(motif.basis, points, motif.corner)

    return part


def _subgroup_weights(motif: Motif, name: str):
    """Spots of one orbit as two orbits of the lower group, which part in weight."""
    group = WALLPAPER_GROUPS[name]
    n = group.order
    half = _coset(name)
    width = 0.09 * np.sqrt(abs(np.linalg.det(motif.basis @ group.primitive_basis)))

    def part(amount: float) -> Motif:
        points = []
        for k, (u, v, _) in enumerate(motif.points):
            weight = 1.0 if k < n else 0.4
            points.append((u, v, gaussian(width, weight * (1 + amount * half[k % n]))))
        return Motif(motif.basis, points, motif.corner)

    return part


def _coset(name: str) -> list[float]:
    """+1 for the operations of a subgroup of type ``lower(name)``, and less for the others, so that the sum is 0."""
    group, below = WALLPAPER_GROUPS[name], lower(name)
    keep = []
    for op in group.operations:
        w = np.array(op.W)
        if below == "p2":
            keep.append(bool((w == np.eye(2)).all() or (w == -np.eye(2)).all()))
        elif below == "p1":
            keep.append(bool((w == np.eye(2)).all()))
        elif below in ("pmm", "pgg"):
            keep.append(bool((np.abs(w) == np.eye(2)).all()))
        elif below == "p3":
            keep.append(bool(any((np.linalg.matrix_power(w, k) == np.eye(2)).all() for k in (1, 3))))
        elif below == "p3m1":
            mirrors = ([[0, -1], [-1, 0]], [[-1, 1], [0, 1]], [[1, 0], [1, -1]])
            turns = bool(
                np.linalg.det(w) > 0 and any((np.linalg.matrix_power(w, k) == np.eye(2)).all() for k in (1, 3))
            )
            keep.append(turns or w.tolist() in [list(m) for m in mirrors])
        else:  # cm: the identity and one mirror
            first = next(np.array(o.W) for o in group.operations if np.linalg.det(np.array(o.W)) < 0)
            keep.append(bool((w == np.eye(2)).all() or (w == first).all()))
    share = sum(keep) / len(keep)
    return [1.0 if k else -share / (1 - share) for k in keep]


def _tilted(motif: Motif):
    """Each spot drawn out to one side, as a column that is not seen end on."""
    group_spots = motif.points

    def part(amount: float) -> Motif:
        dx, dy = 3.0 * amount, 1.7 * amount
        inverse = np.linalg.inv(motif.basis)
        points = []
        for u, v, shape in group_spots:
            du, dv = inverse @ np.array([dx, dy])
            points += [(u, v, shape), (u + 1.5 * du, v + 1.5 * dv, shape.times(0.5))]
        return Motif(motif.basis, points, motif.corner)

    return part


def _shaded(name: str) -> Array:
    """A kernel with a dark and a bright side, as from light or a blunt tip; it leaves about 3 %."""
    basis = basis_of(name)
    primitive, motif = basis @ WALLPAPER_GROUPS[name].primitive_basis, of_group(name, basis, 2, 2)

    def shaded(amount: float):
        return lambda x, y: motif(x, y) + amount * (motif(x + 0.5, y) - motif(x - 0.5, y))

    return _at_share(shaded, primitive, name)


def _smeared(name: str) -> Array:
    """Each line of the scan trails behind: an exponential tail along x; it leaves about 3 %."""
    basis = basis_of(name)
    primitive, motif = basis @ WALLPAPER_GROUPS[name].primitive_basis, of_group(name, basis, 2, 2)

    def smeared(amount: float):
        length = 0.05 + 12 * amount
        steps = np.arange(0, 6 * length, max(length / 2, 0.5))
        weights = np.exp(-steps / length)
        return lambda x, y: sum(w * motif(x - s, y) for s, w in zip(steps, weights / weights.sum(), strict=True))

    return _at_share(smeared, primitive, name)


def _at_share(function: Callable, primitive: Array, name: str, share: float = 0.03) -> Array:
    at = np.arange(48) / 48
    x, y = np.tensordot(primitive, np.stack(np.meshgrid(at, at)), 1)
    amount = _amount(lambda k: projected(function(k)(x, y), WALLPAPER_GROUPS[name]), share)
    return noisy(image(function(amount), _SIZE), 0.04, 7)
