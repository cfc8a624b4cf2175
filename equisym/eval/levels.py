"""The report's sections on the hierarchy: kinds of errors, and the first level alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equisym.document import Block, Figure, Table, Text
from equisym.eval.figures import confusion_on_subgroup_graph, error_bars
from equisym.eval.metrics import error_shares
from equisym.eval.results import Results, Row, by_network, folded, is_number, percent, values_of
from equisym.eval.statistics import mean_interval
from equisym.models.tree import labels_at


def kinds_of_errors(results: Results, groups: dict) -> list[Block]:
    """Accuracy at each level, and errors into supergroups, subgroups and elsewhere."""
    names = ("level_rotation", "level_class", "accuracy", "supergroup_errors", "ece")
    rows = []
    for (name, source, images), own in groups.items():
        for family, runs in own.items():
            means = [float(np.mean(values)) if (values := values_of(runs, n)) else math.nan for n in names]
            cells = ["-" if math.isnan(m) else percent(m) for m in means[:-1]]
            ece = "-" if math.isnan(means[-1]) else f"{means[-1]:.3f}"
            rows.append([name, f"{images} {source}", family, *cells, ece])
    heads = ["network", "trained on", "family", "rotation order", "crystal class", "group", "to a supergroup", "ECE"]
    text = "Share of answers that are right at each level, and that name a supergroup of the truth, in percent."
    blocks: list[Block] = [Text(text), Table(heads, rows, folded(rows))]
    shares, confusion = {}, None
    for (name, source, images), own in groups.items():
        for family, runs in own.items():
            arrays = results.answers.get((runs[0]["run"], family))
            if arrays is None or arrays["labels"].max(initial=0) < 3:
                continue
            shares[f"{name}, {images} {source}: {family}"] = error_shares(arrays["answers"], arrays["labels"])
    if shares:
        caption = "Right answers, and errors into a supergroup, into a subgroup, and unrelated ones (first seed)."
        blocks.append(Figure("errors", error_bars(shares), caption))
    for family in dict.fromkeys(family for _, family in results.answers):
        confusion = _best_confusion(results, groups, family)
        if confusion is not None:
            title, counts = confusion
            caption = f"Errors along the subgroup graph, {title}: arrows run from the truth to the answer."
            blocks.append(Figure(f"graph-{family}", confusion_on_subgroup_graph(counts, title), caption))
    return blocks


def answers_first_level(results: Results, row: Row) -> bool:
    """Whether a run only distinguishes the three classes of the hierarchy's first level."""
    arrays = results.answers.get((row["run"], row["test_family"]))
    if arrays is not None:
        return bool(arrays["labels"].max(initial=0) < 3)
    return "level_rotation" in row and not is_number(row["level_rotation"])


def first_level_alone(results: Results, families: Sequence[str]) -> list[Block]:
    """Accuracy on the three classes, of networks that learned only these and of those that learned the 17 groups."""
    if not any(answers_first_level(results, row) for row in results.rows):
        return [Text("No network was trained on the first level alone (`equisym-train --loss rotation_family`).")]
    rows = []
    for (name, source, images), own in by_network(results.rows).items():
        shares: dict[str, list[float]] = defaultdict(list)
        learned = ""
        for family, runs in own.items():
            for row in runs:
                arrays = results.answers.get((row["run"], family))
                alone = answers_first_level(results, row)
                learned = "three classes" if alone else "17 groups"
                if alone:
                    shares[family].append(float(row["accuracy"]))
                elif arrays is not None:
                    level = np.array(labels_at("rotation_family"))
                    shares[family].append(float((level[arrays["answers"]] == level[arrays["labels"]]).mean()))
        cells = []
        for family in families:
            if family not in shares:
                cells.append("-")
                continue
            mean, half = mean_interval(shares[family])
            cells.append(percent(mean) + ("" if math.isnan(half) else f" ± {100 * half:.1f}"))
        order = np.mean([np.mean(values) for values in shares.values()]) if shares else 0.0
        rows.append((order, [name, f"{images} {source}", learned, *cells]))
    body = [row for _, row in sorted(rows, key=lambda pair: -pair[0])]
    text = (
        "Share of right answers among the three classes without rotations, with 2- and 4-fold and with 3- and 6-fold "
        "ones, in percent, with the 95 % interval over seeds (Student). Chance is a third or more: the classes hold "
        "4, 8 and 5 groups."
    )
    return [Text(text), Table(["network", "trained on", "learned", *families], body, folded(body))]


def _best_confusion(results: Results, groups: dict, family: str) -> tuple[str, NDArray] | None:
    scored = [
        (np.mean(values_of(own[family])), name, own[family][0]["run"])
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
