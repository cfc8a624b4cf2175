"""Trainings of several seeds as a table: mean and 95 % interval of each accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def seed_table(
    rows: Sequence[Mapping[str, Any]], keys: Mapping[str, str], figures: Mapping[str, str], digits: int = 1
) -> str:
    """Rows that agree in their keys are the seeds of one line.

    Args:
        rows: one a training; lines come in the order of their first rows.
        keys: heading and column of what tells lines apart.
        figures: heading and column of shares, printed in percent.
        digits: behind the point.

    Returns:
        Markdown: the keys, the number of seeds, the figures.
    """
    from equisym.document import markdown_table
    from equisym.eval.statistics import percent_interval

    lines: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(tuple(row[column] for column in keys.values()), []).append(row)
    cells = [
        [*map(_cell, key), str(len(own)), *(percent_interval([r[c] for r in own], digits) for c in figures.values())]
        for key, own in lines.items()
    ]
    return markdown_table([*keys, "seeds", *figures], cells)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
