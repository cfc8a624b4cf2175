"""What the spectrum says of images with one lattice, and of drawn ones with two, with none, or with a superstructure.

    python eval/spectral_peaks.py --out eval/results/field/peaks.md

The limits of `equisym.crystal.unindexed_peaks` and `equisym.crystal.grating` were set on this table: no more than 0.3 %
of images with one lattice may be said to have another or none.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import torch
from detector_sets import options, own_families
from tqdm.auto import tqdm

from equisym.crystal import find_grating, find_unindexed, measure_scan
from equisym.document import markdown_table, print_page, write_page

CLEAR = 0.03  # of the power of all peaks: with less on no lattice, or on another, an image is not refused
ANSWERS = ("no lattice", "none", "single wave", "superstructure", "second lattice", "not periodic", "stripes")
Draw = Callable[[np.random.Generator], np.ndarray]


def turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def lattice(rng: np.random.Generator, low: float = 11, high: float = 26) -> np.ndarray:
    """A random basis, columns in pixels."""
    length, angle = rng.uniform(low, high), rng.uniform(np.pi / 2, 2 * np.pi / 3)
    second = length * rng.uniform(0.7, 1.4)
    basis = np.array([[length, second * np.cos(angle)], [0, second * np.sin(angle)]])
    return turned(rng.uniform(0, np.pi)) @ basis


def pixels(size: int) -> np.ndarray:
    """Positions (2, H, W), x first."""
    y, x = np.mgrid[:size, :size].astype(float)
    return np.stack((x, y))


def spots(basis: np.ndarray, at: np.ndarray, where: list, height: list, width: float) -> np.ndarray:
    """Round spots on a lattice, at fractions of its cell."""
    k = np.einsum("ij,jyx->iyx", np.linalg.inv(basis), at)
    out = np.zeros(at.shape[1:])
    for place, tall in zip(where, height, strict=True):
        d = k - np.array(place)[:, None, None]
        d = d - np.rint(d)
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                r = np.einsum("ij,jyx->iyx", basis, d + np.array([i, j])[:, None, None])
                out += tall * np.exp(-0.5 * (r**2).sum(0) / width**2)
    return out


def motif(rng: np.random.Generator, basis: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A lattice of a few random spots."""
    count = int(rng.integers(1, 4))
    width = 0.12 * np.sqrt(abs(np.linalg.det(basis)))
    return spots(basis, at, rng.uniform(0, 1, (count, 2)).tolist(), rng.uniform(0.4, 1, count).tolist(), width)


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the images get noise of up to the pattern's own contrast."""
    level = rng.choice([0, 1]) * rng.uniform(0.1, 1) * image.std()
    return image + level * rng.standard_normal(image.shape)


def sizes(rng: np.random.Generator) -> int:
    return int(rng.choice([192, 256, 320]))


