"""Shortcuts: how well cell metric, mean and variance alone predict the group.

    python eval/shortcut_probe.py --out eval/results/shortcut_probe.md

Features: area, side ratio and angle of the reduced primitive cell, mean and variance of the image. The best guess from
the lattice type alone is the sum over types of the likeliest group's share; more than that must not be learnt from
our images. Rows "poster" are the published distributions, whose cell area depends on the group.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from tqdm.auto import tqdm

from equisym.data import FAMILIES, WallpaperDataset
from equisym.data.bravais import metrics_of
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.lattice import reduce_basis


def features(dataset: WallpaperDataset, index: int) -> list[float]:
    pattern = dataset.pattern(index)
    a, b = sorted(reduce_basis(pattern.primitive_basis).T, key=np.linalg.norm)
    image = pattern.image(dataset.size)
    area, cosine = abs(a[0] * b[1] - a[1] * b[0]), a @ b / math.sqrt((a @ a) * (b @ b))
    ratio = math.sqrt(b @ b / (a @ a))
    return [math.log(area), round(ratio, 6), round(cosine, 6), image.mean().item(), image.var().item()]


def best_guess() -> float:
    """The share of right answers of whoever knows the lattice type and nothing else."""
    types = {metric for group in WALLPAPER_GROUPS for metric in metrics_of(group)}
    share = {t: [1 / len(metrics_of(g)) for g in WALLPAPER_GROUPS if t in metrics_of(g)] for t in types}
    return sum(max(shares) for shares in share.values()) / len(WALLPAPER_GROUPS)


def accuracy(family: str, preset: str | None, train: int, test: int, size: int) -> float:
    dataset = WallpaperDataset(family, train + test, size=size, seed=0, preset=preset)
    rows = [features(dataset, k) for k in tqdm(range(train + test), desc=f"{preset or 'equisym'} {family}")]
    x, y = np.array(rows), np.arange(train + test) % 17
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=30, early_stopping=False, random_state=0
    )
    return float(model.fit(x[:train], y[:train]).score(x[train:], y[train:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=int, default=3400)
    parser.add_argument("--test", type=int, default=3400)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bound = best_guess()
    head = ["preset", "family", "accuracy %", "standard error", "best guess from lattice type", "difference"]
    rows = [head, ["---"] * len(head)]
    for preset in (None, "poster"):
        for family in FAMILIES:
            score = accuracy(family, preset, args.train, args.test, args.size)
            error = math.sqrt(score * (1 - score) / args.test)
            numbers = (100 * score, 100 * error, 100 * bound, 100 * (score - bound))
            rows.append([preset or "equisym", family, *(f"{x:.1f}" for x in numbers)])
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    text += f"\n\nGradient-boosted trees on five numbers: {args.train} images to learn from, {args.test} to answer."
    print(text)
    if args.out:
        command = f"python eval/shortcut_probe.py --out {args.out}"
        args.out.write_text(f"# What the cell and the brightness give away\n\n`{command}`\n\n{text}\n")


if __name__ == "__main__":
    main()
