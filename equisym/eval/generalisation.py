"""The generalisation report: whatever result files there are, in one page, with what is missing."""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.eval.document import Block, Bullets, Figure, Heading, Table, Text
from equisym.eval.figures import (
    accuracy_against_images,
    condition_curves,
    confusion_on_subgroup_graph,
    error_bars,
    trust_curves,
)
from equisym.eval.metrics import error_shares
from equisym.eval.statistics import holm, mcnemar, mean_interval

Row = Mapping[str, str]
NEEDED = ("arch", "run", "train_family", "train_images", "test_family", "accuracy")


@dataclass
class Results:
    """What result files hold.

    Attributes:
        rows: rows of all ``cross_dataset.csv``.
        models: rows of ``models.csv`` beside them, by run.
        answers: for (run, family), the arrays answers, labels and confidences of ``answers.npz``.
        techniques: rows of ``techniques.csv``: technique, with, without (names of networks).
        published: rows of the published accuracies.
        conditions: rows of ``corruptions.csv``: accuracy on corrupted images and at given repeats.
        problems: sentences on what could not be read.
    """

    rows: list[Row] = field(default_factory=list)
    models: dict[str, Row] = field(default_factory=dict)
    answers: dict[tuple[str, str], dict[str, NDArray]] = field(default_factory=dict)
    techniques: list[Row] = field(default_factory=list)
    published: list[Row] = field(default_factory=list)
    conditions: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_results(files: Sequence[Path], published: Path | None) -> Results:
    """Read result files and what stands beside them; a file that cannot be used becomes a sentence, not an error.

    Args:
        files: ``cross_dataset.csv`` of any number of evaluations.
        published: csv of published accuracies.
    """
    found = Results()
    for file in files:
        rows = _read_csv(file, NEEDED, found.problems)
        found.rows += [row for row in rows if _is_number(row["accuracy"])]
        bad = sum(not _is_number(row["accuracy"]) for row in rows)
        if bad:
            found.problems.append(f"`{file.name}`: {bad} rows without an accuracy are left out")
        for row in _read_csv(file.with_name("models.csv"), ("run",), found.problems):
            found.models[row["run"]] = row
        found.techniques += _read_csv(
            file.with_name("techniques.csv"), ("technique", "with", "without"), found.problems, optional=True
        )
        harder = _read_csv(file.with_name("corruptions.csv"), NEEDED, found.problems, optional=True)
        found.conditions += [row for row in harder if _is_number(row["accuracy"])]
        archive = file.with_name("answers.npz")
        if archive.is_file():
            with np.load(archive) as arrays:
                for key in arrays.files:
                    run, family, name = key.split("|")
                    found.answers.setdefault((run, family), {})[name] = arrays[key]
        else:
            found.problems.append(
                f"`{archive.name}` is not beside `{file.name}`: no calibration curves, no paired tests"
            )
    if published is not None:
        found.published = _read_csv(published, ("arch", "train_images", "test_family", "accuracy"), found.problems)
    return found


def report(results: Results, command: str) -> list[Block]:
    """The page's blocks."""
    if not results.rows:
        return [Text(f"`{command}`"), Text("No results could be read."), Heading("Missing"), Bullets(results.problems)]
    families = list(dict.fromkeys(row["test_family"] for row in results.rows))
    groups = _by_network(results.rows)
    blocks: list[Block] = [Text(f"`{command}`"), *_findings(results, groups, families)]
    blocks += [Heading("Accuracy across families"), *_accuracy(results, groups, families)]
    blocks += [Heading("Levels and kinds of errors"), *_levels(results, groups)]
    blocks += [Heading("Harder images"), *_harder(results)]
    blocks += [Heading("Trust"), *_trust(results, groups, families)]
    blocks += [Heading("Cost and invariance"), *_cost(results, groups)]
    blocks += [Heading("Techniques with and without"), *_techniques(results, groups, families)]
    blocks += [Heading("Paired tests"), *_pairs(results, groups, families)]
    blocks += [Heading("Missing"), Bullets(_missing(results, groups, families) or ["Nothing."])]
    return blocks


Network = tuple[str, str, str]
"""Name without seed, training family, training images."""


