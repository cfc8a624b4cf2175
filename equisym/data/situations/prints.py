"""Kind 14: patterns that were printed, displayed, scratched or stained, and particles that are out of place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, gaussian, image, noisy, of_group
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 300


def situations() -> list[Situation]:
    """Each of four groups, and bands of light and dark that fit two or three rows of a pattern."""
    ways: dict[str, tuple[Callable[[str, int], Array], tuple[str, ...], str | None]] = {
        "print screen": (_halftone, ("p4m", "p3m1", "cmm", "pgg"), "screen"),
        "dither": (_dithered, ("p6m", "p4g", "pmm", "p31m"), None),
        "display": (_displayed, ("p4m", "p31m", "pmg", "cmm"), "kinds"),
        "colour filters": (_filtered, ("p6m", "p4g", "p3m1", "pmm"), None),
        "scratches": (_scratched, ("p4m", "p31m", "pgg", "p2"), None),
        "stains": (_stained, ("p4m", "p6m", "p31m", "pgg"), None),
        "out of place": (_out_of_place, ("p4m", "p6m", "pmm", "p3m1"), None),
    }
    found = []
    for kind, (way, groups, words) in ways.items():
        for k, name in enumerate(groups):
            found.append(situation(kind, name, name, lambda w=way, n=name, k=k: w(n, k), words))
    for name, right in (("p4m", "pmm"), ("p6m", "cmm")):
        for rows in (2, 3):
            draw = lambda n=name, r=rows: _banded(n, r)  # noqa: E731
            found.append(situation("bands", f"{name}, of {rows} rows", right if rows == 3 else "pmm", draw))
    return found


def _pattern(name: str, seed: int, length: float = 40.0) -> Array:
    """From 0.1 to 0.9."""
    picture = image(of_group(name, basis_of(name, length, 17.0 + 23.0 * seed), seed + 70, 2, sigma=0.13), _SIZE)
    return 0.1 + 0.8 * (picture - picture.min()) / np.ptp(picture)


def _halftone(name: str, seed: int) -> Array:
    """Dots of 5.7 pixels at an angle, of which each is as large as its place is bright."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    turn = np.radians((45, 15, 75, 30)[seed])
    u, v = (x * np.cos(turn) + y * np.sin(turn)) / 5.7, (y * np.cos(turn) - x * np.sin(turn)) / 5.7
    return 1.0 * (_pattern(name, seed) > (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) + 2) / 4)


def _dithered(name: str, seed: int) -> Array:
    """Ordered dither of 4 x 4 pixels, black and white."""
    two = np.array([[0, 2], [3, 1]])
    four = np.block([[4 * two, 4 * two + 2], [4 * two + 3, 4 * two + 1]]) / 16 + 1 / 32
    return 1.0 * (_pattern(name, seed) > np.tile(four, (_SIZE // 4, _SIZE // 4)))


def _displayed(name: str, seed: int) -> Array:
    """Every third row is dark."""
    return noisy(_pattern(name, seed) * np.where(np.arange(_SIZE) % 3, 1.0, 0.35)[:, None], 0.03, seed)


def _filtered(name: str, seed: int) -> Array:
    """As a sensor under red, green and blue filters sees a grey pattern, before the colours are worked out."""
    y, x = np.mgrid[:_SIZE, :_SIZE]
    gain = np.where((x + y) % 2, 1.0, np.where(y % 2, 0.55, 0.75))
    return noisy(gain * (_pattern(name, seed) + 0.2), 0.03, seed)


def _scratched(name: str, seed: int) -> Array:
    """Bright lines and dark dust over a twelfth of it."""
    picture, rng = noisy(_pattern(name, seed), 0.1, seed), seeded("scratches", seed)
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    for _ in range(14):
        turn, at = rng.uniform(0, np.pi), rng.uniform(0, _SIZE, 2)
        along = (x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)
        across = (y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)
        picture[(np.abs(across) < 1.2) & (np.abs(along) < rng.uniform(60, 160))] = 1.6
    for _ in range(25):
        at = rng.uniform(0, _SIZE, 2)
        picture[np.hypot(x - at[0], y - at[1]) < rng.uniform(1.5, 5)] = -0.6
    return picture


def _stained(name: str, seed: int) -> Array:
    """Blotches as strong as the pattern and a few cells wide."""
    clean, rng = _pattern(name, seed, 26.0), seeded("stains", seed)
    k = np.hypot(np.fft.fftfreq(_SIZE)[:, None], np.fft.fftfreq(_SIZE))
    blotches = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * np.exp(-((20 * k) ** 2) * 20)).real
    return noisy(clean + clean.std() * blotches / blotches.std(), 0.05, seed)


def _out_of_place(name: str, seed: int) -> Array:
    """Particles that are each out of place by a twentieth of the shorter vector, as in a warm colloidal crystal."""
    basis, rng = basis_of(name, 26.0, 11.0 * seed), seeded("out of place", seed)
    points = {"p3m1": ((1 / 3, 2 / 3, 1.0), (2 / 3, 1 / 3, 0.5))}.get(name, ((0.0, 0.0, 1.0),))
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    out, shape = np.zeros((_SIZE, _SIZE)), gaussian(4.2)
    for i in range(-30, 31):
        for j in range(-30, 31):
            for u, v, weight in points:
                px, py = basis @ (u + i, v + j) + 150.0 + rng.normal(0, 0.05 * 26.0, 2)
                if -20 < px < _SIZE + 20 and -20 < py < _SIZE + 20:
                    near = (slice(max(0, int(py) - 20), int(py) + 21), slice(max(0, int(px) - 20), int(px) + 21))
                    out[near] += weight * shape.value(x[near] - px, y[near] - py)
    return noisy(out, 0.1, seed)


def _banded(name: str, rows: int) -> Array:
    """A pattern on soft bands of light and dark along its first vector, of so many rows."""
    motif = of_group(name, basis_of(name, 27.0, 9.0), 71, 2, sigma=0.13)
    clean = image(motif, _SIZE)
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    q = np.linalg.inv(motif.basis)[1] / rows
    phase = q[0] * (x - motif.corner[0]) + q[1] * (y - motif.corner[1])
    return noisy(clean + clean.std() * np.cos(2 * np.pi * phase), 0.1, rows)
