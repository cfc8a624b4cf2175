"""Cost of an architecture, and change of its answers when the image is rotated or flipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def multiply_adds(model: nn.Module, size: int, *, in_channels: int = 1) -> int:
    """Multiply-adds of one forward pass of one square image, counted by PyTorch.

    >>> multiply_adds(nn.Conv2d(1, 2, 3, padding=1), 5)
    450
    """
    from torch.utils.flop_counter import FlopCounterMode

    training = model.training
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, in_channels, size, size, device=next(model.parameters()).device))
    model.train(training)
    return counter.get_total_flops() // 2


@torch.inference_mode()
def invariance_error(model: nn.Module, images: Tensor, *, batch_size: int = 64) -> tuple[float, float]:
    r"""Change of the answers when the images are rotated and flipped by D4.

    .. math:: e = \frac{1}{7N} \sum_{g \ne 1} \sum_i \tfrac12 \lVert p(g\,x_i) - p(x_i) \rVert_1

    Args:
        model: from images to logits, in eval mode.
        images: the x_i, square, shape (N, C, S, S).
        batch_size: images in a forward pass.

    Returns:
        e, from 0 to 1, and the fraction of pairs whose most probable class changes.
    """

    def probabilities(x: Tensor) -> Tensor:
        return torch.cat([model(batch).float().softmax(1) for batch in x.split(batch_size)])

    reference = probabilities(images)
    flipped = images.flip(-1)
    turned = [(flipped if g >= 4 else images).rot90(g % 4, (-2, -1)) for g in range(1, 8)]
    moved = torch.stack([probabilities(x) for x in turned])
    changed = (moved.argmax(-1) != reference.argmax(-1)).float().mean()
    return (moved - reference).abs().sum(-1).mean().item() / 2, changed.item()
