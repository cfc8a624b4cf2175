"""The command ``equisym-train``."""

from __future__ import annotations

from equisym.command_line import run_command
from equisym.train.config import TrainConfig


def main() -> None:
    """Train an architecture on generated images and test it on every family."""
    run_command(TrainConfig, _train, prog="equisym-train")


def _train(config: TrainConfig) -> None:
    from equisym.train.run import train

    summary = train(config)
    if summary:
        test = ", ".join(f"{family} {100 * accuracy:.1f}" for family, accuracy in summary["test"].items())
        print(
            f"{summary['arch']}: {summary['params']:,} parameters, {summary['seconds']:.0f} s, "
            f"valid {100 * summary['valid_accuracy']:.1f} %" + (f", test {test} %" if test else "")
        )
