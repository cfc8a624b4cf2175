"""
17 groups in three families of images
=====================================

The same 17 groups filled with noise, with a piece of a photograph, and with atoms. The filling, the cell's area,
its orientation and its phase do not depend on the group, so none of them gives the group away.
"""

import matplotlib.pyplot as plt

from equisym.data import render
from equisym.groups import WALLPAPER_GROUPS

SIZE = 128
FAMILIES = ("noise", "photo", "atom")

figure, axes = plt.subplots(6, 9, figsize=(11, 8), layout="constrained")
for axis in axes.flat:
    axis.set_axis_off()
for group in WALLPAPER_GROUPS:
    for column, family in enumerate(FAMILIES):
        axis = axes[group.label // 3, 3 * (group.label % 3) + column]
        axis.imshow(render(group, family, seed=(group.label, column), size=SIZE)[0], cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{group.name} {family}", fontsize=8)

# %%
# In colour, and with larger cells:
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, family in zip(axes, FAMILIES, strict=True):
    axis.imshow(render("p6m", family, seed=1, size=256, colour=True, repeats=(3, 4)).permute(1, 2, 0))
    axis.set_axis_off()
    axis.set_title(f"p6m {family}")
