"""Files of a run: written whole or not at all, and read back without unpickling."""

from __future__ import annotations

import csv
import io
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import lightning as L
from safetensors.torch import load_file, save_file
from torch import nn

from equisym.data import Inputs
from equisym.models import build
from equisym.models.feature_classifier import FeatureClassifier


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old content or the new, never a part."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text)
    partial.replace(path)


class MetricsTable(L.Callback):
    """Writes one row per epoch to ``metrics.csv``; the rows travel in the checkpoint, so a resumed run repeats none.

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
    """Build an architecture behind its inputs.

    Args:
        arch: name of the architecture.
        options: its options.
        num_classes: size of the answer.
        in_channels: channels of the image.
        inputs: names of :class:`equisym.data.Inputs`, with commas; they become channels of the architecture's input.

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


def save_model(model: nn.Module, path: Path, description: dict[str, Any]) -> None:
    """Save weights as safetensors with what is needed to build the network again, atomically."""
    partial = path.with_name(path.name + ".part")
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        partial,
        metadata={"equisym": json.dumps(description)},
    )
    partial.replace(path)


def load_model(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read a network saved by :func:`save_model`.

    Args:
        path: a ``.safetensors`` file, or a run folder that holds ``model.safetensors``.

    Returns:
        The network in eval mode, and its description (arch, options, num_classes, in_channels, size, ...).

    Raises:
        ValueError: if there is no such file or it was not written by equisym.
    """
    from safetensors import safe_open

    path = Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"no trained model at {path}: give a folder written by equisym-train, or a .safetensors file")
    with safe_open(file, "pt") as handle:
        metadata = handle.metadata() or {}
    if "equisym" not in metadata:
        raise ValueError(f"{file} was not written by equisym-train: its architecture is unknown")
    description = json.loads(metadata["equisym"])
    model = make_network(
        description["arch"],
        description["arch_options"],
        num_classes=description["num_classes"],
        in_channels=description["in_channels"],
        inputs=description.get("inputs", "image"),
    )
    model.load_state_dict(load_file(file))
    return model.eval(), description
