"""
The 17 wallpaper groups
=======================

Each pattern has exactly the symmetry of its group. The unit cell is outlined, and the operations of the group are drawn
into it: mirrors as full lines, glides as dashed lines, rotation centres as polygons with as many corners as the order
(a disc for order 2).
"""

# %%
# A symmetry element is the set of points that an operation leaves in place: of :math:`u \mapsto W u + w`, a rotation
# keeps one point; a mirror keeps a line, which a glide moves along itself.
import matplotlib.pyplot as plt
import numpy as np
import torch

from equisym.data import PatternOptions, draw_pattern
from equisym.groups import WALLPAPER_GROUPS

SIZE = 200
MARKERS = {2: ("o", 5), 3: ("^", 7), 4: ("s", 6), 6: ("h", 8)}


def rotation_centres(group):
    """Fractional positions of the rotation centres in the cell and on its edges, with the highest order at each."""
    centres = {}
    for op in group.operations:
        if op.determinant > 0 and op.rotation_order > 1:
            for shift in np.ndindex(6, 6):
                centre = np.linalg.solve(np.eye(2) - op.matrix, op.translation + shift - np.full(2, 3))
                if (centre > -1e-9).all() and (centre < 1 + 1e-9).all():
                    key = tuple(centre.round(6) + 0.0)
                    centres[key] = max(centres.get(key, 1), op.rotation_order)
    return centres


def reflection_lines(group):
    """A point, a direction and the least step along it of every mirror (step 0) or glide line near the cell."""
    lines = {}
    for op in group.operations:
        if op.determinant < 0:
            for shift in np.ndindex(6, 6):
                w = op.translation + shift - np.full(2, 3)
                along = (op.matrix @ w + w) / 2
                point = (w - along) / 2
                direction = next(v for v in (np.eye(2) + op.matrix).T if v.any())
                direction = direction / np.abs(direction).max()
                direction = direction * np.sign(direction[np.flatnonzero(direction)[0]])
                offset = float(np.linalg.det([direction, point]).round(6)) + 0.0
                key = (*direction.round(6), offset)
                step = float(np.abs(along).max())
                lines[key] = min(lines.get(key, (1.0, point))[0], step), point
    return [(point, np.array(key[:2]), step) for key, (step, point) in lines.items()]


def clip_to_cell(point, direction):
    """The two ends of a line's part inside the unit cell, or nothing."""
    low, high = -np.inf, np.inf
    for p, d in zip(point, direction, strict=True):
        if abs(d) < 1e-9:
            if not -1e-9 <= p <= 1 + 1e-9:
                return None
        else:
            ends = sorted(((0 - p) / d, (1 - p) / d))
            low, high = max(low, ends[0]), min(high, ends[1])
    return None if high - low < 1e-6 else np.array([point + low * direction, point + high * direction])


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
    for point, direction, step in reflection_lines(group):
        ends = clip_to_cell(point, direction)
        if ends is not None:
            style = {"linestyle": "-" if step < 1e-9 else (0, (3, 2)), "linewidth": 1.6 if step < 1e-9 else 1.2}
            axis.plot(*place(ends), color="tab:orange" if step < 1e-9 else "gold", **style)
    for centre, order in rotation_centres(group).items():
        marker, size = MARKERS[order]
        axis.plot(*place(centre), marker, color="deepskyblue", markersize=size, markeredgecolor="black")
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
