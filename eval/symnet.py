"""Tables of symnet and its classical rival: across families, by number of images, under faults of the image.

    python eval/symnet_sets.py --workers 2     # first: the images, as symmetry features
    python eval/symnet.py                      # minutes; continues where it stopped

Results: eval/results/symnet/. A network is trained on one family alone; the three seeds take different images, where
there are three times as many, and always different first weights. Everything was chosen on the ``valid`` sets.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student
from symnet_sets import RUNS, SETS, feature_set
from torch import Tensor, nn
from tqdm.auto import tqdm

from equisym.data import FAMILIES
from equisym.document import markdown_table
from equisym.eval.metrics import wilson_interval
from equisym.eval.protocol import write_table
from equisym.train.artifacts import write_whole
from equisym.train.feature_set import FeatureSet
from equisym.train.feature_training import fit_crystal, fit_symnet

OUT = Path(__file__).parent / "results" / "symnet"
SEEDS = (0, 1, 2)
SIZES = (170, 680, 1700, 5100, 10200)
MATRIX_IMAGES = 1700
COLUMNS = ("arch", "preset", "train_family", "train_images", "seed", "test", "test_family", "test_images", "hits")
HEADS = ("network", "trained on", *FAMILIES)
FITS: dict[str, Callable[[Tensor, Tensor, int], nn.Module]] = {
    "symnet": lambda rows, labels, seed: fit_symnet(rows, labels, seed=seed),
    "crystal": lambda rows, labels, _: fit_crystal(rows, labels),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    jobs = [(a, "ours", f, n, s) for n in arguments.sizes for s in SEEDS for f in FAMILIES for a in FITS]
    jobs += [(a, "poster", f, MATRIX_IMAGES, 0) for f in FAMILIES for a in FITS]
    rows = _read(OUT / "answers.csv")
    done = {tuple(row[k] for k in COLUMNS[:5]) for row in rows}
    for job in tqdm([job for job in jobs if tuple(map(str, job)) not in done], unit="network"):
        rows += list(_trained_and_tested(*job))
        write_table(rows, OUT / "answers.csv", COLUMNS)
    write_whole(OUT / "README.md", document(rows))


def _trained_and_tested(arch: str, preset: str, family: str, images: int, seed: int) -> Iterator[dict[str, str]]:
    if preset == "poster":
        own = feature_set("poster-train", family)[:images]
    else:
        own = feature_set("train", family)
        if images > len(own):
            own = FeatureSet.cat([own, feature_set("more", family)])
        start = seed * images if 3 * images <= len(own) else 0
        own = own[start : start + images]
    network = FITS[arch](own.features.pack(), own.labels, seed)
    tests = ["poster-test"] if preset == "poster" else ["test"]
    if preset == "ours" and images == MATRIX_IMAGES:
        tests = [name for name in SETS if name.startswith("test")]
    for test in tests:
        for other in FAMILIES:
            images_of = feature_set(test, other)
            with torch.no_grad():
                hits = int((network(images_of.features.pack()).argmax(-1) == images_of.labels).sum())
            values = (arch, preset, family, images, seed, test, other, len(images_of), hits)
            yield {name: str(value) for name, value in zip(COLUMNS, values, strict=True)}


def document(rows: list[dict[str, str]]) -> str:
    """The tables as Markdown."""
    lines = ["# symnet across families", "", "`python eval/symnet_sets.py --workers 2 && python eval/symnet.py`", ""]
    lines += [
        f"256 x 256 pixels, label guard at 0.1; trained on {MATRIX_IMAGES:,} degraded images of one family, three "
        "seeds with different images; tested on 1,700 fresh clean images of each family. Accuracy in percent: mean "
        "over the seeds with its 95 % interval (Student). `crystal`: logistic regression on the same measurements.",
        "",
        *_across_families(rows),
        "",
        "Networks that see pixels are compared in eval/results/pixels.",
        "",
        *_by_images(rows),
        "",
        *_harder(rows),
        "",
        *_published_distributions(rows),
    ]
    return "\n".join(lines) + "\n"


def _accuracies(rows: list[dict[str, str]], **wanted: object) -> list[float]:
    """Percent right in the rows that have these values."""
    match = [r for r in rows if all(r[k] == str(v) for k, v in wanted.items())]
    return [100 * int(r["hits"]) / int(r["test_images"]) for r in match]


def _pairs(rows: list[dict[str, str]], **wanted: object) -> list[list[float]]:
    """The same for each family trained on with each other one tested on, where there are any."""
    pairs = [(a, b) for a in FAMILIES for b in FAMILIES if a != b]
    found = [_accuracies(rows, preset="ours", train_family=a, test_family=b, **wanted) for a, b in pairs]
    return [values for values in found if values]


def _across_families(rows: list[dict[str, str]]) -> list[str]:
    table = []
    for arch in FITS:
        own = {"arch": arch, "train_images": MATRIX_IMAGES, "test": "test"}
        for family in FAMILIES:
            wanted = {**own, "preset": "ours", "train_family": family}
            cells = [_interval(_accuracies(rows, **wanted, test_family=other)) for other in FAMILIES]
            table.append([arch, family, *cells])
        means = [np.mean(values) for values in _pairs(rows, **own)]
        if means:
            table.append([arch, "off the diagonal", f"mean {np.mean(means):.2f}, least {np.min(means):.2f}", "", ""])
    return ["## Across families", "", markdown_table(HEADS, table)]


def _by_images(rows: list[dict[str, str]]) -> list[str]:
    sizes = sorted({int(r["train_images"]) for r in rows if r["preset"] == "ours"})
    table = []
    for arch in FITS:
        cells = []
        for n in sizes:
            of_seeds = [_pairs(rows, arch=arch, train_images=n, seed=seed, test="test") for seed in SEEDS]
            cells.append(_interval([float(np.mean(values)) for values in of_seeds if values]))
        table.append([arch, *cells])
    return [
        "## By number of training images",
        "",
        "Mean of the six cells off the diagonal, over seeds.",
        "",
        markdown_table(["network", *(f"{n:,}" for n in sizes)], table),
    ]


def _harder(rows: list[dict[str, str]]) -> list[str]:
    table = []
    for test in [name for name in SETS if name.startswith("test")]:
        cells = [f"{SETS[test][0]:,}"]
        for arch in FITS:
            means = [np.mean(v) for v in _pairs(rows, arch=arch, train_images=MATRIX_IMAGES, test=test)]
            cells += [f"{np.mean(means):.1f}", f"{min(means):.1f}"] if means else ["", ""]
        table.append([test.removeprefix("test").strip("-") or "clean", *cells])
    return [
        "## Noise, repeats, corruptions",
        "",
        "Trained on one family, tested on the two others: mean over the six pairs and three seeds, and the least pair.",
        "Repeats: of the cell along the image's side. Corruptions at severity 3 of 5.",
        "",
        markdown_table(["test", "images of each family", "symnet", "least", "crystal", "least"], table),
    ]


def _published_distributions(rows: list[dict[str, str]]) -> list[str]:
    table = []
    keys = ("arch", "preset", "train_family", "test_family")
    for arch in FITS:
        for family in FAMILIES:
            cells = []
            for other in FAMILIES:
                for row in [r for r in rows if tuple(r[k] for k in keys) == (arch, "poster", family, other)]:
                    hits, count = int(row["hits"]), int(row["test_images"])
                    shares = (hits / count, *wilson_interval(hits, count))
                    cells.append("{:.1f} ({:.1f} to {:.1f})".format(*(100 * share for share in shares)))
            table.append([arch, family, *cells])
    for margin, decidable in _decidable().items():
        table.append([f"decidable, margin {margin}", "", *(decidable[family] for family in FAMILIES)])
    return [
        "## The published distributions",
        "",
        f'`preset="poster"`: trained on {MATRIX_IMAGES:,}, tested on 510 of each family, one seed; the 95 % interval '
        "is Wilson's. Some of these images have more symmetry than their label: decidable is the share of images in "
        "which no operation outside the group holds to within the margin (eval/results/decidability.md); of the others "
        "a network can guess at the label, but not see it.",
        "",
        markdown_table(HEADS, table),
    ]


def _decidable() -> dict[str, dict[str, str]]:
    """Share of decidable labels of the published distributions, by margin and family, as eval/decidability.py found."""
    file = OUT.parent / "decidability.md"
    if not file.is_file():
        return {}
    rows = [[c.strip() for c in line.strip("| ").split("|")] for line in file.read_text().splitlines()]
    heads = next(row for row in rows if row[0] == "group")
    means = next(row for row in rows if row[0] == "mean")
    found: dict[str, dict[str, str]] = {}
    for head, mean in zip(heads[1:], means[1:], strict=True):
        family, margin = head.split()
        found.setdefault(margin, {})[family] = mean
    return found


def _interval(values: list[float]) -> str:
    values = [v for v in values if np.isfinite(v)]
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else ""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} ± {half:.2f}"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    if not RUNS.is_dir():
        raise SystemExit(f"no features in {RUNS}: run eval/symnet_sets.py first")
    main()
