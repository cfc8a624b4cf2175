"""The report of an evaluation: one table over runs and images, levels of the hierarchy, confusion pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equisym.document import Block, Bullets, Code, Heading, Picture, Table, Text

_LEVELS = {"rotation order": "level_rotation", "crystal class": "level_class", "group": "accuracy"}


def evaluation_report(
    rows: Sequence[dict[str, Any]], pictures: Sequence[str], command: str, problems: Sequence[str] = ()
) -> list[Block]:
    """The page's blocks.

    Args:
        rows: rows of ``cross_dataset.csv``.
        pictures: file names beside the report.
        command: the command that made it.
        problems: sentences on what could not be evaluated.
    """
    sets = list(dict.fromkeys(row["test_family"] for row in rows))
    blocks: list[Block] = [Code(command, "sh")]
    if problems:
        blocks += [Heading("Missing"), Bullets(problems)]
    blocks += [Heading("Accuracy"), Text("In percent, with the 95 % Wilson interval.")]
    blocks.append(Table(["run", "arch", "trained on", *sets], [_accuracies(rows, run, sets) for run in _runs(rows)]))
    groups = [row for row in rows if row["level_rotation"] == row["level_rotation"]]  # nan for other labels
    if groups:
        text = "Share of answers that are right at each level, that name a supergroup of the truth, and calibration."
        heads = ["run", "images", *_LEVELS, "supergroup errors", "ECE"]
        blocks += [Heading("Levels of the hierarchy"), Text(text), Table(heads, [_levels(row) for row in groups])]
    if pictures:
        blocks.append(Heading("Pictures"))
        blocks.append(
            Text("Confusion: rows true and columns answered, in percent; answers in a supergroup are framed.")
        )
        blocks += [Picture(name, name) for name in pictures]
    return blocks


def _runs(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["run"] for row in rows))


def _accuracies(rows: Sequence[dict[str, Any]], run: str, sets: Sequence[str]) -> list[str]:
    own = {row["test_family"]: row for row in rows if row["run"] == run}
    first = next(iter(own.values()))
    cells = [
        f"{_percent(own[name]['accuracy'])} ({_percent(own[name]['ci_low'])}-{_percent(own[name]['ci_high'])})"
        if name in own
        else "-"
        for name in sets
    ]
    return [run, first["arch"], f"{first['train_family']}, {first['train_images']}", *cells]


def _levels(row: dict[str, Any]) -> list[str]:
    cells = [_percent(row[name]) for name in (*_LEVELS.values(), "supergroup_errors")]
    return [row["run"], row["test_family"], *cells, f"{row['ece']:.3f}"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
