"""The pages of ``pixels.py``: the picture, findings, accuracies by family trained on and tested on, the errors."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pixels_plan import BATCH, EPOCHS, FAMILIES, FEW, MANY, NETWORKS, PEAK, PUBLISHED, PUBLISHED_PEAK, SIZE, TEST, plan

from equisym.document import Figure, markdown_table, render_html
from equisym.eval.generalisation import report as generalisation
from equisym.eval.metrics import RELATIONS, wilson_interval
from equisym.eval.results import Results
from equisym.eval.statistics import percent_interval
from equisym.groups import WALLPAPER_GROUPS
from equisym.train.artifacts import write_whole

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "pixels"
ALL = (*NETWORKS, *PUBLISHED)
Row = dict[str, Any]
Unseen = dict[tuple[str, int], dict[tuple[int, str, str], float]]


def report(runs: Path) -> None:
    """Write the table of all results."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = collected(runs)
    used = {name: sorted({row["card"] for row in rows if row["network"] == name}) for name in ALL}
    cards = "; ".join(f"{' and '.join(cards)} ({name})" for name, cards in used.items() if cards)
    made = (
        f"{SIZE} x {SIZE} pixels; trained on images of one family, tested on {TEST:,} fresh ones of each. AdamW, one "
        f"cycle with a peak of {PEAK:g} ({PUBLISHED_PEAK:g} for the published networks), batches of {BATCH}, "
        f"{EPOCHS[MANY]} epochs of {MANY:,} or {EPOCHS[FEW]} of {FEW:,} images, looks varied at random, plain networks "
        "turned and flipped besides, averaged weights, bfloat16 (float32 on a CPU), the same images for all. "
        f"Card: {cards}. How far the looks vary was chosen on networks "
        "trained on noise, by their accuracy on test images of the other families, so the figures are selected to that "
        "extent. No network had a rate of its own; with one, a plain network of 161,316 parameters reaches 57 % "
        "(eval/results/rivals.md)."
    )
    networks = (
        "correlation: e2resnet over D12, width 6, 7x7 stem, its answer read by correlation pooling; rings: the same "
        'with conv="band-limited", other coordinates of the same kernels; the plain ones have its parameters (width '
        "26) or its multiply-adds (width 142, 6.0 million parameters). ResNet50, FPN-ResNet50 and XCiT are the "
        "networks of the published comparison, from scratch, trained on noise images alone with one seed."
    )
    results = as_results(rows)
    title = "Networks that see pixels, across image families"
    first, *rest = generalisation(results, "python eval/pixels.py", [made, networks])
    write_whole(RESULTS / "index.html", render_html(title, [first, *rest]))
    if isinstance(first, Figure):
        write_whole(RESULTS / "unseen.svg", first.svg)
    text = [f"# {title}", "", "![Accuracy on unseen families against the number of training images](unseen.svg)", ""]
    text += [first.caption, "", "`python eval/pixels.py`; more in [index.html](index.html).", ""]
    text += [
        "The six unseen directions (trained on one family, tested on another):",
        "",
        six_directions(on_unseen(rows)),
    ]
    text += [
        "",
        made,
        "",
        networks,
        "",
        "Accuracy in percent: mean over seeds with its 95 % interval (Student), or one",
    ]
    text[-1] += " seed."
    text += [
        "",
        accuracies(rows),
        "",
        f"Where it errs, from {MANY:,} images (commonest errors on unseen families):",
        "",
    ]
    text += commonest_errors(rows)
    absent = [
        job.name
        for _, _, groups in plan()
        for jobs in groups
        for job in jobs
        if _key(asdict(job)) not in {_key(row) for row in rows}
    ]
    if absent:
        text += ["", f"Planned and not run: {', '.join(absent)}."]
    write_whole(RESULTS / "README.md", "\n".join(text) + "\n")
    print((RESULTS / "README.md").read_text())


def collected(runs: Path) -> list[Row]:
    """All trainings: those in the csv and the new ones, which are added to it; with the confusions that were kept."""
    table, counts = RESULTS / "runs.csv", RESULTS / "confusions.npz"
    columns = ["network", "family", "images", "seed", "epochs", "batch", "peak", "appearance", "turn", "params"]
    columns += ["steps", "planned", "seconds", "together", "loss", "card", *FAMILIES]
    numbers = {"images": int, "seed": int, "params": int} | dict.fromkeys(FAMILIES, float)
    rows: dict[tuple[str, str, int, int], Row] = {}
    confusions = dict(np.load(counts)) if counts.is_file() else {}
    if table.is_file():
        with table.open(newline="") as file:
            for line in csv.DictReader(file):
                row: Row = {key: numbers.get(key, str)(value) for key, value in line.items()}
                rows[_key(row)] = row
    for result in sorted(runs.glob("*.json")):
        found = json.loads(result.read_text())
        rows[_key(found)] = found | found["test"]
        confusions["|".join(map(str, _key(found)))] = np.array([found["confusion"][f] for f in FAMILIES], np.int32)
    order = sorted(rows, key=lambda key: (key[0], key[1], key[2], key[3]))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows([rows[key] for key in order])
    np.savez_compressed(counts, **confusions)
    for key, row in rows.items():
        row["test"] = {family: row[family] for family in FAMILIES}
        kept = confusions.get("|".join(map(str, key)))
        row["confusion"] = {} if kept is None else dict(zip(FAMILIES, kept, strict=True))
    return [rows[key] for key in order]


def _key(row: Row) -> tuple[str, str, int, int]:
    return row["network"], row["family"], row["images"], row["seed"]


