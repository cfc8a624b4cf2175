"""Draw the picture of an answer for README and first page: ``python docs/draw_answer.py``."""

from pathlib import Path

import torch

from equisym import SymmetryClassifier
from equisym.data import render
from equisym.predict import draw_overlay

IMAGE = render("p4g", "atom", seed=11, size=256, repeats=(5, 7))[0]

if __name__ == "__main__":
    noisy = IMAGE + 0.1 * torch.randn(IMAGE.shape, generator=torch.Generator().manual_seed(0))
    result = SymmetryClassifier.from_pretrained().predict(noisy)
    figure = draw_overlay(noisy.numpy(), result, title="atoms, p4g, noise of 0.1")
    figure.savefig(Path(__file__).parent / "_static" / "answer.png", dpi=110)
    print(result)
