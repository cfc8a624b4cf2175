"""
Drifting scans and partial fields
=================================

Two things are corrected before symmetry is measured: the drift of a slow scan, and the empty part of an image behind an
aperture.
"""

import matplotlib.pyplot as plt
import torch

from equisym.crystal import field_mask, measure, measure_scan
from equisym.data import Corruption, WallpaperDataset

# %%
# A scan whose lines drift and jitter. The drift is measured from the phases of the lattice's waves, line by line, and
# each line is then matched to the averaged cell.

clean = WallpaperDataset("atom", 17, size=192, seed=3, repeats=(5, 8))[11][0]
bent = Corruption("scan_distortion", 4)(clean, seed=(1,))[0]
scan = measure_scan(bent)
before, after = measure(bent), scan.measurement

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
for axis, picture, title in zip(
    axes,
    (bent, scan.image, before.average.cell[0], after.average.cell[0]),
    (
        f"as scanned: {100 * before.lattice.score:.0f} % repeats",
        f"without drift: {100 * after.lattice.score:.0f} %",
        "cell average before",
        "and after",
    ),
    strict=True,
):
    axis.imshow(picture, cmap="gray")
    axis.set_title(title, fontsize=9)
    axis.axis("off")

# %%
# A disc on black. The mask is the convex hull of what has contrast; autocorrelation and cell average look at it alone.

disc = Corruption("partial_field", 3)(clean, seed=(2,))[0]
mask = field_mask(disc)
found = measure(disc)

figure, axes = plt.subplots(1, 3, figsize=(7.6, 2.9), layout="constrained")
for axis, picture, title in zip(
    axes,
    (disc, torch.where(mask, disc, torch.nan), found.average.cell[0]),
    ("as recorded", f"used: {100 * mask.double().mean():.0f} %", "cell average"),
    strict=True,
):
    axis.imshow(picture, cmap="gray")
    axis.set_title(title, fontsize=9)
    axis.axis("off")
