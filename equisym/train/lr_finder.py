"""The learning-rate range test."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm


def find_lr(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimiser: Callable[[nn.Module, float], torch.optim.Optimizer],
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
) -> tuple[float, list[tuple[float, float]]]:
    """Raise the learning rate step by step and find where the loss falls fastest.

    Args:
        model: left as it is; a copy is trained.
        batches: images and labels, repeated as often as needed.
        loss: of logits and labels.
        optimiser: makes an optimiser from a model and a learning rate.
        low: first learning rate.
        high: last one; the test ends when the loss is four times its minimum.
        steps: number of batches.

    Returns:
        The rate of the steepest descent of the smoothed loss, and pairs of rate and smoothed loss.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3.
    """
    trained = copy.deepcopy(model).train()
    stepper = optimiser(trained, low)
    history: list[tuple[float, float]] = []
    smooth, least = 0.0, float("inf")
    source = iter(batches)
    for step in tqdm(range(steps), desc="learning rate", leave=False):
        try:
            images, labels = next(source)
        except StopIteration:
            source = iter(batches)
            images, labels = next(source)
        rate = low * (high / low) ** (step / max(steps - 1, 1))
        for group in stepper.param_groups:
            group["lr"] = rate
        value = loss(trained(images).float(), labels)
        if not torch.isfinite(value):
            break
        stepper.zero_grad()
        value.backward()
        stepper.step()
        smooth = 0.9 * smooth + 0.1 * value.item()
        history.append((rate, smooth / (1 - 0.9 ** (step + 1))))
        least = min(least, history[-1][1])
        if history[-1][1] > 4 * least:
            break
    drops = [later[1] - earlier[1] for earlier, later in pairwise(history)]
    start = min(len(drops) // 10, 10)  # the first averages are over few batches
    best = min(range(start, len(drops)), key=drops.__getitem__) if len(drops) > start else 0
    return history[best][0], history
