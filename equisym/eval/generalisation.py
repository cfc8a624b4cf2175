"""The generalisation report: all available results on one page, and a list of what is missing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from equisym.document import Block, Bullets, Figure, Heading, Table, Text
from equisym.eval.comparisons import findings, on_unseen, pairs, techniques
from equisym.eval.figures import (
    accuracy_against_images,
    accuracy_by_network,
    condition_curves,
    trust_curves,
)
from equisym.eval.levels import answers_first_level, first_level_alone, kinds_of_errors
from equisym.eval.results import (
    READABLE,
    Results,
    Row,
    by_network,
    is_number,
    network_of,
    percent,
    read_results,
    values_of,
)
from equisym.eval.statistics import mean_interval, percent_interval

__all__ = ["read_results", "report"]


def report(results: Results, command: str, about: Sequence[str] = ()) -> list[Block]:
    """The page's blocks.

    Args:
        results: what was read.
        command: that makes the page.
        about: paragraphs on what was trained and how, behind the findings.
    """
    if not results.rows:
        return [Text(f"`{command}`"), Text("No results could be read."), Heading("Missing"), Bullets(results.problems)]
    families = list(dict.fromkeys(row["test_family"] for row in results.rows))
    of_groups = [row for row in results.rows if not answers_first_level(results, row)]
    groups = by_network(of_groups)
    blocks: list[Block] = [*_unseen(results, groups), *findings(results, groups, families)]
    blocks += [Text(text) for text in (*about, f"`{command}`")]
    blocks += [Heading("Accuracy across families"), *_accuracy(results, groups, families)]
    blocks += [Heading("Techniques with and without"), *techniques(results, groups, families)]
    blocks += [Heading("Levels and kinds of errors"), *kinds_of_errors(results, groups)]
    blocks += [Heading("The first level alone"), *first_level_alone(results, families)]
    blocks += [Heading("Harder images"), *_harder(results)]
    blocks += [Heading("Trust"), *_trust(results, groups, families)]
    blocks += [Heading("Cost and invariance"), *_cost(results, groups)]
    blocks += [Heading("Paired tests"), *pairs(results, groups, families)]
    blocks += [Heading("Missing"), Bullets(_missing(results, groups, families) or ["Nothing."])]
    return blocks


def _unseen(results: Results, groups: dict) -> list[Block]:
    """The question of the page in one picture: accuracy on unseen families against the number of images."""
    points = {
        name: [(int(images), *mean_interval(means)) for images, means in own.items() if images.isdigit()]
        for name, own in on_unseen(groups).items()
    }
    best = sorted((n for n in points if points[n]), key=lambda name: -max(mean for _, mean, _ in points[name]))
    dashed: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in results.published:
        families = {row["test_family"] for row in results.rows} - {row.get("train_family", "")}
        if row["train_images"].isdigit() and row["test_family"] in families:
            dashed[row["arch"]][int(row["train_images"])].append(float(row["accuracy"]))
    if not best:
        return []
    published = {name: [(n, float(np.mean(v))) for n, v in own.items()] for name, own in dashed.items() if len(own) > 1}
    caption = (
        "Accuracy on families that the network was not trained on, against the number of training images: mean over "
        "pairs of families with its 95 % interval over seeds; dotted: chance."
    )
    if len(best) > READABLE:
        caption += f" The {READABLE} best networks."
    if published:
        caption += " Dashed: published networks, on the authors' own images: context, no comparison."
    drawn = accuracy_against_images({name: points[name] for name in best[:READABLE]}, published)
    return [Figure("unseen", drawn, caption)]


def _cell(rows: Sequence[Row]) -> str:
    """Mean and interval over seeds, or the Wilson interval of a single run, in words."""
    values = values_of(rows)
    if not values:
        return "-"
    if len(values) > 1:
        return percent_interval(values)
    ends = [rows[0].get(name, "") for name in ("ci_low", "ci_high")]
    return percent(values[0]) + (
        f" ({percent(float(ends[0]))}-{percent(float(ends[1]))})" if all(map(is_number, ends)) else ""
    )


def _ends(rows: Sequence[Row]) -> tuple[float, float, float]:
    """Mean and limits of the same interval, nan where there is none."""
    mean, half = mean_interval(values_of(rows))
    if len(rows) > 1:
        return mean, mean - half, mean + half
    low, high = (float(rows[0][n]) if is_number(rows[0].get(n)) else math.nan for n in ("ci_low", "ci_high"))
    return mean, low, high


def _accuracy(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    rows = []
    for (name, family, images), own in groups.items():
        seeds = str(max(len(rows) for rows in own.values()))
        rows.append([name, family, images, seeds, *(_cell(own.get(f, [])) for f in families)])
    rest = sorted({row["test_family"] for row in results.published} - set(families))
    published: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for row in results.published:
        key = (row["arch"], row.get("train_family", ""), row["train_images"])
        published[key][row["test_family"]] = percent(float(row["accuracy"]))
    for (name, family, images), own in published.items():
        cells = [own.get(f, "-") for f in families]
        others = ", ".join(f"{f} {own[f]}" for f in rest if f in own) or "-"
        rows.append([f"{name} (published)", family, images or "-", "1", *cells, others])
    if published:
        rows = [row if len(row) == len(families) + 5 else [*row, "-"] for row in rows]
    heads = ["network", "trained on", "images", "seeds", *families, *(["other sets"] if published else [])]
    text = "Accuracy in percent: mean and 95 % interval over seeds (Student), or the 95 % Wilson interval of one run."
    if published:
        text += " Published rows are the authors' results on their own images: context, not a comparison."
    blocks: list[Block] = [Text(text), Table(heads, rows)]
    marks = {
        name if len({n[1:] for n in groups}) == 1 else f"{name}, {images} {source}": {
            f: _ends(r) for f, r in own.items()
        }
        for (name, source, images), own in groups.items()
    }
    caption = "Accuracy with the intervals of the table, best mean first; dotted: chance."
    blocks.append(Figure("accuracy", accuracy_by_network(marks), caption))
    if len({images for _, _, images in groups}) < 2:
        return blocks
    for family in families:
        points: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
        for (name, source, images), own in groups.items():
            if family in own and images.isdigit():
                points[f"{name}, {source}"].append((int(images), *mean_interval(values_of(own[family]))))
        dashed: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for row in results.published:
            if row["test_family"] == family and row["train_images"].isdigit():
                dashed[row["arch"]].append((int(row["train_images"]), float(row["accuracy"])))
        caption = f"Accuracy on {family} against the number of training images; dotted: chance."
        blocks.append(Figure(f"images-{family}", accuracy_against_images(points, dashed), caption))
    return blocks


def _harder(results: Results) -> list[Block]:
    """Accuracy against severity of each corruption and against repeats, one figure for each family."""
    curves: dict[str, dict[str, dict[str, dict[float, list[float]]]]] = {}
    tested = {row["run"] for row in results.conditions}
    for row in [*results.conditions, *results.rows]:
        family, _, condition = row["test_family"].partition("+")
        kind, _, amount = condition.rpartition("-")
        name = f"{network_of(row)[0]}, {row['train_images']} {row['train_family']}"
        if condition:
            own = curves.setdefault(family, {}).setdefault(kind, {}).setdefault(name, {})
            own.setdefault(float(amount), []).append(float(row["accuracy"]))
        elif not tested or row["run"] in tested:  # severity 0 of every corruption; these rows come last
            for kind, networks in curves.get(family, {}).items():
                if kind != "repeats" and name in networks:
                    networks[name].setdefault(0.0, []).append(float(row["accuracy"]))
    blocks: list[Block] = []
    for family, kinds in curves.items():
        level = {
            name: np.mean([np.mean(y) for own in kinds.values() for y in own.get(name, {}).values()])
            for own in kinds.values()
            for name in own
        }
        best = sorted(level, key=lambda name: -level[name])[:READABLE]
        means = {
            kind: {name: [(x, float(np.mean(y))) for x, y in sorted(own[name].items())] for name in best if name in own}
            for kind, own in kinds.items()
        }
        caption = f"Accuracy on {family} images against severity of corruptions, and against repeats along the side"
        caption += f" (the {READABLE} best networks)." if len(level) > READABLE else "."
        blocks.append(Figure(f"harder-{family}", condition_curves(means), caption))
    return blocks or [Text("No `corruptions.csv` stands beside the results; `equisym-eval --corruptions` writes it.")]


def _trust(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    blocks: list[Block] = []
    for family in families:
        trust = {}
        for (name, source, images), own in groups.items():
            if len(trust) == READABLE:
                break
            arrays = results.answers.get((own[family][0]["run"], family)) if family in own else None
            if arrays is not None:
                trust[f"{name}, {images} {source}"] = (
                    arrays["confidences"].astype(float),
                    arrays["answers"] == arrays["labels"],
                )
        if trust:
            caption = f"On {family}: calibration, and accuracy when the least certain images are refused (first seed"
            caption += f", the {READABLE} networks of best mean accuracy)." if len(trust) == READABLE else ")."
            blocks.append(Figure(f"trust-{family}", trust_curves(trust), caption))
    return blocks or [Text("No answers were kept, so there are no curves.")]


def _cost(results: Results, groups: dict) -> list[Block]:
    rows = []
    for (name, source, images), own in groups.items():
        runs = [row for rows in own.values() for row in rows]
        model = next((results.models[r["run"]] for r in runs if r["run"] in results.models), None)
        speed = values_of(runs, "images_per_second")
        cells = ["-"] * 5
        if model is not None:
            cells = [
                model.get("size", "-"),
                f"{int(model['params']):,}" if model.get("params") else "-",
                f"{int(model['multiply_adds']) / 1e6:,.0f} M" if model.get("multiply_adds") else "-",
                model.get("invariance_error") or "-",
                percent(float(model["changed_answers"])) + " %" if model.get("changed_answers") else "-",
            ]
        accuracy = percent(float(np.mean([v for rows in own.values() for v in values_of(rows)])))
        rows.append([name, f"{images} {source}", accuracy, *cells, f"{np.mean(speed):.0f}" if speed else "-"])
    heads = ["network", "trained on", "mean accuracy", "size", "parameters", "multiply-adds"]
    heads += ["invariance error", "changed answers", "images/s"]
    text = (
        "Accuracy is the mean over families. The invariance error is the mean change of the answered distribution "
        "(total variation) when the image is rotated and flipped by D4; beside it the share of answers that change."
    )
    return [Text(text), Table(heads, rows)]


def _missing(results: Results, groups: dict, families: Sequence[str]) -> list[str]:
    items = list(dict.fromkeys(results.problems))
    for network, own in groups.items():
        absent = [family for family in families if family not in own]
        if absent:
            items.append(f"{network[0]} ({network[2]} {network[1]} images) was not tested on {', '.join(absent)}.")
        if max(len(rows) for rows in own.values()) == 1:
            items.append(f"{network[0]} ({network[2]} {network[1]} images) has one seed: no interval over seeds.")
    names = {network[0] for network in groups}
    for technique in results.techniques:
        absent = [technique[k] for k in ("with", "without") if technique[k] not in names]
        if absent:
            items.append(f"{technique['technique']}: {' and '.join(absent)} was not run.")
    if not results.published:
        items.append("No published accuracies were given.")
    return items
