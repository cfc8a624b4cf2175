"""Trained weights that come with the package: of which network, by which recipe, how good, and a hash of each file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Weights:
    """One file of weights.

    Attributes:
        file: its name in the folder of weights.
        options: of the architecture.
        sha256: hash of the file.
        recipe: how the weights were made.
        accuracies: in percent, by image family, on images that training has not seen.
        size: side of the images that the network was trained on, in pixels; None if it measures any image.
        cell: side that a unit cell should have in them, in pixels, as the root of its area; likewise.
    """

    file: str
    options: dict[str, Any]
    sha256: str
    recipe: str
    accuracies: dict[str, float] = field(default_factory=dict)
    size: int | None = None
    cell: float | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return FOLDER / self.file

    def load_into(self, model: nn.Module) -> None:
        """Give a network these weights.

        Raises:
            ValueError: if the file is not the one that this entry describes.
        """
        from safetensors.torch import load

        content = self.path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(f"{self.path} is not the file that belongs here (sha256 {found}): install equisym again")
        model.load_state_dict(load(content))


WEIGHTS: dict[str, Weights] = {}
"""The weights of each architecture that has some, by its name."""
