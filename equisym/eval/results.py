"""Read the result files of evaluations; what cannot be read is reported, not raised."""

from __future__ import annotations

import csv
import math
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equisym.plain_text import one_line

Row = Mapping[str, str]
NEEDED = ("arch", "run", "train_family", "train_images", "test_family", "accuracy")


@dataclass
class Results:
    """Contents of result files.

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
    """Read result files and their companions. A file that cannot be used becomes a sentence in ``problems``.

    Args:
        files: ``cross_dataset.csv`` of any number of evaluations.
        published: csv of published accuracies.
    """
    found = Results()
    for file in files:
        rows = _read_csv(file, NEEDED, found.problems)
        found.rows += [row for row in rows if is_number(row["accuracy"])]
        bad = sum(not is_number(row["accuracy"]) for row in rows)
        if bad:
            found.problems.append(f"`{file.name}`: {bad} rows without an accuracy are left out")
        for row in _read_csv(file.with_name("models.csv"), ("run",), found.problems):
            found.models[row["run"]] = row
        found.techniques += _read_csv(
            file.with_name("techniques.csv"), ("technique", "with", "without"), found.problems, optional=True
        )
        harder = _read_csv(file.with_name("corruptions.csv"), NEEDED, found.problems, optional=True)
        found.conditions += [row for row in harder if is_number(row["accuracy"])]
        archive = file.with_name("answers.npz")
        if archive.is_file():
            try:
                with np.load(archive) as arrays:
                    for key in arrays.files:
                        run, family, name = key.split("|")
                        found.answers.setdefault((run, family), {})[name] = arrays[key]
            except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                found.problems.append(f"`{archive.name}` is damaged ({one_line(error, 120)}): no calibration curves")
        else:
            found.problems.append(
                f"`{archive.name}` is not beside `{file.name}`: no calibration curves, no paired tests"
            )
    if published is not None:
        found.published = _read_csv(published, ("arch", "train_images", "test_family", "accuracy"), found.problems)
    return found


Network = tuple[str, str, str]
"""Name without seed, training family, training images."""


def network_of(row: Row) -> Network:
    """Identity of a run apart from its seed, which is the number at the end of its name.

    >>> network_of({"run": "runs/e2resnet-noise-2", "train_family": "noise", "train_images": "8160"})
    ('e2resnet-noise', 'noise', '8160')
    """
    return re.sub(r"[-_]\d+$", "", Path(row["run"]).stem), row["train_family"], row["train_images"]


def by_network(rows: Sequence[Row]) -> dict[Network, dict[str, list[Row]]]:
    """Rows of each network and test family, best mean accuracy first."""
    found: dict[Network, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[network_of(row)][row["test_family"]].append(row)

    def mean(own: dict[str, list[Row]]) -> float:
        return float(np.mean([value for rows in own.values() for value in values_of(rows)]))

    return {name: dict(own) for name, own in sorted(found.items(), key=lambda item: (-mean(item[1]), item[0]))}


def values_of(rows: Sequence[Row], column: str = "accuracy") -> list[float]:
    """The numbers of a column."""
    return [float(row[column]) for row in rows if is_number(row.get(column, ""))]


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


def is_number(text: str | None) -> bool:
    """Whether a cell holds a finite number."""
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def percent(share: float) -> str:
    """A proportion in percent."""
    return f"{100 * share:.1f}"


READABLE = 8
"""How many curves fit into a figure."""


def folded(rows: Sequence) -> str:
    """Text to click to open a long table; empty for a short one."""
    return f"{len(rows)} rows" if len(rows) > 30 else ""
