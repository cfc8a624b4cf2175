"""False alarms and hits of the search for domains and planar faults, on images that are of one piece and on drawn ones.

    python eval/parts_of_images.py --out eval/results/field/parts.md

The limits of `equisym.crystal.domains` and `equisym.crystal.faults` were set on this table.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from detector_sets import options, own_families
from tqdm.auto import tqdm

from equisym.crystal import Lattice, estimate_lattice, find_domains, find_fault, tile
from equisym.data import FAMILIES, draw_pattern
from equisym.data.pattern import PatternOptions
from equisym.document import markdown_table, print_page, write_page

SIZE = 224
Images = Iterator[tuple[torch.Tensor, Lattice]]
TWINS = {"p6": "mirror", "p4": "mirror", "p3": "turn", "p31m": "turn", "p3m1": "turn"}


def own(count: int, degraded: bool) -> Images:
    """Our own families with the lattices that are found in them."""
    for image in own_families(count, degraded, seed=11):
        lattice = estimate_lattice(image)
        if lattice is not None:
            yield image, lattice


def drawn(kind: str, count: int) -> Images:
    """Two parts across a random line, at a noise from none to 0.8 of the contrast; the short lattice is given."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    for k in range(count):
        rng = np.random.default_rng([k, len(kind)])
        group = list(TWINS)[k % 5] if kind == "twins" else ("p1", "p2", "p3", "p4m", "p6")[k % 5]
        look = PatternOptions(repeats=(8, 14))
        pattern, other = (draw_pattern(group, FAMILIES[k % 3], (k, n), SIZE, look) for n in (0, 1))
        basis = pattern.primitive_basis
        cell, second = (np.asarray(p.primitive_cell(96))[0] for p in (pattern, other))
        cell, second = cell / cell.std(), second / second.std()
        turn, away = rng.uniform(0, np.pi), rng.uniform(-0.2, 0.2) * SIZE
        above = (x - SIZE / 2) * np.sin(turn) - (y - SIZE / 2) * np.cos(turn) > away
        first = tile(cell, basis, x, y)
        if kind == "twins":
            along = basis[:, 0] / np.linalg.norm(basis[:, 0])
            map_ = 2 * np.outer(along, along) - np.eye(2) if TWINS[group] == "mirror" else -np.eye(2)
            beyond = tile(cell, basis, *np.einsum("ij,jyx->iyx", map_, np.stack((x, y))))
        elif kind == "two motifs":
            beyond = tile(second, basis, x, y)
        elif kind == "shift":
            beyond = tile(cell, basis, *(np.stack((x, y)) - (basis @ rng.uniform(0.2, 0.8, 2))[:, None, None]))
        else:
            beyond = first + rng.uniform(1, 3)
        image = np.where(above, beyond, first)
        image = image + rng.choice([0, 0.4, 0.8]) * rng.standard_normal(image.shape)
        lattice = Lattice(basis, np.full((2, 2), 1e-3), 0.5, SIZE**2 / abs(np.linalg.det(basis)))
        yield torch.from_numpy(image).float(), lattice


def main() -> None:
    args = options(__doc__, 34)
    torch.set_num_threads(1)
    sets = {"own families, clean": own(args.count, False), "own families, degraded": own(args.count, True)}
    sets |= {kind: drawn(kind, args.count) for kind in ("twins", "two motifs", "shift", "step in brightness")}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, list[float]] = {"domains": [], "faults": []}
    for name, images in sets.items():
        for image, lattice in tqdm(images, desc=name, mininterval=30):
            start = time.process_time()
            found[name][find_domains(image, lattice).kind] += 1
            middle = time.process_time()
            found[name][find_fault(image, lattice).kind] += 1
            seconds["domains"].append(middle - start)
            seconds["faults"].append(time.process_time() - middle)
        if args.out:  # as it grows
            write_page(report(found, seconds, args.count), args.out)
    print_page(report(found, seconds, args.count), args.out)


def report(found: dict[str, Counter[str]], seconds: dict[str, list[float]], count: int) -> str:
    kinds = ("one", "twin", "two domains", "none", "shift", "step", "shift and step")
    rows = [[name, str(c.total() // 2), *(str(c[kind] or "") for kind in kinds)] for name, c in found.items()]
    cost = ", ".join(f"{name} {1e3 * np.mean(took):.0f} ms" for name, took in seconds.items())
    return f"""# Domains and planar faults

By `python eval/parts_of_images.py --count {count}`, on one core; an image takes on average {cost}.

Three columns say what domains were found, four what faults.

{markdown_table(["images", "number", *kinds], rows)}
"""


if __name__ == "__main__":
    main()
