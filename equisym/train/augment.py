"""Augmentation that no pixel pays for: quarter turns and flips, under which every wallpaper group keeps its name."""

from __future__ import annotations

import torch
from torch import Tensor


def turn_and_flip(images: Tensor) -> Tensor:
    """Move each image by a random element of D4.

    Args:
        images: square, shape (B, C, N, N).

    Returns:
        The same shape.
    """
    elements = torch.randint(8, (len(images),), device=images.device)
    out = images.clone()
    for element in range(1, 8):
        chosen = (elements == element).nonzero()[:, 0]
        moved = images[chosen]
        moved = moved.flip(-1) if element >= 4 else moved
        out[chosen] = moved.rot90(element % 4, (-2, -1))
    return out
