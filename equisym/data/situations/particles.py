"""Kind 13: patterns that cover a small part of an image, as particles on an amorphous support do."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.crystals import columns
from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, image, of_group
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 384
_COVERS = r"covers \d+(\.\d+)? % of the image"
_GROUPS = (
    "p6m", "p4m", "pmm", "cmm", "p3m1", "p4", "p2", "pgg", "p4g", "p6", "p31m", "pmg", "cm", "p3", "pg", "pm", "p1",
)  # fmt: skip


def situations() -> list[Situation]:
    """One particle of each group, which cover from half to a fifteenth of the image; and several, turned at random."""
    found = []
    for k, name in enumerate(_GROUPS):
        share = (0.5, 0.3, 0.2, 0.12, 0.065)[k % 5]
        draw = lambda n=name, s=share, k=k: _on_support([_motif(n, s, k)], [_place(s, k)], k)  # noqa: E731
        found.append(situation("particle", f"{name}, {100 * share:.3g} % of the image", name, draw, _COVERS))
    for k, (crystal, name) in enumerate((("SrTiO3", "p4m"), ("Si", "cmm"))):
        draw = lambda c=crystal, k=k: _on_support([_columns(c)], [_place(0.15, k)], k + 30)  # noqa: E731
        found.append(situation("particle", f"{crystal}, 15 % of the image", name, draw, _COVERS))
    for k, count in enumerate((2, 4)):
        draw = lambda c=count, k=k: _several(c, k)  # noqa: E731
        found.append(situation("particle", f"{count} particles, turned", "refuse", draw, "several lattices"))
    return found


def _motif(name: str, share: float, seed: int) -> Motif:
    """A pattern of which nine or ten cells lie side by side in a disc of so much of the image."""
    length = np.sqrt(share) * _SIZE / 9
    return of_group(name, basis_of(name, length, 31.0 * seed), seed + 40, 3 if name == "p1" else 2, sigma=0.13)


def _columns(name: str) -> Motif:
    return columns(name, (1, 1, 0) if name == "Si" else (0, 0, 1), 5.0, 27.0)


def _place(share: float, seed: int) -> tuple[float, float, float]:
    """Middle and radius of a disc that lies within the image."""
    radius = float(np.sqrt(share / np.pi)) * _SIZE
    x, y = seeded("place", seed).uniform(radius, _SIZE - radius, 2)
    return float(x), float(y), radius


def _several(count: int, seed: int) -> Array:
    places = [(_SIZE * (0.27 + 0.46 * (i % 2)), _SIZE * (0.27 + 0.46 * (i // 2)), 0.2 * _SIZE) for i in range(count)]
    motifs = [of_group("p4m", basis_of("p4m", 17.0, 13.0 + 24.0 * i), seed + 40, 2, sigma=0.13) for i in range(count)]
    return _on_support(motifs, places, seed + 60)


def _on_support(motifs: list[Motif], places: list[tuple[float, float, float]], seed: int) -> Array:
    """Particles with six blunt corners on a support without order, under noise; half as bright where they lie."""
    rng, (y, x) = seeded("support", seed), np.mgrid[:_SIZE, :_SIZE].astype(float)
    length = float(np.sqrt(abs(np.linalg.det(motifs[0].basis))))
    k = np.fft.fftfreq(_SIZE) * length
    band = np.exp(-((np.hypot(k[:, None], k) - 1.3) ** 2) / 0.5)  # grains about as large as the cell's spots
    support = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * band).real
    picture = 0.5 * support / support.std()
    for motif, (cx, cy, radius) in zip(motifs, places, strict=True):
        angle = np.arctan2(y - cy, x - cx)
        distance = np.hypot(x - cx, y - cy) - radius * (1 + 0.06 * np.cos(6 * angle + seed))
        inside = 1 / (1 + np.exp(distance / 2))
        pattern = image(motif, _SIZE)
        picture = (1 - 0.5 * inside) * picture + inside * ((pattern - pattern.mean()) / pattern.std() + 1)
    return picture + 0.3 * rng.standard_normal((_SIZE, _SIZE))
