"""Whether the classifier still gives the answers it gave: a fixed set of 500 images, answered by two versions.

    python eval/compare_answers.py write before.npz     # with one version of the package
    python eval/compare_answers.py compare before.npz   # with the other

Images: clean and degraded, three families, all groups; probabilities, lattices and refusals are compared.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from tqdm import tqdm

from equisym import SymmetryClassifier
from equisym.data import WallpaperDataset
from equisym.data.degradation import Degradation

COUNT, SIZE, TOLERANCE = 500, 192, 1e-5
FAMILIES = ("noise", "photo", "atom")


def answers() -> dict[str, np.ndarray]:
    """Probabilities (N, 17), lattices (N, 2, 2) and whether each image was refused (N,)."""
    from equisym.groups import WALLPAPER_GROUPS

    classifier = SymmetryClassifier.from_pretrained("symnet")
    sets = {family: WallpaperDataset(family, COUNT, size=SIZE, seed=2718) for family in FAMILIES}
    harder = {f: WallpaperDataset(f, COUNT, size=SIZE, seed=2718, corrupt=Degradation()) for f in FAMILIES}
    probabilities, lattices, refused = [], [], []
    start = time.perf_counter()
    for i in tqdm(range(COUNT), unit="image"):
        image = (sets if i % 2 else harder)[FAMILIES[i % 3]][i][0]
        answer = classifier.predict(image)
        probabilities.append([answer.probabilities.get(g.name, 0.0) for g in WALLPAPER_GROUPS])
        lattices.append(np.zeros((2, 2)) if answer.lattice is None else answer.lattice)
        refused.append(answer.group is None)
    print(f"{COUNT / (time.perf_counter() - start):.1f} images/s, drawing included")
    return {"probabilities": np.array(probabilities), "lattices": np.array(lattices), "refused": np.array(refused)}


def main() -> None:
    """Write or compare."""
    action, file = sys.argv[1:]
    found = answers()
    if action == "write":
        np.savez_compressed(file, **found)
        return
    with np.load(file) as before:
        moved = np.abs(found["probabilities"] - before["probabilities"]).max(1)
        other = np.flatnonzero((moved > TOLERANCE) | (found["refused"] != before["refused"]))
        lattice = np.abs(found["lattices"] - before["lattices"]).max()
    print(f"{len(other)} of {COUNT} answers changed {other[:20].tolist()}; ", end="")
    print(f"largest change of a probability {moved.max():.1e}, of a lattice vector {lattice:.1e} px")
    sys.exit(bool(len(other)))


if __name__ == "__main__":
    main()
