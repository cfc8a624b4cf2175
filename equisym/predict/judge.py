"""What turns evidence into log-probabilities of the 17 groups: the one thing the classifier asks of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

import equisym.models
from equisym.crystal import Evidence, correlate
from equisym.crystal.evidence import SLOT_GROUP
from equisym.crystal.statistics import whitening_filters

STRAIN = 0.03  # soft prior of the metric: half of 6 %, the affine strain that micrographs are allowed to have
WEIGHTS = Path(equisym.models.__file__).parent / "weights"


class Judge(Protocol):
    """Log-probabilities of the 17 groups, in label order, from the evidence of a batch of images."""

    def __call__(self, evidence: Evidence, /) -> Tensor:
        """Evidence of B images to (B, 17)."""
        ...


def load_judge(name: str | Path) -> Judge:
    """A judge by the name of a bundled model, or from a ``.safetensors`` file.

    Args:
        name: ``"symnet"``, ``"crystal"``, or a path.

    Raises:
        ValueError: if there is no such model, or the file was not written by equisym.
    """
    if name == "crystal" and not (WEIGHTS / "crystal.safetensors").exists():
        return by_correlation
    path = Path(name) if str(name).endswith(".safetensors") else WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise ValueError(f"model must be one of {', '.join(bundled())} or a .safetensors file (got {str(name)!r})")
    return _from_file(path)


def bundled() -> tuple[str, ...]:
    """Models that come with the package, the best first."""
    found = {path.stem for path in WEIGHTS.glob("*.safetensors")} | {"crystal"}
    return tuple(sorted(found, key=lambda name: (name != "symnet", name)))


def by_correlation(evidence: Evidence) -> Tensor:
    """Log-odds that each class of operations holds, by how far its correlation misses 1, summed over each group's."""
    value = correlate(evidence, whitening_filters(evidence, (0.35,))).value[..., 0]
    odds = 6 * (1 - torch.asinh((1 - value).clamp(min=0) / 0.02) / 2)
    energy = odds.new_zeros(len(odds), 17).index_add(1, SLOT_GROUP, odds)
    energy = energy - 0.5 * (evidence.strain / STRAIN).square()
    return torch.log_softmax(torch.where(evidence.admitted, energy, torch.full_like(energy, -60.0)), -1)


def _from_file(path: Path) -> Judge:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, "pt") as handle:
            about = json.loads((handle.metadata() or {})["equisym"])
        model = equisym.models.build(about["arch"], **about.get("arch_options", {}))
        model.load_state_dict(load_file(path))
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no model that equisym-predict can use ({error})") from None
    model.eval()

    def judge(evidence: Evidence) -> Tensor:
        with torch.no_grad():
            return torch.log_softmax(model(evidence), -1)

    return judge
