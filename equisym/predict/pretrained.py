"""The model that gives the 17 groups their probabilities: bundled, or trained by the user."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import equisym.models
from equisym.crystal import SymmetryFeatures
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.model_file import HUB, build_from_file, find_model_file, read_model_file
from equisym.models.pixel_classifier import PixelClassifier

WEIGHTS = Path(equisym.models.__file__).parent / "weights"
CELL = 0.3  # side of a cell that networks of pixels are shown, as a part of the image's: in training 0.25 to 0.4


Model = FeatureClassifier | PixelClassifier


def load_classifier(name: str | Path) -> Model:
    """A model by the name of a bundled one or from a ``.safetensors`` file.

    Args:
        name: ``"symnet"``, ``"crystal"`` (they read symmetry features), ``"e2resnet"`` (it sees pixels), a
            ``.safetensors`` file, a folder written by equisym-train or by ``save_pretrained``, or
            ``hf-hub:OWNER/NAME``.

    Raises:
        ValueError: if there is no such model, or the file holds another kind of model.
    """
    path = Path(name)
    if str(name).startswith(HUB) or path.suffix == ".safetensors" or path.is_dir():
        file = find_model_file(name)
    else:
        file = WEIGHTS / f"{name}.safetensors"
        if not file.is_file():
            known = f"{', '.join(bundled())}, a .safetensors file, a folder that holds one, or {HUB}OWNER/NAME"
            raise ValueError(f"model must be one of {known} (got {str(name)!r})")
    state, description = read_model_file(file)
    arch, options = description["arch"], description["arch_options"]
    if description.get("classes"):
        raise ValueError(f"{file} names other classes than the 17 groups: evaluate it with equisym-eval")
    model = build_from_file(file, state, description, lambda: equisym.models.build(arch, **options))
    if isinstance(model, FeatureClassifier):
        return model
    if (
        description.get("num_classes", 17) != 17
        or description.get("in_channels", 1) != 1
        or description.get("inputs", "image") != "image"
    ):
        raise ValueError(f"{file} holds {arch} for other images or answers: train it on grey ones, 17 groups")
    size = description.get("size")
    if size is None:
        raise ValueError(f"{file} does not say the size of the images that {arch} was trained on")
    return PixelClassifier(model, size=size, cell=CELL * size)


def log_probabilities(model: Model, features: SymmetryFeatures, image: Tensor, basis: NDArray[np.float64]) -> Tensor:
    """What a model says of one image, (1, 17).

    Args:
        model: of either kind.
        features: what was measured.
        image: grey, (H, W).
        basis: its primitive lattice vectors in pixels, columns.
    """
    if isinstance(model, PixelClassifier):
        return model(image, math.sqrt(abs(np.linalg.det(basis))))
    return model.classify(features).log_softmax(-1)


def bundled() -> tuple[str, ...]:
    """Models that come with the package, the best first."""
    return tuple(sorted((path.stem for path in WEIGHTS.glob("*.safetensors")), key=lambda n: (n != "symnet", n)))
