"""Samplers: the order of the images depends on seed, epoch and step only, and is shared between processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, Sampler


def rank_and_world() -> tuple[int, int]:
    """Number of this process and number of processes of a run on several devices."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


class EpochBatches(Sampler[list[int]]):
    """Batches of indices in a new order each epoch; processes divide each batch among themselves.

    However many processes there are, step s of epoch e sees the same images, so that two processes train as one does
    with twice the batch. An incomplete batch at the end is left out.

    Args:
        length: number of images.
        batch_size: images of a step in one process.
        seed: of the order.
    """

    def __init__(self, length: int, batch_size: int, *, seed: int) -> None:
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.epoch, self.first = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, unless :meth:`resume` has set it already."""
        if epoch != self.epoch:
            self.epoch, self.first = epoch, 0

    def resume(self, epoch: int, batches: int) -> None:
        """Skip the batches of an epoch that a killed run has finished."""
        self.epoch, self.first = epoch, batches

    def __len__(self) -> int:
        return max(1, self.length // (self.batch_size * rank_and_world()[1]))

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = rank_and_world()
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        whole = self.batch_size * world
        for batch in range(self.first, len(self)):
            yield order[batch * whole + rank : (batch + 1) * whole : world].tolist()


class ShardedSequence(Sampler[int]):
    """All indices in order, divided among processes without duplicates.

    Args:
        length: number of images.
    """

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        rank, world = rank_and_world()
        return len(range(rank, self.length, world))

    def __iter__(self) -> Iterator[int]:
        rank, world = rank_and_world()
        return iter(range(rank, self.length, world))


class ResumableLoader(DataLoader):
    """A loader that can start within an epoch and tracks its position.

    Args:
        dataset: map-style.
        batches: the order.
        options: of :class:`torch.utils.data.DataLoader`.
    """

    def __init__(self, dataset: Dataset, batches: EpochBatches, **options: Any) -> None:
        super().__init__(dataset, batch_sampler=batches, **options)
        self.batches, self.delivered = batches, 0

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        # A generator, so that workers start only once the epoch is known.
        self.delivered = self.batches.first
        for batch in super().__iter__():
            self.delivered += 1
            yield batch
