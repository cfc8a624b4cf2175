"""The model that turns symmetry features into probabilities of the 17 groups: bundled, or trained by the user."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

import equisym.models
from equisym.models.feature_classifier import FeatureClassifier

WEIGHTS = Path(equisym.models.__file__).parent / "weights"


def load_classifier(name: str | Path) -> FeatureClassifier:
    """A model that reads symmetry features, by the name of a bundled one or from a ``.safetensors`` file.

    Args:
        name: ``"symnet"``, ``"crystal"``, or a path.

    Raises:
        ValueError: if there is no such model, or the file holds none of this kind.
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
    if not isinstance(model, FeatureClassifier):
        raise ValueError(f"{path} holds {about['arch']}, which sees no lattice: train symnet or crystal instead")
    return model.eval()


def bundled() -> tuple[str, ...]:
    """Models that come with the package, the best first."""
    return tuple(sorted((path.stem for path in WEIGHTS.glob("*.safetensors")), key=lambda n: (n != "symnet", n)))
