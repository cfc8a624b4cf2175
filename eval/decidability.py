"""The share of images whose label the pixels bear out, by group: no other operation correlates above 1 - margin.

    python eval/decidability.py --preset poster --csv eval/results/decidability_poster.csv
    python eval/decidability.py --csv eval/results/decidability_equisym.csv

For the published distributions this is the ceiling of what can be learnt from them. For ours it must be 1 at the
margin they were drawn with, here measured on a grid that the generator's guard does not use.
"""

import argparse
import csv
from pathlib import Path

import torch
from tqdm.auto import tqdm

from equisym.data import FAMILIES, PatternOptions, draw_pattern
from equisym.data.guard import strongest_forbidden
from equisym.groups import WALLPAPER_GROUPS

MARGINS = (0.02, 0.05, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=("poster",))
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--count", type=int, default=200, help="images of each group and family")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--grid", type=int, default=64, help="points along the cell")
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    options = PatternOptions(preset=args.preset, colour=args.preset == "poster")
    rows = [("family", "group", "images", *(f"decidable_{m}" for m in MARGINS), "strongest")]
    for family in args.families:
        for group in tqdm(WALLPAPER_GROUPS, desc=family):
            scores = []
            for k in range(args.count):
                pattern = draw_pattern(group, family, (k, group.label), args.size, options)
                scores.append(strongest_forbidden(pattern.primitive_cell(args.grid), pattern.primitive_basis, group))
            shares = [sum(s < 1 - m for s in scores) / len(scores) for m in MARGINS]
            rows.append((family, group.name, args.count, *(f"{s:.3f}" for s in shares), f"{max(scores):.4f}"))
        mine = [row for row in rows if row[0] == family]
        means = [sum(float(row[3 + k]) for row in mine) / len(mine) for k in range(len(MARGINS))]
        print(f"{family:6}", *(f"margin {m}: {100 * s:.1f} %" for m, s in zip(MARGINS, means, strict=True)), sep="  ")
    if args.csv:
        with args.csv.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
