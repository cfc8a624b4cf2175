"""Whether the classifier still gives the answers it gave: 500 images, answered by two versions of the package.

    python eval/compare_answers.py write before.npz     # with one version: draws the images and keeps them
    python eval/compare_answers.py compare before.npz   # with the other, on the images that were kept

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
from equisym.groups import WALLPAPER_GROUPS

COUNT, SIZE, TOLERANCE = 500, 192, 1e-5
FAMILIES = ("noise", "photo", "atom")


def drawn() -> np.ndarray:
    """The images (N, H, W)."""
    clean = {family: WallpaperDataset(family, COUNT, size=SIZE, seed=2718) for family in FAMILIES}
    harder = {f: WallpaperDataset(f, COUNT, size=SIZE, seed=2718, corrupt=Degradation()) for f in FAMILIES}
    return np.stack([(clean if i % 2 else harder)[FAMILIES[i % 3]][i][0][0].numpy() for i in range(COUNT)])


def answers(images: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities (N, 17), lattices (N, 2, 2) and whether each image was refused (N,)."""
    classifier = SymmetryClassifier.from_pretrained("symnet")
    probabilities, lattices, refused = [], [], []
    start = time.perf_counter()
    for image in tqdm(images, unit="image"):
        answer = classifier.predict(image)
        probabilities.append([answer.probabilities.get(g.name, 0.0) for g in WALLPAPER_GROUPS])
        lattices.append(np.zeros((2, 2)) if answer.lattice is None else answer.lattice)
        refused.append(answer.group is None)
    print(f"{len(images) / (time.perf_counter() - start):.1f} images/s")
    return {"probabilities": np.array(probabilities), "lattices": np.array(lattices), "refused": np.array(refused)}


def main() -> None:
    """Write or compare."""
    action, file = sys.argv[1:]
    if action == "write":
        images = drawn()
        np.savez_compressed(file, images=images, **answers(images))
        return
    with np.load(file) as kept:
        before = dict(kept)
    found = answers(before["images"])
    moved = np.abs(found["probabilities"] - before["probabilities"]).max(1)
    other = np.flatnonzero((moved > TOLERANCE) | (found["refused"] != before["refused"]))
    first, second = (np.where(a["refused"], -1, a["probabilities"].argmax(1)) for a in (before, found))
    lattice = np.abs(found["lattices"] - before["lattices"]).max()
    print(
        f"{len(other)} of {len(moved)} answers changed {other[:20].tolist()}, {(first != second).sum()} of the groups;"
    )
    print(f"largest change of a probability {moved.max():.1e}, of a lattice vector {lattice:.1e} px")
    sys.exit(bool(len(other)))


if __name__ == "__main__":
    main()
