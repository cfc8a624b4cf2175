"""Write the table of measured equivariance errors of lifting convolutions off the pixel grid, by n, angle and kernel.

python docs/layer_errors.py
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from equisym.document import markdown_table, print_page
from equisym.groups import C
from equisym.nn import LiftConv2d

KERNELS = (3, 5, 7)
ORDERS = (3, 5, 6, 8, 12, 16)
BANDS = (0.25, 0.5)  # highest frequency of the pictures, in units of the grid's own


def waves(points: Tensor, count: int, highest: float) -> Tensor:
    """A smooth random picture as a function, so that turned pictures are sampled, not interpolated."""
    generator = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    length = highest * torch.rand(count, generator=generator, dtype=torch.float64).sqrt()
    phase = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    vectors = length[:, None] * torch.stack((angle.cos(), angle.sin()), 1)
    return torch.cos(points @ vectors.T + phase).sum(-1) / math.sqrt(count)


def off_grid(angle: float) -> float:
    """Degrees between a rotation and the nearest quarter turn, 0 to 45."""
    rest = round(angle, 6) % 90
    return min(rest, 90 - rest)


def errors(order: int, kernel_size: int, highest: float) -> dict[float, float]:
    """Relative error at the centre pixel, which no turn moves, for each distance from the quarter turns."""
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
        found: dict[float, float] = {}
        for g in range(order):
            expected = answers[0][..., torch.from_numpy(group.regular_permutation(g))]
            angle = off_grid(360 * g / order)
            found[angle] = max(found.get(angle, 0.0), ((answers[g] - expected).norm() / expected.norm()).item())
    return found


def cell(value: float) -> str:
    return "exact" if value < 1e-10 else f"{100 * value:.2g} %"


def main() -> None:
    """Print and write the table."""
    heads = [f"{k}x{k}, {part:g}" for k in KERNELS for part in BANDS]
    rows = []
    for order in ORDERS:
        columns = [errors(order, k, part * math.pi) for k in KERNELS for part in BANDS]
        for angle in sorted(columns[0]):
            rows.append([str(order), f"{angle:g}°", *(cell(column[angle]) for column in columns)])
    table = markdown_table(["n", "angle", *heads], rows) + "\n"
    print_page(table, Path(__file__).parent / "_generated" / "layer_errors.md")


if __name__ == "__main__":
    main()
