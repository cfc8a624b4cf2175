"""Write the table of measured equivariance errors of lifting convolutions off the pixel grid.

python docs/layer_errors.py
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from equisym.groups import C
from equisym.nn import LiftConv2d

KERNELS = (3, 5, 7)
ORDERS = (3, 5, 6, 8, 12, 16)


def waves(points: Tensor, count: int, highest: float) -> Tensor:
    """A smooth random picture as a function, so that turned pictures are sampled, not interpolated."""
    generator = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    length = highest * torch.rand(count, generator=generator, dtype=torch.float64).sqrt()
    phase = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    vectors = length[:, None] * torch.stack((angle.cos(), angle.sin()), 1)
    return torch.cos(points @ vectors.T + phase).sum(-1) / math.sqrt(count)


def error(order: int, kernel_size: int, highest: float) -> float:
    """Largest relative error at the centre pixel over all elements: the field there permutes and does not move."""
    torch.manual_seed(0)
    group = C(order)
    layer = LiftConv2d(1, 8, kernel_size, group=group, bias=False).double()
    half = kernel_size // 2
    steps = torch.arange(-half, half + 1, dtype=torch.float64)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack((x, y), -1)
    shifts = 20 * torch.rand(64, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        filters, _ = layer.filters()
        answers = []
        for g in range(order):
            back = torch.from_numpy(group.matrix(group.inverse(g)))
            pictures = torch.stack([waves(points @ back.T + s, 40, highest) for s in shifts])
            answers.append(functional.conv2d(pictures[:, None], filters).view(64, 8, order))
        worst = 0.0
        for g in range(order):
            expected = answers[0][..., torch.from_numpy(group.regular_permutation(g))]
            worst = max(worst, ((answers[g] - expected).norm() / expected.norm()).item())
    return worst


def main() -> None:
    """Print and write the table."""
    lines = ["| n | kernel | pictures up to 0.25 of the grid's frequency | up to 0.5 |", "|---|---|---|---|"]
    for order in ORDERS:
        for k in KERNELS:
            cells = [f"{100 * error(order, k, part * math.pi):.2g} %" for part in (0.25, 0.5)]
            lines.append(f"| {order} | {k} | {cells[0]} | {cells[1]} |")
    text = "\n".join(lines) + "\n"
    (Path(__file__).parent / "_generated" / "layer_errors.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
