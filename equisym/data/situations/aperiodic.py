"""Kind 6: images with sharp order but no lattice, or with two, and images with no order at all."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.crystals import columns
from equisym.data.situations.drawing import Array, Motif, disc, gaussian, image, noisy, rhombic, vectors
from equisym.data.situations.situation import REFUSE, Situation, seeded, situation

_SIZE = 288
_QUASI = r"quasi|not periodic|several|two|does not index|no lattice"
_TWO = r"several|two|second lattice|quasi|not periodic"
_CROPS = {  # of photographs, from these rows and columns on
    "camera": (100, 180), "coins": (20, 60), "grass": (0, 0),
    "gravel": (40, 10), "chelsea": (20, 100), "moon": (90, 90),
}  # fmt: skip


def situations() -> list[Situation]:
    """Quasicrystals, twisted and superposed lattices, stripes, photographs, noise; and commensurate controls."""
    return [*_quasicrystals(), *_twisted(), *_superposed(), *_gratings(), *_unordered()]


def waves(count: int, period: float, turn: float, phases: Array) -> Array:
    """The sum of ``count`` plane waves at equal angles over half a turn."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    angles = np.radians(turn) + np.pi * np.arange(count) / count
    k = 2 * np.pi / period
    out = np.zeros(x.shape)
    for t, p in zip(angles, phases, strict=True):
        out += np.cos(k * (x * np.cos(t) + y * np.sin(t)) + p)
    return out


def _quasicrystals() -> list[Situation]:
    found = []
    for fold, count in ((5, 5), (8, 4), (10, 5), (12, 6)):
        for k, period in enumerate((11.0, 17.3, 27.0)):
            rng = seeded("quasi", fold, k)
            phases = rng.uniform(0, 2 * np.pi, count) if fold == 5 else np.zeros(count) + 0.7 * (fold == 12) * (k == 2)
            turn = float(rng.uniform(0, 90))
            draw = lambda c=count, p=period, t=turn, f=phases, k=k: _wave_image(c, p, t, f, k)  # noqa: E731
            found.append(situation("quasicrystal", f"{fold}-fold waves, {period:g} px", REFUSE, draw, _QUASI))
    for fold in (5, 8):
        found.append(situation("quasicrystal", f"{fold}-fold tiling, discs", REFUSE, lambda f=fold: _tiling(f), _QUASI))
    return found


def _wave_image(count: int, period: float, turn: float, phases: Array, way: int) -> Array:
    """Waves as they are, or only where they are high, as atoms would be."""
    picture = waves(count, period, turn, phases)
    if way == 1:
        picture = np.maximum(picture - 0.35 * picture.max(), 0)
    return noisy(picture, 0.08, count + way)


def _tiling(fold: int) -> Array:
    """Discs at the vertices of a tiling: integer points of a high lattice in a strip, projected."""
    n = 5 if fold == 5 else 4
    angles = np.pi * np.arange(n) * (2 / 5 if fold == 5 else 1 / 4)
    other = np.pi * np.arange(n) * (4 / 5 if fold == 5 else 3 / 4)
    steps = np.stack(np.meshgrid(*[np.arange(-7, 8)] * n, indexing="ij"), -1).reshape(-1, n)
    inside = np.stack((steps @ np.cos(other), steps @ np.sin(other)), -1) + np.array([0.13, 0.07])
    window = 1.2 if fold == 5 else 1.15
    keep = np.linalg.norm(inside, axis=1) < window
    if fold == 5:
        keep &= np.isin(steps.sum(1), (1, 2))
    at = 19.0 * np.stack((steps[keep] @ np.cos(angles), steps[keep] @ np.sin(angles)), -1) + _SIZE / 2
    at = at[(np.abs(at - _SIZE / 2) < _SIZE / 2 + 12).all(1)]
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(float)
    picture = np.zeros((_SIZE, _SIZE))
    for px, py in at:
        picture += np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
    return noisy(picture, 0.05, fold)


def _twisted() -> list[Situation]:
    found = []
    table = (
        ("graphene", 7.0, 30.0), ("graphene", 8.0, 11.3), ("graphene", 6.5, 17.0), ("MoS2", 6.5, 26.0),
        ("square", 0.0, 45.0), ("square", 0.0, 12.0), ("hBN", 8.0, 24.0),
    )  # fmt: skip
    for name, scale, twist in table:
        draw = lambda n=name, s=scale, t=twist: _bilayer(n, s, t)  # noqa: E731
        found.append(situation("twisted", f"{name} by {twist:g} degrees", REFUSE, draw, _TWO))
    commensurate = float(np.degrees(np.arccos(13 / 14)))
    for weight, right in ((1.0, "p6m"), (0.55, "p6")):
        draw = lambda w=weight: _bilayer("hollow", 9.0, commensurate, w)  # noqa: E731
        found.append(situation("commensurate", f"graphene by 21.79 degrees, weights 1 and {weight:g}", right, draw))
    five = float(np.degrees(np.arctan2(3, 4)))
    for weight, right in ((1.0, "p4m"), (0.6, "p4")):
        draw = lambda w=weight: _bilayer("square", 0.0, five, w)  # noqa: E731
        found.append(situation("commensurate", f"square by 36.87 degrees, weights 1 and {weight:g}", right, draw))
    return found


