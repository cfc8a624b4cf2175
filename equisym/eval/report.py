"""The Markdown report of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def markdown_report(rows: Sequence[dict[str, Any]], pictures: Sequence[str], command: str) -> str:
    """A page with the accuracy matrix, the levels of the hierarchy, and the confusion pictures.

    Args:
        rows: rows of ``cross_dataset.csv``.
        pictures: file names beside the report.
        command: the command that made it.
    """
    families = list(dict.fromkeys(row["test_family"] for row in rows))
    runs = list(dict.fromkeys(row["run"] for row in rows))
    lines = ["# Generalisation across image families", "", f"`{command}`", ""]
    lines += ["Accuracy in percent, with the 95 % Wilson interval.", ""]
    lines += _table(["run", "arch", "trained on", *families])
    for run in runs:
        own = {row["test_family"]: row for row in rows if row["run"] == run}
        first = next(iter(own.values()))
        cells = [f"{_p(r['accuracy'])} ({_p(r['ci_low'])}-{_p(r['ci_high'])})" for r in (own[f] for f in families)]
        trained = f"{first['train_family']}, {first['train_images']}"
        lines.append("| " + " | ".join([run, first["arch"], trained, *cells]) + " |")
    lines += [
        "",
        "Share of answers that are right at each level, that name a supergroup of the truth, and calibration.",
        "",
    ]
    lines += _table(["run", "family", "rotation order", "crystal class", "group", "supergroup errors", "ECE"])
    for row in rows:
        names = ("level_rotation", "level_class", "accuracy", "supergroup_errors")
        cells = [_p(row[name]) for name in names]
        lines.append("| " + " | ".join([row["run"], row["test_family"], *cells, f"{row['ece']:.3f}"]) + " |")
    lines += ["", "Confusion, rows true and columns answered, in percent; answers in a supergroup are framed.", ""]
    lines += [f"![{name}]({name})" for name in pictures]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]


def _p(share: float) -> str:
    return f"{100 * share:.1f}"
