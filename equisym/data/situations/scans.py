"""Kind 11: what scans and their pictures have: offsets, terraces, displaced lines, false colours, two crystals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, gaussian, image, noisy, of_group, vectors
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 320
_CELL = 19.0
_GROUPS = ("p4g", "p31m", "pmg", "p2")


def situations() -> list[Situation]:
    """Each with what the text should say."""
    made: dict[str, tuple[Callable[[Array, int], Array], str | None]] = {
        "line offsets": (_with_offsets, "offsets"),
        "terraces": (_with_terraces, "heights|step|waves"),
        "displaced lines": (_displaced, None),
        "false colours": (_in_false_colours, None),
    }
    return [
        *(
            situation(kind, f"{name}, {k}", name, lambda f=f, n=name, k=k: f(_pattern(n), k), words)
            for kind, (f, words) in made.items()
            for name in _GROUPS
            for k in (1, 2)
        ),
        *_superlattices(),
        *_side_by_side(),
    ]


def _pattern(name: str, turn: float = 7.0) -> Array:
    clean = image(of_group(name, basis_of(name, _CELL, turn), 9, 2), _SIZE)
    return (clean - clean.mean()) / clean.std()


def _with_offsets(clean: Array, k: int) -> Array:
    """Lines that lie higher or lower by chance: once and three times as much as the pattern."""
    return noisy(clean, 0.15, k) + (2 * k - 1) * seeded("offsets", k).standard_normal((_SIZE, 1))


def _with_terraces(clean: Array, k: int) -> Array:
    """One and two steps, each six times as high as the pattern."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    place = x * np.cos(0.35) + y * np.sin(0.35)
    return noisy(clean, 0.1, k) + 6.0 * sum(place > _SIZE * at for at in (0.5, 0.9)[:k])


def _displaced(clean: Array, k: int) -> Array:
    """Lines that hum shifts to and fro by .3 and .6 pixels."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    shift = 0.3 * k * np.sin(2 * np.pi * (y / 5.7 + x / 410))
    waves = np.fft.fft(clean, axis=1)  # periodic only nearly: the seam is at the border
    q = np.fft.fftfreq(_SIZE)
    moved = clean + shift * np.fft.ifft(2j * np.pi * q * waves, axis=1).real
    return noisy(moved, 0.1, k)


def _in_false_colours(clean: Array, k: int) -> Array:
    """From blue over green to red, as many scales go; with light from a side the second time."""
    x = np.linspace(-1, 1, _SIZE)
    height = noisy(clean, 0.05, k) + (k - 1) * 0.7 * x
    height = np.clip((height - height.min()) / np.ptp(height), 0, 1)
    return np.stack([np.clip(1.5 - np.abs(4 * height - at), 0, 1) for at in (3, 2, 1)], -1)


def _superlattices() -> list[Situation]:
    """Crystals that have a smaller cell but for two per cent of their power, and another group on it."""
    small = 13.3
    heavy, light = gaussian(2.2), gaussian(1.6, 0.16)
    oxygen = [(0.18, 0.68), (0.82, 0.32), (0.32, 0.18), (0.68, 0.82)]
    leaning = [(0.14, 0.3), (0.86, 0.7), (0.64, 0.7), (0.36, 0.3)]
    cases = {
        "p4g on p4m": ("p4g", vectors(2**0.5 * small, 2**0.5 * small, 90.0, 52.0), [(0.0, 0.0), (0.5, 0.5)], oxygen),
        "pmg on pmm": ("pmg", vectors(2 * small, 1.2 * small, 90.0, 11.0), [(0.0, 0.0), (0.5, 0.0)], leaning),
    }
    drawn = {
        name: (group, Motif(basis, [(*p, heavy) for p in atoms] + [(*p, light) for p in others]))
        for name, (group, basis, atoms, others) in cases.items()
    }
    return [
        situation("superlattice", f"{name}, noise {level:g}", group, lambda m=m, v=level: noisy(image(m, _SIZE), v, 3))
        for name, (group, m) in drawn.items()
        for level in (0.0, 0.5)
    ]


def _side_by_side() -> list[Situation]:
    """Another pattern, or the mirrored one, below a line along the scan."""

    def beside(a: Array, b: Array, at: float) -> Array:
        row = int(at * _SIZE)
        return noisy(np.concatenate((a[:row], b[row:])), 0.1, 4)

    cases = {
        "p4g and p31m": ("p4g", "p31m", 0.6),
        "pmg and p6m": ("pmg", "p6m", 0.5),
        "p4m and p4m by 30 degrees": ("p4m", "p4m", 0.55),
    }
    out = [
        situation(
            "side by side",
            name,
            "refuse",
            lambda a=a, b=b, at=at: beside(_pattern(a), _pattern(b, 37.0), at),
            "lattice|pattern|domain",
        )
        for name, (a, b, at) in cases.items()
    ]
    for angle in (80.0, 74.0):
        spots = [(0.0, 0.0, gaussian(2.6)), *((i * 0.31, i * 0.22, gaussian(1.9, 0.6)) for i in (1, -1))]
        lean = Motif(vectors(21.0, 15.0, angle, 0.0), spots)
        twin = image(lambda x, y, m=lean: m(x, np.abs(y - _SIZE / 2) + _SIZE / 2), _SIZE)
        name = f"twin, {angle:g} degrees"
        out.append(situation("side by side", name, "refuse", lambda t=twin: noisy(t, 0.1, 5)))
    return out
