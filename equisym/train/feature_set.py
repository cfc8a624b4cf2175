"""Symmetry features of a whole dataset: extracted by several processes, stored in parts, resumable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equisym.crystal import SymmetryFeatures, extract_features
from equisym.data import WallpaperDataset

PART = 170  # images to a file


@dataclass(frozen=True)
class FeatureSet:
    """Symmetry features of N images with their labels.

    Attributes:
        features: of the N images.
        labels: groups, (N,).
        lattices: the primitive lattices that were drawn, before any corruption, (N, 2, 2).
    """

    features: SymmetryFeatures
    labels: Tensor
    lattices: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> FeatureSet:
        return FeatureSet(self.features[index], self.labels[index], self.lattices[index])

    @classmethod
    def cat(cls, parts: list[FeatureSet]) -> FeatureSet:
        """Join sets."""
        together = SymmetryFeatures.cat([p.features for p in parts])
        return cls(together, torch.cat([p.labels for p in parts]), torch.cat([p.lattices for p in parts]))

    def lattice_found(self, tolerance: float = 0.15) -> Tensor:
        """Whether the lattice found is the one that was drawn, (N,); meaningful for undistorted images."""
        steps = torch.linalg.solve(self.lattices.double(), self.features.basis.double())
        whole = steps.round()
        same = (steps - whole).abs().amax((-2, -1)) < tolerance
        return same & ((torch.linalg.det(whole).abs() - 1).abs() < 1e-6)


def features_of(dataset: WallpaperDataset, indices: range, *, scans: bool = False) -> FeatureSet:
    """Draw and measure some images of a dataset; scans: look for drift of their lines as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found, lattices = [], []
        for index in indices:
            found.append(extract_features(dataset[index][0][None], scans=scans))
            lattices.append(dataset.pattern(index).primitive_basis)
    finally:
        torch.set_num_threads(threads)
    labels = torch.tensor([index % 17 for index in indices])
    return FeatureSet(SymmetryFeatures.cat(found), labels, torch.from_numpy(np.array(lattices)).float())


def extract_feature_set(
    dataset: WallpaperDataset, folder: Path, *, scans: bool = False, workers: int = 1, progress: bool = True
) -> FeatureSet:
    """Symmetry features of a whole dataset, from parts stored in a folder; missing parts are computed first.

    Args:
        dataset: what to draw.
        folder: holds ``part-K.npz`` of 170 images each; parts that are there are not drawn again.
        scans: look for drift of the images' lines as well.
        workers: processes.
        progress: whether to show a bar.
    """
    from tqdm.auto import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    ranges = [range(k, min(k + PART, len(dataset))) for k in range(0, len(dataset), PART)]
    files = [folder / f"part-{k}.npz" for k in range(len(ranges))]
    missing = [(dataset, r, scans, file) for r, file in zip(ranges, files, strict=True) if not file.is_file()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            bar = tqdm(total=len(dataset), initial=len(dataset) - sum(len(r) for _, r, _, _ in missing), unit="image")
            bar.set_description(folder.name)
            bar.disable = not progress
            for count in pool.imap_unordered(_write_part, missing):
                bar.update(count)
            bar.close()
    return FeatureSet.cat(list(chain.from_iterable(_read(file) for file in files)))


def _write_part(job: tuple[WallpaperDataset, range, bool, Path]) -> int:
    dataset, indices, scans, file = job
    part = features_of(dataset, indices, scans=scans)
    partial = file.with_suffix(".part")
    with partial.open("wb") as handle:
        arrays = {"labels": part.labels.numpy(), "lattices": part.lattices.numpy()} | part.features.arrays()
        np.savez_compressed(handle, **arrays)  # pyright: ignore[reportArgumentType]
    partial.replace(file)
    return len(indices)


def _read(file: Path) -> Iterator[FeatureSet]:
    with np.load(file) as kept:
        labels, lattices = torch.from_numpy(kept["labels"]), torch.from_numpy(kept["lattices"])
        yield FeatureSet(SymmetryFeatures.from_arrays(kept), labels, lattices)
