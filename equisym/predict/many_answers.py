"""Answers for many images, shared out to processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from equisym.predict.measurement import Image
from equisym.predict.prediction import Prediction

_WORTH_WORKERS = 8  # images; fewer are answered before processes have started


def answers_of(
    answer: Callable[[Image], Prediction], images: Sequence[Image] | Tensor, workers: int | None
) -> list[Prediction]:
    """The answer for each image, in order.

    Args:
        answer: what answers one, and can be sent to another process.
        images: a list, or an array or tensor whose first axis counts them.
        workers: processes; by default one for each of torch's threads, and none for fewer than eight images.

    Raises:
        ValueError, OSError: what ``answer`` raises for the first image that is invalid.
    """
    if workers is None:
        workers = torch.get_num_threads() if len(images) >= _WORTH_WORKERS else 0
    if workers < 2:
        return [answer(images[i]) for i in range(len(images))]
    # whichever process is done takes the next image: some take several times as long as others
    found = dict(DataLoader(_Jobs(answer, images), batch_size=None, num_workers=workers, in_order=False))
    results = [found[i] for i in range(len(images))]
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


class _Jobs(Dataset[tuple[int, Prediction | Exception]]):
    """Answers with their places among the images.

    Invalid images are returned as exceptions, which no worker can raise in one piece.
    """

    def __init__(self, answer: Callable[[Image], Prediction], images: Sequence[Image] | Tensor) -> None:
        self.answer, self.images = answer, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[int, Prediction | Exception]:
        try:
            return index, self.answer(self.images[index])
        except (ValueError, OSError) as error:
            return index, error
