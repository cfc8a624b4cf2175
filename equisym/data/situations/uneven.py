"""Kind 8: large images, part of which is dark, disordered, defective or not an image at all."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, gaussian, image, noisy, of_group, vectors
from equisym.data.situations.situation import Situation, seeded, situation


def situations() -> list[Situation]:
    """Patterns of a group of which most of the image, but not all, shows the lattice."""
    table = (
        ("p4m", "amorphous rim", _rim), ("p6m", "amorphous rim", _rim), ("p3m1", "vacancies", _vacancies),
        ("p6m", "hole in the middle", _hole), ("p4m", "adatoms", _adatoms), ("pmm", "uneven light", _uneven_light),
        ("p4m", "particle in vacuum", _particle), ("cmm", "scale bar", _scale_bar), ("p4m", "frame with axes", _frame),
        ("p3m1", "bent lattice", _bent), ("p4", "fading contrast", _fading), ("p6", "uneven light", _uneven_light),
    )  # fmt: skip
    found = [situation("uneven", f"{name}, {words}", name, lambda n=name, f=draw: f(n)) for name, words, draw in table]
    found.append(situation("uneven", "p4m, 1024 px, a quarter amorphous", "p4m", _large))
    return found


def _motif(name: str, length: float = 22.0, seed: int = 3) -> Motif:
    return of_group(name, basis_of(name, length), seed, 2)


def _grains(size: int, seed: int, width: float = 3.0) -> Array:
    """Disorder with grains as large as the motif's spots."""
    k = np.fft.fftfreq(size)
    pass_ = np.exp(-2 * (np.pi * width) ** 2 * (k[:, None] ** 2 + k[None] ** 2))
    rng = seeded("grains", seed)
    picture = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * pass_).real
    return picture / picture.std()


def _rim(name: str) -> Array:
    size, motif = 320, _motif(name)
    clean = image(motif, size)
    y, _ = np.mgrid[:size, :size]
    share = 1 / (1 + np.exp((y - 0.68 * size) / 3))
    other = clean.mean() + 0.6 * clean.std() * _grains(size, 1)
    return noisy(share * clean + (1 - share) * other, 0.1, 2)


def _vacancies(name: str) -> Array:
    """One in twelve of the spots is missing."""
    size, motif = 320, _motif(name, 24.0)
    rng, y, x = seeded("vacancies"), *np.mgrid[:size, :size].astype(float)
    picture = np.zeros((size, size))
    for i in range(-20, 40):
        for j in range(-20, 40):
            for u, v, shape in motif.points:
                px, py = motif.basis @ np.array([u + i, v + j]) + motif.corner
                if -9 < px < size + 9 and -9 < py < size + 9 and rng.uniform() > 1 / 12:
                    picture += shape.value(x - px, y - py)
    return noisy(picture, 0.1, 3)


def _hole(name: str) -> Array:
    size = 320
    y, x = np.mgrid[:size, :size]
    clean = image(_motif(name), size)
    clean[np.hypot(x - 150, y - 170) < 62] = 0
    return noisy(clean, 0.1, 4)


def _adatoms(name: str) -> Array:
    size = 320
    clean, rng = image(_motif(name), size), seeded("adatoms")
    y, x = np.mgrid[:size, :size].astype(float)
    for _ in range(14):
        clean += gaussian(6.0, 2.5).value(x - rng.uniform(0, size), y - rng.uniform(0, size))
    return noisy(clean, 0.1, 5)


def _uneven_light(name: str) -> Array:
    size = 320
    y, x = np.mgrid[:size, :size] / size
    clean = image(_motif(name), size)
    return noisy((0.35 + x + 0.4 * y**2) * clean + 2 * clean.std() * (x - y) ** 2, 0.06, 6)


def _particle(name: str) -> Array:
    size = 384
    y, x = np.mgrid[:size, :size]
    inside = 1 / (1 + np.exp((np.hypot(x - 200, (y - 180) * 1.2) - 128) / 2))
    return noisy(inside * (0.4 + image(_motif(name, 18.0), size)), 0.05, 7)


def _scale_bar(name: str) -> Array:
    picture = noisy(image(_motif(name), 320), 0.06, 8)
    top = float(picture.max())
    picture[296:302, 20:110] = top
    picture[282:290, 30:34] = picture[282:290, 40:44] = picture[286:290, 34:40] = top
    return picture


def _frame(name: str) -> Array:
    """The image inside white margins with ticks, and a colour bar."""
    picture = noisy(image(_motif(name), 280), 0.06, 9)
    low, high = float(picture.min()), float(picture.max())
    page = np.full((344, 400), high)
    page[24:304, 44:324] = picture
    page[22:24, 42:326] = page[304:306, 42:326] = page[22:306, 42:44] = page[22:306, 324:326] = low
    for k in range(44, 324, 40):
        page[306:312, k : k + 2] = page[k - 20 : k - 18, 36:42] = low
        page[318:328, k : k + 6] = page[322:325, k + 2 : k + 4] = low
    page[24:304, 344:360] = np.linspace(high, low, 280)[:, None]
    return page


def _bent(name: str) -> Array:
    motif = _motif(name)
    return noisy(image(lambda x, y: motif(x + 2.2 * np.sin(y / 70), y + 1.5 * np.sin(x / 90)), 320), 0.06, 10)


def _fading(name: str) -> Array:
    size = 320
    y, _ = np.mgrid[:size, :size] / size
    clean = image(_motif(name), size)
    return (1.0 - 0.85 * y) * (clean - clean.mean()) + 0.12 * clean.std() * seeded("fading").standard_normal(
        (size, size)
    )


def _large() -> Array:
    size = 1024
    clean = image(
        Motif(vectors(19.0, 19.0, 90, 11), [(0, 0, gaussian(3.3)), (0.5, 0.5, gaussian(3.0, 0.5))], (3, 8)), size
    )
    other = clean.mean() + 0.8 * clean.std() * _grains(size, 2)
    y, x = np.mgrid[:size, :size]
    part = (x > 540) & (y > 520)
    return noisy(np.where(part, other, clean), 0.1, 11)
