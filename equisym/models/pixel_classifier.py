"""A network of pixels that classifies images of any size: shown windows in which cells are as large as in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_WINDOWS = 5  # most windows along each side


class PixelClassifier(nn.Module):
    """Classifies images whose lattice is known by a network that was trained on images of one size.

    The image is scaled until a unit cell is as large as in training, cut into windows that overlap by half and cover
    its middle, and the log-probabilities of the windows are averaged.

    Args:
        network: from images ``(B, 1, size, size)`` to logits ``(B, classes)``.
        size: side of the images that it was trained on, in pixels.
        cell: side of the unit cells in them, in pixels, as the root of the area.
    """

    def __init__(self, network: nn.Module, *, size: int, cell: float) -> None:
        super().__init__()
        self.network, self.size, self.cell = network, size, cell

    def forward(self, image: Tensor, cell: float) -> Tensor:
        """Log-probabilities of one image.

        Args:
            image: grey, ``(H, W)``.
            cell: side of its primitive cell in pixels, as the root of the area.

        Returns:
            ``(1, classes)``.

        >>> from equisym.models import build
        >>> PixelClassifier(build("e2resnet").eval(), size=65, cell=20)(torch.rand(90, 120), 16).shape
        torch.Size([1, 17])
        """
        sides = image.shape[-2:]
        scale = max(self.cell / cell, self.size / min(sides))
        shape = [max(self.size, round(scale * side)) for side in sides]
        scaled = functional.interpolate(
            image[None, None], shape, mode="bicubic", align_corners=False, antialias=scale < 1
        )
        rows, columns = (_starts(length, self.size) for length in shape)
        windows = [scaled[..., y : y + self.size, x : x + self.size] for y in rows for x in columns]
        return self.network(torch.cat(windows)).log_softmax(-1).mean(0, keepdim=True)


def _starts(length: int, size: int) -> list[int]:
    """First pixels of at most ``_WINDOWS`` windows that overlap by about half, about the middle."""
    count = min(_WINDOWS, 1 + math.ceil(2 * (length - size) / size))
    room = min(length - size, (count - 1) * size // 2)
    first = (length - size - room) // 2
    return [first + round(k * room / max(1, count - 1)) for k in range(count)]
