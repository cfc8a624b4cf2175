"""
The symmetry of a scan
======================

From a micrograph to its wallpaper group: what the classifier measures on the way, how to read its answer, and how it
says that it does not know.
"""

# %%
# A scan
# ------
#
# A simulated scan of p4g with noise, whose lines drift while it is taken. ``predict`` also takes the path of a file
# (tif, dm3, dm4, emd, mrc, ...) and then knows the pixel size.

import matplotlib.pyplot as plt
import numpy as np

from equisym.data import Corruption, WallpaperDataset
from equisym.groups import WALLPAPER_GROUPS

label = WALLPAPER_GROUPS["p4g"].label
clean = WallpaperDataset("atom", 17, size=192, seed=3, repeats=(5, 8))[label][0]
scan = Corruption("dose", 2)(Corruption("scan_distortion", 4)(clean, seed=(1,)), seed=(2,))[0]

figure, axis = plt.subplots(figsize=(3.4, 3.4), layout="constrained")
axis.imshow(scan, cmap="gray")
axis.axis("off")

# %%
# The lattice
# -----------
#
# ``measure_scan`` finds the lattice and takes the drift off. The score is the fraction of the image that repeats.

from equisym.crystal import measure, measure_scan

before = measure(scan)
found = measure_scan(scan)
after = found.measurement
print(f"as scanned    {100 * before.lattice.score:.0f} % of the image repeats")
print(f"drift removed {100 * after.lattice.score:.0f} %, lines moved by up to {found.shift:.1f} pixels")
print("lattice vectors in pixels (columns)\n", after.lattice.basis.round(2))

# %%
# The averaged unit cell, before and after the correction. With the drift in it, the repeats do not lie on each other.

figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
pictures = {
    "drift removed": found.image,
    "cell average before": before.average.cell[0],
    "and after": after.average.cell[0],
}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set_title(title, fontsize=9)
    axis.axis("off")

# %%
# The answer
# ----------
#
# The classifier does all this by itself.

from equisym import SymmetryClassifier

classifier = SymmetryClassifier.from_pretrained()
result = classifier.predict(scan, pixel_size=0.02)  # nanometres for each pixel
print(result)
print({name: round(p, 3) for name, p in list(result.probabilities.items())[:3]})
for note in result.notes:
    print("note:", note)

# %%
# Every operation that the lattice allows has a residual: the fraction of the cell's structure that the operation does
# not reproduce. Those of the group are near 0; a gap separates them from the rest.

for operation in result.operations:
    angle = "" if operation.angle is None else f"{operation.angle:5.1f} degrees"
    print(f"{operation.symbol:3} {angle:14} {operation.residual:.3f} {'holds' if operation.holds else ''}")

# %%
# ``draw_overlay`` puts cell and symmetry elements over the image, as the International Tables draw them.

from equisym.predict import draw_overlay

draw_overlay(scan.numpy(), result, title="a scan")

# %%
# When it does not know
# ---------------------
#
# Noise has no lattice, and a corner of the scan has too few repeats. A refusal says why.

noise = np.random.default_rng(0).normal(size=(96, 96))
for name, image in {"noise": noise, "corner": clean[0, :40, :40]}.items():
    print(f"{name}: {classifier.predict(image)}")