def bilayer(name: str, scale: float, twist: float, weight: float = 1.0):
    """Two layers of one lattice, one turned against the other, as a function of the plane."""
    if name == "square":
        one, two = (Motif(vectors(23, 23, 90, 3 + t), [(0, 0, gaussian(3.6))], (60, 70)) for t in (0, twist))
    elif name == "hollow":  # both turned about the middle of a hexagon
        one, two = (columns("graphene", (0, 0, 1), scale, 3 + t) for t in (0, twist))
        one, two = (Motif(m.basis, [(u, v, s) for u, v, s in m.points], (60, 70)) for m in (one, two))
    else:
        one, two = (columns(name, (0, 0, 1), scale, 3 + t) for t in (0, twist))
        two = two.moved(3.1, 5.7)
    return lambda x, y: one(x, y) + weight * two(x, y)


def _bilayer(name: str, scale: float, twist: float, weight: float = 1.0) -> Array:
    return noisy(image(bilayer(name, scale, twist, weight), _SIZE), 0.05, int(twist))


def _superposed() -> list[Situation]:
    square, rectangle = vectors(22, 22, 90, 4), vectors(19, 27, 90, 31)
    hexagons, oblique = vectors(25, 25, 120, 17), vectors(21, 26, 103, 50)
    table = (
        ("square, hexagonal", square, hexagons),
        ("square, rectangular", square, rectangle),
        ("hexagonal, oblique", hexagons, oblique),
        ("square, square 1.27 times", square, vectors(28, 28, 90, 4)),
        ("square, square 31 degrees", square, vectors(22, 22, 90, 35)),
        ("hexagonal, centred", hexagons, rhombic(31, 40, 3)),
        ("rectangular, oblique", rectangle, oblique),
        ("hexagonal, hexagonal 1.41 times", hexagons, vectors(35.4, 35.4, 120, 2)),
    )
    found = []
    for name, first, second in table:
        for weight in (1.0, 0.4):
            draw = lambda a=first, b=second, w=weight: _both(a, b, w)  # noqa: E731
            found.append(situation("two lattices", f"{name}, 1 and {weight:g}", REFUSE, draw, _TWO))
    return found


def _both(first: Array, second: Array, weight: float) -> Array:
    one = Motif(first, [(0, 0, gaussian(3.4))], (5, 9))
    two = Motif(second, [(0, 0, gaussian(3.4))], (11, 2))
    return noisy(image(lambda x, y: one(x, y) + weight * two(x, y), _SIZE), 0.06, 3)


def _gratings() -> list[Situation]:
    found = []
    table = (
        (17, 12.3), (31, 9.7), (8, 21.1), (45, 16.0), (63, 7.3), (22.5, 30.0), (3, 14.9), (78, 11.0), (90, 13.0),
        (26.57, 10.0),
    )  # fmt: skip
    for k, (angle, period) in enumerate(table):
        samples = 1 + 2 * (k % 2)
        draw = lambda a=angle, p=period, s=samples: _grating(a, p, s)  # noqa: E731
        found.append(
            situation(
                "grating", f"{period:g} px at {angle:g} degrees, {samples} samples", REFUSE, draw, "stripe|not periodic"
            )
        )
    return found


def _grating(angle: float, period: float, samples: int) -> Array:
    t = np.radians(angle)
    return image(lambda x, y: ((x * np.cos(t) + y * np.sin(t)) % period < 0.4 * period).astype(float), _SIZE, samples)


def _unordered() -> list[Situation]:
    found = [
        situation("no order", f"photograph {name}", REFUSE, lambda n=name, at=corner: _photograph(n, *at))
        for name, corner in _CROPS.items()
    ]
    found.append(
        situation("no order", "white noise", REFUSE, lambda: np.random.default_rng(1).standard_normal((256, 256)))
    )
    found.append(
        situation("no order", "rings", REFUSE, lambda: image(lambda x, y: np.cos(np.hypot(x - 120, y - 131) / 3), 256))
    )
    found.append(situation("no order", "chirp", REFUSE, lambda: image(_chirp, 256)))
    found.append(situation("no order", "scattered discs", REFUSE, _scattered))
    return found


def _photograph(name: str, top: int, left: int) -> Array:
    from skimage import data

    picture = np.asarray(getattr(data, name)(), float)
    picture = picture.mean(-1) if picture.ndim == 3 else picture
    return picture[top : top + 256, left : left + 256]


def _chirp(x: Array, y: Array) -> Array:
    return np.cos(2 * np.pi * x * (1 + x / 400) / 18) * np.cos(2 * np.pi * y * (1 + y / 300) / 21)


def _scattered() -> Array:
    rng, shape = np.random.default_rng(4), disc(5).value
    at = rng.uniform(0, 256, (130, 2))
    return image(lambda x, y: sum((shape(x - a, y - b) for a, b in at), 0 * x), 256)
