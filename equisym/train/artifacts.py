"""Files of a run: written whole or not at all, and read back without unpickling."""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import lightning as L
from torch import nn

from equisym.data import Inputs
from equisym.models import build, find_model_file, import_archs, read_model_file, save_model
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.model_file import build_from_file


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old content or the new."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text)
    partial.replace(path)


class MetricsTable(L.Callback):
    """Writes one row per epoch to ``metrics.csv``. The rows are stored in checkpoints, so a resumed run repeats none.

    Args:
        path: the csv file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del pl_module
        row = {"epoch": trainer.current_epoch, "lr": trainer.optimizers[0].param_groups[0]["lr"]}
        row |= {name: value.item() for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append(row)
        if trainer.is_global_zero:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            write_whole(self.path, text.getvalue())


def make_network(
    arch: str, options: dict[str, Any], *, num_classes: int, in_channels: int = 1, inputs: str = "image"
) -> nn.Module:
    """Build an architecture with its input transforms in front.

    Args:
        arch: name of the architecture.
        options: its options.
        num_classes: size of the answer.
        in_channels: channels of the image.
        inputs: names of :class:`equisym.data.Inputs`, comma-separated; they become the channels of the input.

    Raises:
        ValueError: if the architecture measures the image itself and other channels are asked for.
    """
    stack = Inputs(inputs)
    network = build(arch, num_classes=num_classes, in_channels=in_channels * len(stack.names), **options)
    if stack.names == ("image",):
        return network
    if isinstance(network, FeatureClassifier):
        raise ValueError(f"{arch} measures the image itself: leave out --inputs (got {inputs!r})")
    return nn.Sequential(OrderedDict(inputs=stack, network=network))


def load_model(path: str | Path, *, imports: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Read a network that equisym-train or :func:`equisym.train.publish.save_pretrained` wrote.

    Args:
        path: a ``.safetensors`` file, a folder that holds ``model.safetensors``, or ``hf-hub:OWNER/NAME``.
        imports: package that registers the network's architecture, where it is no installed one. A package that the
            file names is never imported on the file's word alone.

    Returns:
        The network in eval mode, and its description (arch, options, num_classes, in_channels, size, ...).

    Raises:
        ValueError: if there is no such file, it was not written by equisym, is damaged, holds weights that are NaN, or
            its architecture is not known here.
    """
    if imports:
        import_archs(imports)
    file = find_model_file(path)
    state, description = read_model_file(file)

    def make() -> nn.Module:
        return make_network(
            description["arch"],
            description["arch_options"],
            num_classes=description["num_classes"],
            in_channels=description["in_channels"],
            inputs=description.get("inputs", "image"),
        )

    package = description.get("package")
    try:
        return build_from_file(file, state, description, make), description
    except ValueError as error:
        if package and "arch must be one of" in str(error):
            raise ValueError(f"{file} needs the package {package}: install it, or add --import {package}") from None
        raise


__all__ = ["MetricsTable", "load_model", "make_network", "save_model", "write_whole"]
