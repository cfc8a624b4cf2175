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


WEIGHTS: dict[str, Weights] = {
    "symnet": Weights(
        file="symnet.safetensors",
        options={},
        sha256="b3929d02286039869785162968582bdb4b5f9681bf6031c757767da0b46e98a5",
        recipe="eval/symnet_weights.py: 30,600 degraded images of all three families, 256 x 256",
        accuracies={"noise": 100.0, "photo": 99.6, "atom": 99.9},
    ),
    "crystal": Weights(
        file="crystal.safetensors",
        options={},
        sha256="10a1408d57a7045b58d18e75abbb55988ae9bc991bf4d75a844a735014fb3655",
        recipe="eval/symnet_weights.py: 30,600 degraded images of all three families, 256 x 256",
        accuracies={"noise": 100.0, "photo": 99.4, "atom": 99.8},
    ),
    "e2resnet": Weights(
        file="e2resnet.safetensors",
        options={"group": "D12", "width": 6, "stem_kernel": 7, "conv": "band-limited"},
        sha256="40f604e58082c7881bbb6a0b1f351a393cce36af4476fb671d7fac41747d5362",
        recipe="eval/pixels.py: 34,000 photo images alone, 65 x 65, 8 epochs, looks varied; noise and atom are unseen",
        accuracies={"noise": 98.9, "photo": 99.4, "atom": 97.1},
        size=65,
        cell=20.0,
    ),
}
"""The weights of each architecture that has some, by its name."""
