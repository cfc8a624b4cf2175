"""The command ``equisym-eval``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from equisym.command_line import run_command
from equisym.data import FAMILIES


@dataclass(frozen=True)
class EvalConfig:
    """Test trained runs on fresh images of every family and report how they generalise.

    Attributes:
        runs: run folders written by equisym-train, or .safetensors files.
        families: image families to test on.
        count: images of each family.
        out: folder for cross_dataset.csv, REPORT.md and the confusion pictures.
        seed: of the test images.
        photos: folder of photographs for the photo family; the bundled ones if not given.
        workers: processes that draw images; -1 for one per core.
    """

    runs: list[str]
    families: list[str] = field(default_factory=lambda: list(FAMILIES))
    count: int = 1700
    out: str = "eval-report"
    seed: int = 1000
    photos: str | None = None
    workers: int = -1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1 (got {self.count})")


def main() -> None:
    """Test trained runs across image families."""
    run_command(EvalConfig, _evaluate, prog="equisym-eval", positional=("runs",))


def _evaluate(config: EvalConfig) -> None:
    from equisym.data.dataset import worker_count
    from equisym.eval.protocol import evaluate, write_table
    from equisym.eval.report import markdown_report
    from equisym.train.plots import plot_confusion
    from equisym.train.records import write_whole

    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    rows, confusions = [], {}
    for row, scores in evaluate(
        config.runs,
        config.families,
        config.count,
        seed=config.seed,
        photos=config.photos,
        workers=worker_count(config.workers),
    ):
        rows.append(row)
        confusions.setdefault(row["run"], {})[row["test_family"]] = scores.confusion
        write_table(rows, out / "cross_dataset.csv")
        interval = f"{100 * scores.ci_low:.1f}-{100 * scores.ci_high:.1f}"
        print(f"{row['run']} on {row['test_family']}: {100 * scores.accuracy:.1f} % ({interval})")
    pictures = []
    for run, matrices in confusions.items():
        pictures.append(f"confusion-{Path(run).stem}.png")
        plot_confusion(matrices, out / pictures[-1])
    command = shlex.join(["equisym-eval", *sys.argv[1:]])
    write_whole(out / "REPORT.md", markdown_report(rows, pictures, command))
