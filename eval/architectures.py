"""Cost of every architecture, and change of its answer when the image is rotated, before training.

    python eval/architectures.py

Writes eval/results/architectures.md, which the cards in models/ cite.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from equisym.document import markdown_table
from equisym.eval.cost import multiply_adds
from equisym.groups import D
from equisym.models import build, list_archs
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.registry import _ARCHS, options_of
from equisym.testing import equivariance_error
from equisym.train.artifacts import write_whole

RESULTS = Path(__file__).parent / "results"
SIZE = 65


def main() -> None:
    rows = []
    for name in list_archs():
        torch.manual_seed(0)
        model = build(name).eval()
        even = "xcit" in name or getattr(model, "rest", 1) == 0
        size = SIZE - 1 if even else SIZE
        if isinstance(model, FeatureClassifier):
            continue  # it reads features of the unit cell, whose finding is what costs
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            change = equivariance_error(model, torch.rand(1, 1, size, size), group=D(4), output="invariant")
        cost = multiply_adds(model, size) / 1e6
        params = sum(p.numel() for p in model.parameters())
        group = str(getattr(model, "group", "none"))
        rows.append([name, group, f"{params:,}", f"{cost:,.0f} M", f"{change:.0e}", defaults(name)])
        print(*rows[-1], sep=", ", flush=True)
    text = f"""# Architectures

`python eval/architectures.py`

As `build(NAME)` makes them, for images of {SIZE} x {SIZE} pixels ({SIZE - 1} for XCiT and networks with even kernels).
Change: the greatest change of a logit under the eight turns and flips of D4, over the greatest logit, in float32, with
weights at random and running statistics and scales drawn anew; a network over C_n turns without flipping.

{markdown_table(["network", "group", "parameters", "multiply-adds", "change", "defaults"], rows)}
"""
    write_whole(RESULTS / "architectures.md", text)


def defaults(name: str) -> str:
    """The options of an architecture with their defaults."""
    if name not in _ARCHS:
        return "timm's"
    common = ("num_classes", "in_channels", "dropout", "conv")
    return ", ".join(f"{p} {default}" for p, default in (options_of(_ARCHS[name]) or {}).items() if p not in common)


if __name__ == "__main__":
    main()
