"""The command ``equisym-eval``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from equisym.command_line import run_command
from equisym.data import CORRUPTIONS, FAMILIES, Corruption


@dataclass(frozen=True)
class EvalConfig:
    """Test trained runs on fresh images of every family and report how they generalise.

    Attributes:
        runs: run folders written by equisym-train, or .safetensors files.
        families: image families to test on.
        count: images of each family.
        out: folder for cross_dataset.csv, models.csv, answers.npz, REPORT.md and the confusion pictures.
        corruptions: test every corruption at severities 1, 3 and 5 as well, and cells that repeat 2 to 8 times along
            the side (corruptions.csv).
        look: draw what answers hang on (needs captum) and a map of the images as the network sees them.
        seed: of the test images.
        photos: folder of photographs for the photo family; the bundled ones if not given.
        workers: processes that draw images; -1 for one per core.
    """

    runs: list[str]
    families: list[str] = field(default_factory=lambda: list(FAMILIES))
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


def main() -> None:
    """Test trained runs across image families."""
    run_command(EvalConfig, _evaluate, prog="equisym-eval", positional=("runs",))


def _evaluate(config: EvalConfig) -> None:
    from equisym.data.dataset import worker_count
    from equisym.eval.protocol import MODEL_COLUMNS, Repeats, describe, evaluate, write_answers, write_table
    from equisym.eval.report import markdown_report
    from equisym.train.artifacts import write_whole
    from equisym.train.plots import plot_confusion

    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    rows, confusions, answers = [], {}, {}
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
        answers[row["run"], row["test_family"]] = scores
        write_table(rows, out / "cross_dataset.csv")
        interval = f"{100 * scores.ci_low:.1f}-{100 * scores.ci_high:.1f}"
        print(f"{row['run']} on {row['test_family']}: {100 * scores.accuracy:.1f} % ({interval})")
    if config.corruptions:
        every = [Corruption(name, severity) for name in CORRUPTIONS for severity in (1, 3, 5)]
        every += [Repeats(number) for number in (2, 3, 4, 6, 8)]
        harsh = evaluate(
            config.runs,
            config.families,
            config.count,
            seed=config.seed,
            photos=config.photos,
            workers=worker_count(config.workers),
            conditions=every,
        )
        write_table([row for row, _ in harsh], out / "corruptions.csv")
    write_answers(answers, out / "answers.npz")
    write_table([describe(run) for run in config.runs], out / "models.csv", MODEL_COLUMNS)
    pictures = []
    for run, matrices in confusions.items():
        pictures.append(f"confusion-{Path(run).stem}.png")
        plot_confusion(matrices, out / pictures[-1])
    if config.look:
        pictures += [name for run in config.runs for name in _look(run, config, out)]
    command = shlex.join(["equisym-eval", *sys.argv[1:]])
    write_whole(out / "REPORT.md", markdown_report(rows, pictures, command))


def _look(run: str, config: EvalConfig, out: Path) -> list[str]:
    """Draw saliency and embedding of a run; the names of the pictures."""
    import torch

    from equisym.data import PatternOptions, WallpaperDataset
    from equisym.eval.attribution import embedding, features, plot_embedding, plot_saliency
    from equisym.train.artifacts import load_model

    model, about = load_model(run)
    size, options, name = about["size"], PatternOptions(photos=config.photos), Path(run).stem
    count = min(config.count, 510)
    sets = [
        WallpaperDataset(family, count, size=size, seed=config.seed, split="test", options=options).in_memory().tensors
        for family in config.families
    ]
    images, labels = (torch.cat(parts) for parts in zip(*sets, strict=True))
    plot_saliency(model, images[:17], labels[:17], out / f"saliency-{name}.png")
    families = [family for family, (own, _) in zip(config.families, sets, strict=True) for _ in own]
    plot_embedding(embedding(features(model, images)), labels, families, out / f"embedding-{name}.png")
    return [f"saliency-{name}.png", f"embedding-{name}.png"]


if __name__ == "__main__":
    main()
