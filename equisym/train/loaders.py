"""The images of a run: drawn or measured once where they fit in memory, and the loaders over them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from tqdm.auto import tqdm

from equisym.data import Degradation, PatternOptions, WallpaperDataset
from equisym.data.dataset import worker_count
from equisym.models.feature_classifier import FeatureClassifier
from equisym.train.config import TrainConfig
from equisym.train.samplers import EpochBatches, ResumableLoader, ShardedSequence

_KEEP_IN_MEMORY = 4 * 2**30  # bytes of images; more are drawn again in every epoch


@dataclass(frozen=True)
class Loaders:
    """What a run trains and validates on.

    Args:
        config: of the run.
        network: what is trained; of one that reads symmetry features, what it measured is kept.
    """

    config: TrainConfig
    network: nn.Module

    def train(self) -> ResumableLoader:
        """Training batches, in an order of seed and epoch."""
        dataset, workers = self._kept("train")
        order = EpochBatches(self.config.train_images, self.config.batch_size, seed=self.config.seed)
        return ResumableLoader(dataset, order, num_workers=workers, persistent_workers=workers > 0)

    def valid(self) -> DataLoader:
        """Validation batches, every process its share."""
        dataset, workers = self._kept("valid")
        share = ShardedSequence(self.config.valid_images)
        batch = self.config.batch_size
        return DataLoader(dataset, batch, sampler=share, num_workers=workers, persistent_workers=workers > 0)

    def _kept(self, split: str) -> tuple[Dataset, int]:
        """The images of a split, in memory if they fit, and the worker processes that otherwise draw them."""
        config, workers = self.config, worker_count(self.config.workers)
        length = config.train_images if split == "train" else config.valid_images
        dataset = generated(config, config.families, length, split)
        if config.degrade:
            dataset.corrupt = Degradation()
        if isinstance(self.network, FeatureClassifier):
            images, labels = dataset.in_memory(workers=workers, progress=is_first_process()).tensors
            bar = tqdm(images.split(17), desc="measuring", disable=not is_first_process())
            return TensorDataset(torch.cat([self.network.extract(batch) for batch in bar]), labels), 0
        if 4 * length * config.size**2 * config.devices <= _KEEP_IN_MEMORY:
            return dataset.in_memory(workers=workers, progress=is_first_process()), 0
        return dataset, workers


def generated(config: TrainConfig, families: str | tuple[str, ...], length: int, split: str) -> WallpaperDataset:
    """Generated images of a run's size and seed."""
    options = PatternOptions(photos=config.photos)
    return WallpaperDataset(families, length, size=config.size, seed=config.seed, split=split, options=options)


@torch.inference_mode()
def classify(model: nn.Module, dataset: WallpaperDataset, *, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and labels of a whole dataset, drawn by one process per core; (N, classes) and (N,)."""
    images, labels = dataset.in_memory(workers=worker_count(-1)).tensors
    model.eval()
    return torch.cat([model(batch) for batch in images.split(batch_size)]).float(), labels


def is_first_process() -> bool:
    """Whether this is the process of a run on several devices that writes its files."""
    return getattr(rank_zero_only, "rank", 0) == 0
