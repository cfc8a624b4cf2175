"""Networks in stages: the fields after each of them, and blocks that are computed again instead of stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    """A part of a network that may be computed again in the backward pass, which saves its memory until then.

    Subclasses define :meth:`compute` in place of ``forward``.

    Attributes:
        grad_checkpointing: whether it is computed again.
    """

    grad_checkpointing: bool = False

    def compute(self, x: Tensor) -> Tensor:
        """The answer of the block."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if self.grad_checkpointing and isinstance(x, Tensor) and torch.is_grad_enabled():
            return checkpoint(self.compute, x, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return self.compute(x)


def stage_numbers(name: str, indices: int | Sequence[int] | None, count: int) -> list[int]:
    """Numbers of stages as timm takes them: a list, of which negative ones count from the end, or the last few.

    Raises:
        ValueError: for stages that are not there.

    >>> stage_numbers("indices", (0, -1), 4), stage_numbers("indices", 2, 4)
    ([0, 3], [2, 3])
    """
    if indices is None:
        return list(range(count))
    numbers = range(count - indices, count) if isinstance(indices, int) else indices
    if not numbers or not all(isinstance(n, int) and -count <= n < count for n in numbers):
        raise ValueError(f"{name} must be some of 0 .. {count - 1} (got {indices})")
    if isinstance(indices, int) and indices > count:
        raise ValueError(f"{name} must be at most {count}, the number of stages (got {indices})")
    return [n % count for n in numbers]


def after_stages(stages: Iterable[nn.Module], ends: Sequence[int], x: Tensor) -> Iterator[Tensor]:
    """The fields after those modules of a sequence that end a stage."""
    for number, module in enumerate(stages):
        x = module(x)
        if number in ends:
            yield x
