"""The command ``equisym-train``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from equisym.command_line import run_command
from equisym.train.config import TrainConfig
from equisym.train.loggers import require_logger


def main() -> None:
    """Train an architecture and test it; or one run for each value of a sweep."""
    run_command(TrainConfig, _train, prog="equisym-train", recorded=_recorded)


def _recorded(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run that is continued, in the place of the defaults: ``--out FOLDER --resume`` is enough."""
    if not (given["resume"] and given["out"]):
        return {}
    from equisym.train.run_folder import read_recorded

    config = TrainConfig(out=given["out"])
    if not (config.folder / "last.ckpt").is_file():
        return {}
    found = read_recorded(config.folder)
    return {name: value for name, value in found.items() if name in given and name not in ("out", "resume")}


def _train(config: TrainConfig) -> None:
    require_logger(config.logger)
    if config.sweep:
        from equisym.train.sweep import sweep

        sweep(config)
        return
    from equisym.train.run import train

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # of devices, and of other products
    summary = train(config)
    if summary:
        test = ", ".join(f"{name} {100 * accuracy:.1f}" for name, accuracy in summary["test"].items())
        print(
            f"{summary['arch']}: {summary['params']:,} parameters, {summary['seconds']:.0f} s, "
            f"valid {100 * summary['valid_accuracy']:.1f} %" + (f", test {test} %" if test else "")
        )


if __name__ == "__main__":
    main()
