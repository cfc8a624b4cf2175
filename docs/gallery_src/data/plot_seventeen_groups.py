"""
The 17 wallpaper groups
=======================

Each pattern has exactly the symmetry of its group. The unit cell is outlined, and the symmetry elements of the group
are drawn into it: mirrors as full lines, glides as dashed lines, rotation centres as polygons with as many corners as
the order (a disc for order 2).
"""

# %%
# A symmetry element is the set of points that an operation leaves in place: of :math:`u \mapsto W u + w`, a rotation
# keeps one point; a mirror keeps a line, which a glide moves along itself.
import matplotlib.pyplot as plt
import numpy as np
import torch

from equisym.data import PatternOptions, draw_pattern
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.symmetry_elements import reflection_lines, rotation_centres

SIZE = 200
MARKERS = {2: ("o", 5), 3: ("^", 7), 4: ("s", 6), 6: ("h", 8)}


def draw(group, axis):
    """The pattern with its cell and symmetry elements."""
    pattern = draw_pattern(group, "noise", 4, SIZE, PatternOptions(repeats=(2.4, 2.6), correlation=(9.0, 12.0)))
    basis, origin = pattern.cell.basis, pattern.cell.origin
    corner = basis @ (0.5, 0.5) + origin - SIZE / 2  # a pattern is a function of the plane: look where the cell is

    def place(u):
        return (np.atleast_2d(u) @ basis.T + origin - corner).T

    pixels = torch.arange(SIZE, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(pixels, pixels, indexing="xy"), -1) + torch.from_numpy(corner)
    axis.imshow(pattern(points)[0], cmap="gray", vmin=0, vmax=1.2)
    axis.plot(*place([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]), color="white", linewidth=1)
    for line in reflection_lines(group):
        style = ("tab:orange", "-", 1.6) if line.mirror else ("gold", (0, (3, 2)), 1.2)
        axis.plot(*place(line.ends), **dict(zip(("color", "linestyle", "linewidth"), style, strict=True)))
    for centre in rotation_centres(group):
        marker, size = MARKERS[centre.order]
        axis.plot(*place(centre.position), marker, color="deepskyblue", markersize=size, markeredgecolor="black")
    axis.set(xlim=(-0.5, SIZE - 0.5), ylim=(SIZE - 0.5, -0.5))
    axis.set_title(f"{group.name} ({group.bravais})", fontsize=9)


figure, axes = plt.subplots(5, 4, figsize=(9, 11.6), layout="constrained")
for axis in axes.flat:
    axis.set_axis_off()
for group, axis in zip(WALLPAPER_GROUPS, axes.flat, strict=False):
    draw(group, axis)

# %%
# Which group contains which, on the same lattice of translations:
for group in WALLPAPER_GROUPS:
    print(f"{group.name:5} {group.crystal_class:4} contains {' '.join(s.name for s in group.subgroups) or '-'}")
