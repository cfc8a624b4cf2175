"""How much the answer of a D4 ResNet18 changes when the image is rotated or flipped, by size and precision.

    python eval/invariance.py

Writes eval/results/invariance.md.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from equisym.document import markdown_table
from equisym.groups import D
from equisym.models import build
from equisym.testing import equivariance_error
from equisym.train.artifacts import write_whole

SIZES = (64, 65, 128, 129, 224, 225)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    rows = []
    for size in SIZES:
        errors, told = [], "nothing"
        for dtype in (torch.float32, torch.float64):
            torch.manual_seed(0)
            model = build("e2resnet18").to(dtype).eval()
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm3d):
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2)
                    torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            image = torch.rand(1, 1, size, size, dtype=dtype)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                errors.append(equivariance_error(model, image, group=D(4), output="invariant"))
            told = str(caught[0].message).rsplit("; ", 1)[-1] if caught else told
        rows.append([str(size), *(f"{error:.0e}" for error in errors), told])
        print(*rows[-1], flush=True)
    text = f"""# Invariance of e2resnet18 (D4, width 22)

`python eval/invariance.py`

Greatest change of a logit under the eight symmetries, over the greatest logit; weights at random, running
statistics and scales drawn anew.

{markdown_table(["size", "float32", "float64", "told the user"], rows)}
"""
    write_whole(RESULTS / "invariance.md", text)


if __name__ == "__main__":
    main()
