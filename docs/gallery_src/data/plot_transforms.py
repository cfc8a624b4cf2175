"""
Input transforms
================

Transforms that a network may be given besides the image, each a torch module, stackable as channels:
``Inputs("image,fft,radon")``. What each keeps of the symmetry, and what it loses, is in :mod:`equisym.data.transforms`.
"""

import matplotlib.pyplot as plt

from equisym.data import TRANSFORMS, render

GROUPS = ("p3", "p6", "pm", "pg")
images = {
    group: render(group, "noise", seed=1, size=129, repeats=(4, 5), correlation=(4, 5), independent=0.0)[None]
    for group in GROUPS
}

figure, axes = plt.subplots(4, len(TRANSFORMS), figsize=(12, 8.4), layout="constrained")
for row, (group, image) in zip(axes, images.items(), strict=True):
    row[0].set_ylabel(group)
    for axis, (name, transform) in zip(row, TRANSFORMS.items(), strict=True):
        axis.imshow(transform()(image)[0, 0], cmap="gray")
        axis.set(xticks=[], yticks=[])
        if group == GROUPS[0]:
            axis.set_title(name.replace("_", " "))
plt.show()

# %%
# The magnitude of the Fourier transform and the autocorrelation do not change when the image is shifted, and a rotation
# by 180 degrees leaves both as they are, for any image: they cannot tell p3 from p6, nor p1 from p2. How far each is
# from itself after a half turn, in standard deviations:
for group, image in images.items():
    for name in ("image", "fft", "autocorrelation"):
        y = TRANSFORMS[name]()(image)
        difference = (y - y.rot90(2, (-2, -1))).square().mean().sqrt() / y.std()
        print(f"{group:3} {name:16} {difference:.1e}")
