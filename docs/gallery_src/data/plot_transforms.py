"""
Input transforms
================

What a network may be given beside the image, each a torch module, stackable as channels:
``Inputs("image,fft,radon")``. The magnitude of the Fourier transform and the autocorrelation do not change under
translations, and are two-fold whatever the image: the first two rows, p3 and p6, look alike to them.
"""

import matplotlib.pyplot as plt

from equisym.data import TRANSFORMS, render

figure, axes = plt.subplots(4, len(TRANSFORMS), figsize=(12, 8.4), layout="constrained")
for row, group in zip(axes, ("p3", "p6", "pm", "pg"), strict=True):
    image = render(group, "noise", seed=1, size=129, correlation=(3, 5), independent=0.0)[None]
    row[0].set_ylabel(group)
    for axis, (name, transform) in zip(row, TRANSFORMS.items(), strict=True):
        axis.imshow(transform()(image)[0, 0], cmap="gray")
        axis.set(xticks=[], yticks=[])
        if group == "p3":
            axis.set_title(name.replace("_", " "))
plt.show()