def waves(count: int) -> Draw:
    def draw(rng: np.random.Generator) -> np.ndarray:
        at, q, turn = pixels(sizes(rng)), 1 / rng.uniform(6, 18), rng.uniform(0, np.pi)
        half = range(count if count % 2 else count // 2)
        step = 2 * np.pi / count
        image = sum(
            np.cos(2 * np.pi * q * (np.cos(turn + step * k) * at[0] + np.sin(turn + step * k) * at[1])) for k in half
        )
        return noisy(np.tanh(3 * image) if rng.random() < 0.3 else np.asarray(image), rng)

    return draw


def two_lattices(rng: np.random.Generator) -> np.ndarray:
    at = pixels(sizes(rng))
    first, second = (motif(rng, lattice(rng), at) for _ in range(2))
    first, second = first / first.std(), rng.uniform(0.5, 1) * second / second.std()
    return noisy(first + second if rng.random() < 0.6 else (first + 2) * (second + 2), rng)


def twisted(low: float, high: float) -> Draw:
    def draw(rng: np.random.Generator) -> np.ndarray:
        at, length = pixels(sizes(rng)), rng.uniform(9, 16)
        cell = turned(rng.uniform(0, np.pi)) @ np.array([[1, -0.5], [0, 3**0.5 / 2]]) * length
        places, width = [[1 / 3, 2 / 3], [2 / 3, 1 / 3]], 0.17 * length
        layers = [
            spots(b, at, places, [1, 1], width) for b in (cell, turned(np.radians(rng.uniform(low, high))) @ cell)
        ]
        return noisy(layers[0] + layers[1], rng)

    return draw


def grating(rng: np.random.Generator) -> np.ndarray:
    at, turn = pixels(sizes(rng)), rng.uniform(0, np.pi)
    phase = (np.cos(turn) * at[0] + np.sin(turn) * at[1]) / rng.uniform(5, 26) + rng.uniform()
    return noisy((phase % 1 < rng.uniform(0.2, 0.8)).astype(float), rng)


def superstructure(matrix: list[list[int]], cells: int) -> Draw:
    """Spots whose height, or place, repeats with a multiple of the lattice."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        at, basis = pixels(sizes(rng)), lattice(rng, 10, 16 if cells < 10 else 8)
        inverse = np.linalg.inv(np.array(matrix, float).T)
        k = np.array([[i, j] for i in range(-8, 9) for j in range(-8, 9)], float)
        k = np.unique(np.round((k @ inverse) % 1, 6) % 1, axis=0)
        height = (1 + rng.uniform(0.2, 0.5) * rng.choice([-1, 1], len(k)) * rng.uniform(0.5, 1, len(k))).tolist()
        large = basis @ np.array(matrix, float)
        width = 0.15 * np.sqrt(abs(np.linalg.det(basis)))
        return noisy(spots(large, at, k.tolist(), height, width), rng)

    return draw


def hard_edged(rng: np.random.Generator) -> np.ndarray:
    """One lattice of discs or polygons without grey steps on their edges."""
    at, basis = pixels(sizes(rng)), lattice(rng, 6, 20)
    smooth = motif(rng, basis, at)
    return noisy((smooth > np.quantile(smooth, rng.uniform(0.3, 0.8))).astype(float), rng)


def drifting(rng: np.random.Generator) -> np.ndarray:
    """One lattice, in a scan whose lines bend by 1 to 2 % along the height."""
    at = pixels(sizes(rng))
    bend = rng.uniform(0.01, 0.02) * at.shape[1]
    u = at[1] / at.shape[1]
    path = bend * np.stack((np.sin(np.pi * u * rng.uniform(0.5, 1.5)), 0.5 * u**2))
    return noisy(motif(rng, lattice(rng), at + path), rng)


def few_repeats(rng: np.random.Generator) -> np.ndarray:
    return noisy(motif(rng, lattice(rng, 48, 60), pixels(192)), rng)


def vacancy(rng: np.random.Generator) -> np.ndarray:
    """One lattice with one to six spots left out."""
    at, basis = pixels(sizes(rng)), lattice(rng, 14, 26)
    image = spots(basis, at, [[0, 0]], [1], 0.15 * np.sqrt(abs(np.linalg.det(basis))))
    for _ in range(int(rng.integers(1, 7))):
        place = basis @ np.rint(np.linalg.solve(basis, rng.uniform(30, at.shape[1] - 30, 2)))
        radius = 0.5 * np.linalg.norm(basis, axis=0).min()
        image[np.hypot(*(at - place[:, None, None])) < radius] = 0
    return noisy(image, rng)


ONE: dict[str, Draw] = {
    "hard edges, no grey steps": hard_edged,
    "lines bent by 1 to 2 %": drifting,
    "about 10 cells": few_repeats,
    "vacancies": vacancy,
}
OTHER: dict[str, Draw] = {
    "5 waves": waves(5),
    "8 waves": waves(8),
    "10 waves": waves(10),
    "12 waves": waves(12),
    "two lattices": two_lattices,
    "bilayer turned by 5 to 30°": twisted(5, 30),
    "bilayer turned by 21.79°": twisted(21.7868, 21.7868),
    "gratings": grating,
    "2 x 1": superstructure([[2, 0], [0, 1]], 2),
    "√3 x √3": superstructure([[2, 1], [-1, 1]], 3),
    "3 x 3": superstructure([[3, 0], [0, 3]], 9),
}


def answer(image: torch.Tensor) -> tuple[str, float]:
    """What is found in one image, and the seconds that it took beyond the measurement."""
    image = image.float()
    image = (image - image.mean()) / image.std().clamp(min=1e-9)
    start = time.process_time()
    if find_grating(image) is not None:
        return "stripes", time.process_time() - start
    took = time.process_time() - start
    scan = measure_scan(image)
    m = scan.measurement
    if m is None:
        return "no lattice", took
    start = time.process_time()
    tiled = m.average.tiled[0] + m.average.trend[0]
    found = find_unindexed(scan.image, m.lattice, tiled=tiled, mask=m.mask)
    took += time.process_time() - start
    refusable = found.kind in ("second lattice", "not periodic") and found.strength < CLEAR
    return "none" if refusable else found.kind, took


def drawn(draw: Draw, name: str, count: int) -> Iterator[torch.Tensor]:
    for k in range(count):
        yield torch.from_numpy(draw(np.random.default_rng([k, len(name), 5])))


def main() -> None:
    args = options(__doc__, 30)
    torch.set_num_threads(1)
    sets: dict[str, Iterator[torch.Tensor]] = {
        "own families, clean": own_families(args.count, False, seed=7),
        "own families, degraded": own_families(args.count, True, seed=7),
    }
    sets |= {name: drawn(draw, name, args.count) for name, draw in (ONE | OTHER).items()}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seconds = []
    for name, images in sets.items():
        for image in tqdm(images, desc=name, mininterval=30):
            kind, took = answer(image)
            found[name][kind] += 1
            seconds.append(took)
        if args.out:  # as it grows, for the whole takes an hour
            write_page(report(found, seconds, args.count), args.out)
    print_page(report(found, seconds, args.count), args.out)


def report(found: dict[str, Counter[str]], seconds: list[float], count: int) -> str:
    rows = [[name, str(c.total()), *(str(c[kind] or "") for kind in ANSWERS)] for name, c in found.items()]
    return f"""# Peaks that the lattice does not index

By `python eval/spectral_peaks.py --count {count}`, on one core; {1e3 * np.mean(seconds):.0f} ms an image on average
beyond the measurement of the lattice.

Other lattices that hold less than {100 * CLEAR:.0f} % of the peaks' power count as none.
Of a superstructure nothing is left where the lattice that was found has the larger cell already.

{markdown_table(["images", "number", *ANSWERS], rows)}
"""


if __name__ == "__main__":
    main()
