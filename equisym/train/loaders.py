"""Loaders over the images of a run, kept in memory where they fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

Batch = tuple[Tensor, ...]
_KEEP_IN_MEMORY = 4 * 2**30  # bytes of images; more are drawn or read again in every epoch
_SHARE_OF_GPU = 0.25  # of the memory that is free there, up to which they are kept on the GPU


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
        return ResumableLoader(dataset, order, **_reading(dataset, workers))

    def valid(self) -> DataLoader:
        """Validation batches, every process its share."""
        dataset, workers = self._kept(self.sets.valid, "valid")
        share = ShardedSequence(length_of(dataset))
        return DataLoader(dataset, self.config.batch_size, sampler=share, **_reading(dataset, workers))

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
        elif config.devices * config.nodes == 1 and torch.cuda.is_available():
            free, _ = torch.cuda.mem_get_info()
            if images.nbytes < _SHARE_OF_GPU * free:
                images, labels = images.cuda(), labels.cuda()
        return InMemory(images, labels), 0


class InMemory(TensorDataset):
    """Images and labels in memory, of the machine or of the GPU, of which a batch is taken at once."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        """The batch of these indices."""
        chosen = torch.tensor(indices, device=self.tensors[0].device)
        return tuple(part[chosen] for part in self.tensors)


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _reading(dataset: Dataset, workers: int) -> dict[str, Any]:
    """Options of a loader: how batches are put together, and by how many processes."""
    whole = {"collate_fn": _as_it_is} if isinstance(dataset, InMemory) else {}
    return {"num_workers": workers, "persistent_workers": workers > 0} | whole


def keep(dataset: Dataset, title: str, workers: int, *, progress: bool = True) -> TensorDataset:
    """All images and labels of a dataset in memory."""
    if isinstance(dataset, TensorDataset):
        return dataset
    if isinstance(dataset, WallpaperDataset):
        return dataset.in_memory(workers=workers, progress=progress)
    return in_memory(dataset, f"reading {title}", workers=workers, progress=progress)


@torch.inference_mode()
def classify(model: nn.Module, dataset: Dataset, *, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits (N, classes) and labels (N,) of a dataset drawn by one process per core; on a GPU where there is one."""
    images, labels = keep(dataset, "images to test on", worker_count(-1)).tensors
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.eval().to(device)
    return torch.cat([model(batch.to(device)).float().cpu() for batch in images.split(batch_size)]), labels


def is_first_process() -> bool:
    """Whether this is the process of a run on several devices that writes its files."""
    return getattr(rank_zero_only, "rank", 0) == 0
