"""How equivariant each layer is under the elements that do not keep the pixel grid: a measurement, and its table.

python tests/nn/off_grid.py

A smooth random field is a function on the plane, so its turned image is sampled, not interpolated. Compared is the
pixel about which it is turned: the middle of the map, or for layers that make maps finer the pixel next to it, which
lies between those of the input.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import torch
from layer_cases import CASES
from layer_types import ALL, Case, elements_on_grid
from torch import Tensor, nn

from equisym.document import markdown_table
from equisym.groups import O2, Group, PointGroup, vector
from equisym.nn import FieldType

TABLE = Path(__file__).parents[2] / "docs" / "_generated" / "off_grid_errors"
OFF_GRID = tuple(g for g in ALL if not g.exact_on_grid)
HIGHEST = 0.5 * math.pi
PICTURES = 12


def elements_off_grid(group: Group) -> list[tuple[float, bool]]:
    """Angle and flip of the elements that do not keep the grid; of SO(2) and O(2) those at multiples of 15 degrees."""
    sampled = group if isinstance(group, PointGroup) else group.finite(24)
    kept = {(float(q), flip) for q, flip in elements_on_grid(group)}
    turns = [(sampled.quarter_turns(g), g >= sampled.n) for g in range(sampled.order)]
    return [(math.pi / 2 * q, flip) for q, flip in turns if (q, flip) not in kept]


def smooth_field(field_type: FieldType, size: int, angle: float, flip: bool, *, about: float) -> Tensor:
    """The field (g f)(x) = rho(g) f(g^-1 x) for waves f with frequencies up to a quarter of the sampling rate.

    g turns about the point ``about`` pixels right of and below the middle of the map.
    """
    rng = np.random.default_rng(0)
    waves = 30
    direction, length = rng.uniform(0, 2 * math.pi, (PICTURES, waves)), np.sqrt(rng.uniform(0, 1, (PICTURES, waves)))
    vectors = HIGHEST * length[..., None] * np.stack((np.cos(direction), np.sin(direction)), -1)
    phase = rng.uniform(0, 2 * math.pi, (PICTURES, waves))
    amplitude = rng.standard_normal((PICTURES, field_type.size, waves)) / math.sqrt(waves)
    steps = np.arange(size) - (size - 1) / 2 - about
    y, x = np.meshgrid(steps, steps, indexing="ij")
    points = np.stack((x, y), -1) @ vector(O2).at(angle, flip)  # rows of g^-1 x
    values = np.cos(np.einsum("ijd,pwd->pwij", points, vectors) + phase[..., None, None])
    return field_type.act_on_channels(torch.from_numpy(np.einsum("pcw,pwij->pcij", amplitude, values)), angle, flip)


def build(case: Case, group: Group) -> tuple[nn.Module, FieldType, FieldType]:
    torch.manual_seed(0)
    layer, in_type, out_type = case.make(group)
    for name, parameter in layer.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)
    return layer.train(case.train), in_type, out_type


@torch.no_grad()
def error(case: Case, group: Group, dtype: torch.dtype = torch.float64) -> float:
    """Greatest relative error at the centre over the elements that do not keep the grid."""
    layer, in_type, out_type = build(case, group)
    layer.to(dtype)

    size = 9  # 1 modulo 4: two steps of 2 keep the middle in the middle

    def centre(angle: float, flip: bool) -> Tensor:
        about = 0.5 if case.finer else 0.0
        answer = layer(smooth_field(in_type, size, angle, flip, about=about).to(dtype))
        middle = answer.shape[-1] // 2 + (1 if case.finer else 0)
        return answer[:, :, middle, middle]

    straight, worst = centre(0.0, False), 0.0
    for element in elements_off_grid(in_type.group):
        expected = out_type.act_on_channels(straight, *element)
        worst = max(worst, ((centre(*element) - expected).norm() / expected.norm()).item())
    return worst


def committed() -> dict[tuple[str, str], float]:
    """The table by layer and group."""
    with TABLE.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(row["layer"], str(g)): float(row[str(g)]) for row in rows for g in OFF_GRID if row[str(g)]}


def main() -> None:
    names = [str(g) for g in OFF_GRID]
    rows = []
    for case in CASES:
        found = {str(g): error(case, g) for g in OFF_GRID if g in case.groups}
        if found:
            rows.append({"layer": case.name} | found)
            print(case.name, {k: f"{v:.2g}" for k, v in found.items()})
    with TABLE.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["layer", *names], lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: v if k == "layer" else f"{v:.4g}" for k, v in row.items()} for row in rows])
    cells = [[row["layer"], *(_cell(row.get(n)) for n in names)] for row in rows]
    TABLE.with_suffix(".md").write_text(markdown_table(["layer", *names], cells) + "\n")


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return "exact" if value < 1e-10 else f"{100 * value:.0f} %" if value >= 1 else f"{100 * value:.2g} %"


if __name__ == "__main__":
    main()
