"""The model that gives the 17 groups their probabilities: bundled, or trained by the user."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

import equisym.models
from equisym.crystal import SymmetryFeatures
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.pixel_classifier import PixelClassifier

WEIGHTS = Path(equisym.models.__file__).parent / "weights"
CELL = 0.3  # side of a cell that networks of pixels are shown, as a part of the image's: in training 0.25 to 0.4


Model = FeatureClassifier | PixelClassifier


def load_classifier(name: str | Path) -> Model:
    """A model by the name of a bundled one or from a ``.safetensors`` file.

    Args:
        name: ``"symnet"``, ``"crystal"`` (they read symmetry features), ``"e2resnet"`` (it sees pixels), or a path.

    Raises:
        ValueError: if there is no such model, or the file holds another kind of model.
    """
    path = Path(name) if str(name).endswith(".safetensors") else WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise ValueError(f"model must be one of {', '.join(bundled())} or a .safetensors file (got {str(name)!r})")
    try:
        with safe_open(path, "pt") as handle:
            about = json.loads((handle.metadata() or {})["equisym"])
        model = equisym.models.build(about["arch"], **about.get("arch_options", {}))
        model.load_state_dict(load_file(path))
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no model that equisym-predict can use ({error})") from None
    if isinstance(model, FeatureClassifier):
        return model.eval()
    if (
        about.get("num_classes", 17) != 17
        or about.get("in_channels", 1) != 1
        or about.get("inputs", "image") != "image"
    ):
        raise ValueError(f"{path} holds {about['arch']} for other images or answers: train it on grey ones, 17 groups")
    return PixelClassifier(model.eval(), size=about["size"], cell=CELL * about["size"])


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
