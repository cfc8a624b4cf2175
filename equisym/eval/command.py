"""The command ``equisym-eval``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equisym.command_line import run_command

if TYPE_CHECKING:
    from equisym.eval.metrics import Scores
    from equisym.eval.protocol import TestedRun


@dataclass(frozen=True)
class EvalConfig:
    """Test trained runs on fresh images of every family, or on images of your own, and report how they generalise.

    Attributes:
        runs: run folders written by equisym-train, .safetensors files, or hf-hub:OWNER/NAME.
        families: image families to test on; by default all, or none if --data is given.
        data: labelled images of your own, as equisym-train takes them; their test split is used.
        import_: package that registers architectures of your own.
        count: images of each family.
        out: folder for cross_dataset.csv, models.csv, answers.npz, REPORT.md and the confusion pictures.
        corruptions: test every corruption at severities 1, 3 and 5 as well, and cells that repeat 2 to 8 times along
            the side (corruptions.csv).
        look: draw which pixels the answers depend on (needs captum), and the images arranged by their features.
        seed: of the test images.
        photos: folder of photographs for the photo family; the bundled ones if not given.
        workers: processes that draw images; -1 for one per core.
    """

    runs: list[str]
    families: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    import_: str | None = None
    count: int = 1700
    out: str = "eval-report"
    corruptions: bool = False
    look: bool = False
    seed: int = 1000
    photos: str | None = None
    workers: int = -1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1 (got {self.count})")
        if self.families:
            self.tested_families  # noqa: B018 - told now if one of them is none

    @property
    def tested_families(self) -> tuple[str, ...]:
        """The families to test on."""
        from equisym.data import FAMILIES  # with torch, which --help does not need

        for family in self.families:
            if family not in FAMILIES:
                raise ValueError(f"family must be one of {', '.join(FAMILIES)} (got {family!r})")
        return tuple(self.families) if self.families or self.data else FAMILIES


def main() -> None:
    """Test trained runs across image families."""
    run_command(EvalConfig, _evaluate, prog="equisym-eval", positional=("runs",))


def _evaluate(config: EvalConfig) -> None:
    from equisym.document import render_markdown
    from equisym.eval.protocol import MODEL_COLUMNS, describe, load_runs, write_answers, write_table
    from equisym.eval.report import evaluation_report
    from equisym.train.artifacts import write_whole
    from equisym.train.image_sets import ROTATION_FAMILIES
    from equisym.train.plots import plot_confusion
    from equisym.train.run_folder import owned

    out = Path(config.out)
    runs, problems = load_runs(config.runs, imports=config.import_)
    if not runs:
        raise ValueError("; ".join(problems))
    for problem in problems:
        print(f"equisym-eval: {problem}", file=sys.stderr)
    said = len(problems)
    with owned(out):
        rows, confusions, answers = [], {}, {}
        for row, scores in _scores(config, runs, problems):
            rows.append(row)
            confusions.setdefault(row["run"], {})[row["test_family"]] = scores.confusion
            answers[row["run"], row["test_family"]] = scores
            write_table(rows, out / "cross_dataset.csv")
            interval = f"{100 * scores.ci_low:.1f}-{100 * scores.ci_high:.1f}"
            print(f"{row['run']} on {row['test_family']}: {100 * scores.accuracy:.1f} % ({interval})")
        for problem in problems[said:]:
            print(f"equisym-eval: {problem}", file=sys.stderr)
        if not rows:
            raise ValueError("nothing was evaluated")
        if config.corruptions:
            _write_corruptions(config, runs, out)
        write_answers(answers, out / "answers.npz")
        write_table([describe(run) for run in runs], out / "models.csv", MODEL_COLUMNS)
        pictures = []
        for run in runs:
            if run.name in confusions:
                pictures.append(f"confusion-{Path(run.name).stem}.png")
                names = ROTATION_FAMILIES if len(run.classes) != run.about["num_classes"] else run.classes
                plot_confusion(confusions[run.name], out / pictures[-1], names)
        if config.look:
            pictures += [name for run in runs for name in _look(run, config, out)]
        command = shlex.join(["equisym-eval", *sys.argv[1:]])
        blocks = evaluation_report(rows, pictures, command, problems)
        write_whole(out / "REPORT.md", render_markdown("Generalisation across image families", blocks, out))
    if problems:
        sys.exit(2)


def _scores(config: EvalConfig, runs: list[TestedRun], problems: list[str]) -> Iterator[tuple[dict[str, Any], Scores]]:
    from equisym.data.dataset import worker_count
    from equisym.eval.protocol import evaluate

    return evaluate(
        runs,
        config.tested_families,
        config.count,
        seed=config.seed,
        photos=config.photos,
        data=config.data,
        workers=worker_count(config.workers),
        problems=problems,
    )


def _write_corruptions(config: EvalConfig, runs: list[TestedRun], out: Path) -> None:
    from equisym.data import CORRUPTIONS, Corruption
    from equisym.data.dataset import worker_count
    from equisym.eval.protocol import Repeats, evaluate, write_table

    every = [Corruption(name, severity) for name in CORRUPTIONS for severity in (1, 3, 5)]
    every += [Repeats(number) for number in (2, 3, 4, 6, 8)]
    harsh = evaluate(
        runs,
        config.tested_families,
        config.count,
        seed=config.seed,
        photos=config.photos,
        workers=worker_count(config.workers),
        conditions=every,
        problems=[],
    )
    write_table([row for row, _ in harsh], out / "corruptions.csv")


def _look(run: TestedRun, config: EvalConfig, out: Path) -> list[str]:
    """Draw saliency and embedding of a run; the names of the pictures."""
    import torch

    from equisym.data import PatternOptions, WallpaperDataset
    from equisym.eval.attribution import embedding, features, plot_embedding, plot_saliency

    if not config.tested_families or len(run.classes) != 17:
        return []
    size, options, name = run.about["size"], PatternOptions(photos=config.photos), Path(run.name).stem
    count = min(config.count, 510)
    sets = [
        WallpaperDataset(family, count, size=size, seed=config.seed, split="test", options=options).in_memory().tensors
        for family in config.tested_families
    ]
    images, labels = (torch.cat(parts) for parts in zip(*sets, strict=True))
    images = images.expand(-1, run.about["in_channels"], -1, -1)
    plot_saliency(run.model, images[:17], labels[:17], out / f"saliency-{name}.png")
    families = [family for family, (own, _) in zip(config.tested_families, sets, strict=True) for _ in own]
    plot_embedding(embedding(features(run.model, images)), labels, families, out / f"embedding-{name}.png")
    return [f"saliency-{name}.png", f"embedding-{name}.png"]


if __name__ == "__main__":
    main()
