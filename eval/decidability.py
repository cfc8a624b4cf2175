"""The share of images that have no more symmetry than their label: no other operation correlates above 1 - margin.

    python eval/decidability.py --out eval/results/decidability.md

For the published distributions (``preset="poster"``) this is the ceiling of what can be learnt from them: of the
labels that fail at a margin, no classifier can know that the higher symmetry is not meant. For our own it shows what
the generator's guard achieves, measured once as the guard does and once on a grid that it does not use.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from equisym.data import FAMILIES, PatternOptions, draw_pattern
from equisym.data.guard import strongest_forbidden
from equisym.data.pattern import GUARD_GRID
from equisym.groups import WALLPAPER_GROUPS

MARGINS = (0.02, 0.05, 0.1)


def strongest(options: PatternOptions, family: str, count: int, size: int, grids: tuple[int, ...]) -> np.ndarray:
    """The strongest forbidden correlation of each image, by grid and group; (grids, 17, count)."""
    found = np.empty((len(grids), len(WALLPAPER_GROUPS), count))
    for group in tqdm(WALLPAPER_GROUPS, desc=f"{options.preset or 'equisym'} {family}"):
        for k in range(count):
            pattern = draw_pattern(group, family, (k, group.label), size, options)
            for g, grid in enumerate(grids):
                cell = pattern.primitive_cell(grid)
                found[g, group.label, k] = strongest_forbidden(cell, pattern.primitive_basis, group)
    return found


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]


def poster_table(found: dict[str, np.ndarray]) -> list[str]:
    """Percentages of decidable labels: a row for each group, a column for each family and margin."""
    shares = {(f, m): 100 * (scores[0] < 1 - m).mean(-1) for f, scores in found.items() for m in MARGINS}
    rows = [[g.name, *(f"{share[g.label]:.1f}" for share in shares.values())] for g in WALLPAPER_GROUPS]
    rows.append(["mean", *(f"{share.mean():.1f}" for share in shares.values())])
    return table(["group", *(f"{family} {m}" for family, m in shares)], rows)


def own_table(found: dict[str, np.ndarray], grids: tuple[int, ...], margin: float) -> list[str]:
    """How many accepted cells lie beyond the margin, and the strongest correlation among them."""
    rows = [
        [family, str(grid), str(scores[g].size), str((scores[g] >= 1 - margin).sum()), f"{scores[g].max():.4f}"]
        for family, scores in found.items()
        for g, grid in enumerate(grids)
    ]
    return table(["family", "points along the cell", "cells", f"at {1 - margin} or above", "strongest"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="images of each group and family")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--grid", type=int, default=64, help="points along the cell, beside the guard's own")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    own, poster = PatternOptions(), PatternOptions(preset="poster", colour=True)
    grids = (GUARD_GRID, args.grid)
    ours = {family: strongest(own, family, args.count, args.size, grids) for family in FAMILIES}
    theirs = {family: strongest(poster, family, args.count, args.size, grids[1:]) for family in FAMILIES}
    text = "\n".join(
        [
            "## Published distributions: images with exactly their label's symmetry, in percent, "
            f"{args.count} images a cell",
            "",
            "The number beside a family is the margin: no operation outside the group correlates above 1 - margin.",
            "",
            *poster_table(theirs),
            "",
            f"## Our own, drawn with a margin of {own.margin}",
            "",
            *own_table(ours, grids, own.margin),
        ]
    )
    print(text)
    if args.out:
        args.out.write_text(f"# Labels and pixels\n\n`python eval/decidability.py --out {args.out}`\n\n{text}\n")


if __name__ == "__main__":
    main()
