"""
Corruptions at five severities
==============================

What microscopes and cameras do to an image, from mild to severe; the same seed gives the same result.
:class:`~equisym.data.Corruption` works on single images, on batches, and inside a dataset:
``WallpaperDataset("atom", 1700, corrupt=Corruption("dose", 3))``.
"""

import matplotlib.pyplot as plt

from equisym.data import CORRUPTIONS, Corruption, render

image = render("p31m", "atom", seed=3, size=128)

figure, axes = plt.subplots(len(CORRUPTIONS), 6, figsize=(9, 1.55 * len(CORRUPTIONS)), layout="constrained")
for row, name in zip(axes, CORRUPTIONS, strict=True):
    row[0].set_ylabel(name.replace("_", " "), fontsize=9)
    for severity, axis in enumerate(row):
        shown = Corruption(name, severity)(image, seed=1) if severity else image
        axis.imshow(shown[0], cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
for severity, axis in enumerate(axes[0]):
    axis.set_title(f"severity {severity}" if severity else "clean", fontsize=9)
plt.show()
