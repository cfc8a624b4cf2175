"""The model that turns symmetry features into probabilities of the 17 groups: bundled, or trained by the user."""

from __future__ import annotations

from pathlib import Path

import equisym.models
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.model_file import HUB, build_from_file, find_model_file, read_model_file

WEIGHTS = Path(equisym.models.__file__).parent / "weights"


def load_classifier(name: str | Path) -> FeatureClassifier:
    """A model that reads symmetry features, by the name of a bundled one or from a ``.safetensors`` file.

    Args:
        name: ``"symnet"``, ``"crystal"``, a ``.safetensors`` file, a folder written by equisym-train or by
            ``save_pretrained``, or ``hf-hub:OWNER/NAME``.

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
    if not isinstance(model, FeatureClassifier):
        raise ValueError(f"{file} holds {arch}, which sees no lattice: train symnet or crystal instead")
    return model


def bundled() -> tuple[str, ...]:
    """Models that come with the package, the best first."""
    return tuple(sorted((path.stem for path in WEIGHTS.glob("*.safetensors")), key=lambda n: (n != "symnet", n)))
