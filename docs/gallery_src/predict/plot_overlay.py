"""
The picture of an answer
========================

Image, unit cell, symmetry elements as in the International Tables, averaged cell, and probabilities.
"""

import numpy as np

from equisym import SymmetryClassifier
from equisym.data import render
from equisym.predict import draw_overlay

image = render("p4g", "noise", seed=3, size=160)[0].numpy()
noisy = image + np.random.default_rng(0).normal(scale=0.05, size=image.shape)

classifier = SymmetryClassifier.from_pretrained()
result = classifier.predict(noisy, pixel_size=0.02)
print(result)
for operation in result.operations[:6]:
    print(operation.symbol, operation.angle, f"residual {operation.residual:.3f}", operation.holds)

draw_overlay(noisy, result, title="p4g with noise")
