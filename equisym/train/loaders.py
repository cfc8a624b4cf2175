"""Loaders over the images of a run, kept in memory where they fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from tqdm.auto import tqdm

from equisym.data import WallpaperDataset
from equisym.data.dataset import in_memory, worker_count
from equisym.models.feature_classifier import FeatureClassifier
from equisym.train.config import TrainConfig
from equisym.train.image_sets import ImageSets, length_of
from equisym.train.samplers import EpochBatches, ResumableLoader, ShardedSequence

_KEEP_IN_MEMORY = 4 * 2**30  # bytes of images; more are drawn or read again in every epoch


@dataclass(frozen=True)
class Loaders:
    """What a run trains and validates on, in batches.

    Args:
        config: of the run.
        sets: its images.
        network: what is trained; of one that reads symmetry features, what it measured is kept.
    """

    config: TrainConfig
    sets: ImageSets
    network: nn.Module

    def train(self) -> ResumableLoader:
        """Training batches, in an order of seed and epoch."""
        dataset, workers = self._kept(self.sets.train, "train")
        order = EpochBatches(length_of(dataset), self.config.batch_size, seed=self.config.seed)
        return ResumableLoader(dataset, order, num_workers=workers, persistent_workers=workers > 0)

    def valid(self) -> DataLoader:
        """Validation batches, every process its share."""
        dataset, workers = self._kept(self.sets.valid, "valid")
        share = ShardedSequence(length_of(dataset))
        batch = self.config.batch_size
        return DataLoader(dataset, batch, sampler=share, num_workers=workers, persistent_workers=workers > 0)

    def _kept(self, dataset: Dataset, split: str) -> tuple[Dataset, int]:
        """The images of a split, in memory if they fit, and the worker processes that otherwise draw them."""
        config, workers = self.config, worker_count(self.config.workers)
        size = 4 * length_of(dataset) * self.sets.channels * self.sets.size**2 * config.devices
        measured = isinstance(self.network, FeatureClassifier)
        if size > _KEEP_IN_MEMORY and not measured:
            return dataset, workers
        images, labels = keep(dataset, f"{self.sets.name} ({split})", workers, progress=is_first_process()).tensors
        if measured:
            bar = tqdm(images.split(17), desc="measuring", disable=not is_first_process())
            images = torch.cat([self.network.extract(batch) for batch in bar])  # pyright: ignore
        return TensorDataset(images, labels), 0


def keep(dataset: Dataset, title: str, workers: int, *, progress: bool = True) -> TensorDataset:
    """All images and labels of a dataset in memory."""
    if isinstance(dataset, TensorDataset):
        return dataset
    if isinstance(dataset, WallpaperDataset):
        return dataset.in_memory(workers=workers, progress=progress)
    return in_memory(dataset, f"reading {title}", workers=workers, progress=progress)


@torch.inference_mode()
def classify(model: nn.Module, dataset: Dataset, *, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and labels of a whole dataset, drawn by one process per core; (N, classes) and (N,)."""
    model.eval()
    images, labels = keep(dataset, "images to test on", worker_count(-1)).tensors
    return torch.cat([model(batch) for batch in images.split(batch_size)]).float(), labels


def is_first_process() -> bool:
    """Whether this is the process of a run on several devices that writes its files."""
    return getattr(rank_zero_only, "rank", 0) == 0