def network_of(row: Row) -> Network:
    """What a run is apart from its seed, which is the number that ends the run's name.

    >>> network_of({"run": "runs/e2resnet-noise-2", "train_family": "noise", "train_images": "8160"})
    ('e2resnet-noise', 'noise', '8160')
    """
    return re.sub(r"[-_]\d+$", "", Path(row["run"]).stem), row["train_family"], row["train_images"]


def _by_network(rows: Sequence[Row]) -> dict[Network, dict[str, list[Row]]]:
    found: dict[Network, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[network_of(row)][row["test_family"]].append(row)
    return {network: dict(own) for network, own in sorted(found.items())}


def _values(rows: Sequence[Row], column: str = "accuracy") -> list[float]:
    return [float(row[column]) for row in rows if _is_number(row.get(column, ""))]


def _cell(rows: Sequence[Row]) -> str:
    """Mean and interval over seeds, or the Wilson interval of a single run."""
    values = _values(rows)
    if not values:
        return "-"
    mean, half = mean_interval(values)
    if len(values) > 1:
        return f"{100 * mean:.1f} ± {100 * half:.1f}"
    ends = [rows[0].get(name, "") for name in ("ci_low", "ci_high")]
    return _p(mean) + (f" ({_p(float(ends[0]))}-{_p(float(ends[1]))})" if all(map(_is_number, ends)) else "")


def _findings(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    """Sentences that the tables below bear out, unwelcome ones included."""
    items = []
    for family in families:
        scored = [(float(np.mean(_values(own[family]))), name) for name, own in groups.items() if family in own]
        best, worst = max(scored), min(scored)
        items.append(
            f"On {family}, best is {best[1][0]} trained on {best[1][2]} {best[1][1]} images with {_p(best[0])} %, "
            f"last {worst[1][0]} trained on {worst[1][2]} {worst[1][1]} images with {_p(worst[0])} %."
        )
    for technique in results.techniques:
        for family in families:
            difference = _difference(groups, technique["with"], technique["without"], family)
            if difference is None or math.isnan(difference[1]):
                continue
            mean, half, seeds = difference
            where = (
                f"{technique['technique']} on {family}: {100 * mean:+.1f} ± {100 * half:.1f} points over {seeds} seeds"
            )
            verdict = "it helps" if mean - half > 0 else "it harms" if mean + half < 0 else "no difference is shown"
            items.append(f"{where}; {verdict}.")
    return [Heading("Findings"), Bullets(items)]


def _accuracy(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    rows = []
    for (name, family, images), own in groups.items():
        seeds = str(max(len(rows) for rows in own.values()))
        rows.append([name, family, images, seeds, *(_cell(own.get(f, [])) for f in families)])
    rest = sorted({row["test_family"] for row in results.published} - set(families))
    published: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for row in results.published:
        key = (row["arch"], row.get("train_family", ""), row["train_images"])
        published[key][row["test_family"]] = _p(float(row["accuracy"]))
    for (name, family, images), own in published.items():
        cells = [own.get(f, "-") for f in families]
        others = ", ".join(f"{f} {own[f]}" for f in rest if f in own) or "-"
        rows.append([f"{name} (published)", family, images or "-", "1", *cells, others])
    if published:
        rows = [row if len(row) == len(families) + 5 else [*row, "-"] for row in rows]
    heads = ["network", "trained on", "images", "seeds", *families, *(["other sets"] if published else [])]
    text = "Accuracy in percent: mean and 95 % interval over seeds (Student), or the 95 % Wilson interval of one run."
    if published:
        text += " Published rows are the authors' figures on their own images: context, not a comparison."
    blocks: list[Block] = [Text(text), Table(heads, rows)]
    for family in families:
        points: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
        for (name, source, images), own in groups.items():
            if family in own and images.isdigit():
                points[f"{name}, {source}"].append((int(images), *mean_interval(_values(own[family]))))
        dashed: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for row in results.published:
            if row["test_family"] == family and row["train_images"].isdigit():
                dashed[row["arch"]].append((int(row["train_images"]), float(row["accuracy"])))
        caption = f"Accuracy on {family} against the number of training images; dotted: chance."
        blocks.append(Figure(f"images-{family}", accuracy_against_images(points, dashed), caption))
    return blocks


def _levels(results: Results, groups: dict) -> list[Block]:
    names = ("level_rotation", "level_class", "accuracy", "supergroup_errors", "ece")
    rows = []
    for (name, source, images), own in groups.items():
        for family, runs in own.items():
            means = [float(np.mean(values)) if (values := _values(runs, n)) else math.nan for n in names]
            cells = ["-" if math.isnan(m) else _p(m) for m in means[:-1]]
            ece = "-" if math.isnan(means[-1]) else f"{means[-1]:.3f}"
            rows.append([name, f"{images} {source}", family, *cells, ece])
    heads = ["network", "trained on", "family", "rotation order", "crystal class", "group", "to a supergroup", "ECE"]
    text = "Share of answers that are right at each level, and that name a supergroup of the truth, in percent."
    blocks: list[Block] = [Text(text), Table(heads, rows)]
    shares, confusion = {}, None
    for (name, _, images), own in groups.items():
        for family, runs in own.items():
            arrays = results.answers.get((runs[0]["run"], family))
            if arrays is None or arrays["labels"].max(initial=0) < 3:
                continue
            shares[f"{name}, {images}: {family}"] = error_shares(arrays["answers"], arrays["labels"])
    if shares:
        caption = "Right answers, and errors into a supergroup, into a subgroup, and wild ones (first seed)."
        blocks.append(Figure("errors", error_bars(shares), caption))
    for family in dict.fromkeys(family for _, family in results.answers):
        confusion = _best_confusion(results, groups, family)
        if confusion is not None:
            title, counts = confusion
            caption = f"Errors along the subgroup graph, {title}: arrows run from the truth to the answer."
            blocks.append(Figure(f"graph-{family}", confusion_on_subgroup_graph(counts, title), caption))
    return blocks


def _best_confusion(results: Results, groups: dict, family: str) -> tuple[str, NDArray] | None:
    scored = [
        (np.mean(_values(own[family])), name, own[family][0]["run"])
        for name, own in groups.items()
        if family in own and (own[family][0]["run"], family) in results.answers
    ]
    for _, name, run in sorted(scored, reverse=True):
        arrays = results.answers[run, family]
        if arrays["labels"].max(initial=0) >= 3:
            counts = np.zeros((17, 17), int)
            np.add.at(counts, (arrays["labels"], arrays["answers"]), 1)
            return f"{name[0]} on {family}", counts
    return None


def _harder(results: Results) -> list[Block]:
    """Accuracy against severity of each corruption and against repeats, one figure for each family."""
    curves: dict[str, dict[str, dict[str, dict[float, list[float]]]]] = {}
    for row in [*results.conditions, *results.rows]:
        family, _, condition = row["test_family"].partition("+")
        kind, _, amount = condition.rpartition("-")
        name = f"{network_of(row)[0]}, {row['train_images']}"
        if condition:
            own = curves.setdefault(family, {}).setdefault(kind, {}).setdefault(name, {})
            own.setdefault(float(amount), []).append(float(row["accuracy"]))
        else:  # severity 0 of every corruption; these rows come last
            for kind, networks in curves.get(family, {}).items():
                if kind != "repeats" and name in networks:
                    networks[name].setdefault(0.0, []).append(float(row["accuracy"]))
    blocks: list[Block] = []
    for family, kinds in curves.items():
        means = {
            kind: {name: [(x, float(np.mean(y))) for x, y in sorted(own.items())] for name, own in networks.items()}
            for kind, networks in kinds.items()
        }
        caption = f"Accuracy on {family} images against severity of corruptions, and against repeats along the side."
        blocks.append(Figure(f"harder-{family}", condition_curves(means), caption))
    return blocks or [Text("No `corruptions.csv` stands beside the results; `equisym-eval --corruptions` writes it.")]


def _trust(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    blocks: list[Block] = []
    for family in families:
        trust = {}
        for (name, _, images), own in groups.items():
            arrays = results.answers.get((own[family][0]["run"], family)) if family in own else None
            if arrays is not None:
                trust[f"{name}, {images}"] = (
                    arrays["confidences"].astype(float),
                    arrays["answers"] == arrays["labels"],
                )
        if trust:
            caption = f"On {family}: calibration, and accuracy when the least certain images are refused (first seed)."
            blocks.append(Figure(f"trust-{family}", trust_curves(trust), caption))
    return blocks or [Text("No answers were kept, so there are no curves.")]


def _cost(results: Results, groups: dict) -> list[Block]:
    rows = []
    for (name, source, images), own in groups.items():
        runs = [row for rows in own.values() for row in rows]
        model = next((results.models[r["run"]] for r in runs if r["run"] in results.models), None)
        speed = _values(runs, "images_per_second")
        cells = ["-"] * 5
        if model is not None:
            cells = [
                model.get("size", "-"),
                f"{int(model['params']):,}" if model.get("params") else "-",
                f"{int(model['multiply_adds']) / 1e6:,.0f} M" if model.get("multiply_adds") else "-",
                model.get("invariance_error") or "-",
                _p(float(model["changed_answers"])) + " %" if model.get("changed_answers") else "-",
            ]
        accuracy = _p(float(np.mean([v for rows in own.values() for v in _values(rows)])))
        rows.append([name, f"{images} {source}", accuracy, *cells, f"{np.mean(speed):.0f}" if speed else "-"])
    heads = ["network", "trained on", "mean accuracy", "size", "parameters", "multiply-adds"]
    heads += ["invariance error", "changed answers", "images/s"]
    text = (
        "Accuracy is the mean over families. The invariance error is the mean change of the answered distribution "
        "(total variation) when the image is turned and flipped by D4; beside it the share of answers that change."
    )
    return [Text(text), Table(heads, rows)]


def _difference(groups: dict, first: str, second: str, family: str) -> tuple[float, float, int] | None:
    """Mean difference of accuracy between two networks, seed by seed, on the same training set."""
    by_name: dict[str, dict[tuple, float]] = {first: {}, second: {}}
    for (name, source, images), own in groups.items():
        if name in by_name:
            for row in own.get(family, []):
                seed = re.search(r"(\d+)$", Path(row["run"]).stem)
                by_name[name][source, images, seed.group(1) if seed else ""] = float(row["accuracy"])
    shared = sorted(by_name[first].keys() & by_name[second].keys())
    if not shared:
        return None
    differences = [by_name[first][k] - by_name[second][k] for k in shared]
    return (*mean_interval(differences), len(shared))


def _techniques(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    if not results.techniques:
        return [Text("No `techniques.csv` beside the results says which networks differ by one technique.")]
    rows = []
    for technique in results.techniques:
        cells = []
        for family in families:
            found = _difference(groups, technique["with"], technique["without"], family)
            half = "" if found is None or math.isnan(found[1]) else f" ± {100 * found[1]:.1f}"
            cells.append("not run" if found is None else f"{100 * found[0]:+.1f}{half}")
        rows.append([technique["technique"], technique["with"], technique["without"], *cells])
    text = "Difference of accuracy in points, seed by seed, with its 95 % interval (Student); a minus goes against it."
    return [Text(text), Table(["technique", "with", "without", *families], rows)]


def _pairs(results: Results, groups: dict, families: Sequence[str]) -> list[Block]:
    tests = []
    for family in families:
        answered = []
        for name, own in groups.items():
            arrays = results.answers.get((own[family][0]["run"], family)) if family in own else None
            if arrays is not None:
                answered.append((name, arrays))
        for (first, a), (second, b) in combinations(answered, 2):
            same = len(a["labels"]) == len(b["labels"]) and np.array_equal(a["labels"], b["labels"])
            if same and first[1:] == second[1:]:
                result = mcnemar(a["answers"] == a["labels"], b["answers"] == b["labels"])
                tests.append((family, first, second, *result))
    if not tests:
        return [Text("No two networks of the same training set have answered the same images, with answers kept.")]
    corrected = holm([test[-1] for test in tests])
    rows = [
        [f, a[0], b[0], f"{a[2]} {a[1]}", str(n), str(m), f"{p:.2g}", "yes" if p < 0.05 else "no"]
        for (f, a, b, n, m, _), p in zip(tests, corrected, strict=True)
    ]
    heads = ["family", "first", "second", "trained on", "only first right", "only second right", "p", "differ"]
    text = "McNemar's exact test on the same images (first seed of each), p corrected for all tests after Holm."
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


def _read_csv(path: Path, needed: Sequence[str], problems: list[str], *, optional: bool = False) -> list[Row]:
    if not path.is_file():
        if not optional:
            problems.append(f"`{path.name}` was not found")
        return []
    with path.open(newline="") as file:
        rows: list[Row] = list(csv.DictReader(file))
    absent = [name for name in needed if rows and name not in rows[0]]
    if absent:
        problems.append(f"`{path.name}` has no column {', '.join(absent)}: it is left out")
        return []
    return rows


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def _p(share: float) -> str:
    return f"{100 * share:.1f}"