def as_results(rows: list[Row]) -> Results:
    """The runs as the rows of the generalisation report.

    Of the first trainings no confusions were kept, only shares at each level, means over the seeds: ``levels.csv``.
    """
    with (RESULTS / "levels.csv").open(newline="") as file:
        known = list(csv.DictReader(file))
    first = {(r.pop("network"), r.pop("images"), r.pop("family"), r.pop("test_family")): r for r in known}
    found = Results()
    rotation = np.array([group.rotation_order for group in WALLPAPER_GROUPS])
    crystal_class = np.array([group.crystal_class for group in WALLPAPER_GROUPS])
    allowed = {
        "level_rotation": rotation[:, None] == rotation,
        "level_class": crystal_class[:, None] == crystal_class,
        "supergroup_errors": RELATIONS == "supergroup",
    }
    for row in rows:
        name = row["network"].replace("same", "plain, same")
        run = f"{row['family']}-{row['images']}/{name}-{row['seed']}"
        found.models[run] = {"run": run, "size": str(SIZE), "params": str(row["params"])}
        for family in FAMILIES:
            low, high = wilson_interval(round(row["test"][family] * TEST), TEST)
            arch = PUBLISHED.get(row["network"], {}).get("arch", "e2resnet")
            own = {"arch": arch, "run": run, "train_family": row["family"], "train_images": str(row["images"])}
            own |= {
                "test_family": family,
                "accuracy": str(row["test"][family]),
                "ci_low": str(low),
                "ci_high": str(high),
            }
            confusion = row["confusion"].get(family)
            if confusion is None:
                place = row["network"], str(row["images"]), row["family"], family
                own |= first.get(place, dict.fromkeys(allowed, "nan"))
            else:
                own |= {level: str(confusion[mask].sum() / confusion.sum()) for level, mask in allowed.items()}
            found.rows.append(own)
    found.techniques = [
        {"technique": technique, "with": "correlation", "without": other}
        for technique, other in (
            ("group convolutions and correlation pooling, equal computation", "plain, same computation"),
            ("group convolutions and correlation pooling, equal parameters", "plain, same parameters"),
            ("weights sorted by irreps", "correlation, rings"),
        )
    ]
    with (HERE / "published" / "accuracy.csv").open(newline="") as file:
        found.published = [row for row in csv.DictReader(file) if row["train_images"].isdigit()]
    return found


def cell(found: list[float]) -> str:
    """Mean in percent, with its interval where there are several."""
    return percent_interval(found) if found else "-"


def accuracies(rows: list[Row]) -> str:
    """A row for each network, number of images and training family."""
    lines = []
    for network, images, family in product(ALL, (MANY, FEW), FAMILIES):
        own = [r for r in rows if (r["network"], r["images"], r["family"]) == (network, images, family)]
        if own:
            cells = [cell([row["test"][f] for row in own]) for f in FAMILIES]
            head = [network, f"{own[0]['params']:,}", f"{images:,}", family, str(len(own))]
            lines.append([*head, *cells])
    return markdown_table(["network", "parameters", "images", "trained on", "seeds", *FAMILIES], lines)


def on_unseen(rows: list[Row]) -> Unseen:
    """For each network and number of images, the accuracy by seed, training family and other family."""
    unseen: Unseen = {}
    for network, images in product(ALL, (MANY, FEW)):
        for row in rows:
            if (row["network"], row["images"]) == (network, images):
                own = {(row["seed"], row["family"], f): row["test"][f] for f in FAMILIES if f != row["family"]}
                unseen.setdefault((network, images), {}).update(own)
    return unseen


def six_directions(unseen: Unseen) -> str:
    """A row for each network and number of images: mean and least of the six pairs of families."""
    lines = []
    for (network, images), found in unseen.items():
        seeds = sorted({seed for seed, _, _ in found})
        pairs = sorted({pair[1:] for pair in found})
        whole = [seed for seed in seeds if sum(key[0] == seed for key in found) == 6]
        means = [float(np.mean([v for key, v in found.items() if key[0] == seed])) for seed in whole]
        by_pair = {pair: float(np.mean([v for key, v in found.items() if key[1:] == pair])) for pair in pairs}
        least = min(by_pair, key=by_pair.__getitem__)
        ends = f"{100 * by_pair[least]:.1f} ({least[0]} to {least[1]})"
        lines.append([network, f"{images:,}", str(len(whole)), cell(means), ends])
    return markdown_table(["network", "images", "seeds", "mean of six", "least of six"], lines)


def commonest_errors(rows: list[Row]) -> list[str]:
    """A line for each network: which groups it takes for which on unseen families.

    Of the first trainings no confusions were kept, only these lines: ``errors.csv``.
    """
    with (RESULTS / "errors.csv").open(newline="") as file:
        first = {row["network"]: row for row in csv.DictReader(file)}
    names, lines = WALLPAPER_GROUPS.names, []
    for network in ALL:
        if network in first:
            kept = first[network]
            lines.append(f"- {network}: {int(kept['errors']):,} of {int(kept['answers']):,}: {kept['commonest']}")
            continue
        total = np.zeros((17, 17), int)
        for row in rows:
            if row["network"] == network and row["images"] == MANY:
                total += sum(m for f, m in row["confusion"].items() if f != row["family"])
        errors = total - np.diag(np.diag(total))
        if errors.sum():
            order = np.argsort(-errors, axis=None)[:8]
            told = [f"{names[k // 17]} as {names[k % 17]} {errors.flat[k]}" for k in order]
            lines.append(f"- {network}: {errors.sum():,} of {total.sum():,}: {', '.join(told)}")
    return lines
