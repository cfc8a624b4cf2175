"""
The five cells
==============

p1 on its five lattices: oblique, rectangular, square, rhombic and hexagonal. The metric of the cell never decides the
group: a square lattice may carry p1, and a rhombic one p2.
"""

import matplotlib.pyplot as plt
import numpy as np

from equisym.data import PatternOptions, draw_pattern

METRICS = ("oblique", "rectangular", "square", "rhombic", "hexagonal")
SIZE = 160

figure, axes = plt.subplots(2, 5, figsize=(12, 5.4), layout="constrained")
for row, group in zip(axes, ("p1", "p2"), strict=True):
    patterns = {}
    for seed in range(200):
        pattern = draw_pattern(group, "atom", seed, SIZE, PatternOptions(repeats=(3, 5)))
        patterns.setdefault(pattern.cell.metric, pattern)
        if len(patterns) == len(METRICS):
            break
    for axis, metric in zip(row, METRICS, strict=True):
        pattern = patterns[metric]
        axis.imshow(pattern.image(SIZE)[0], cmap="gray", vmin=0, vmax=1)
        corner = pattern.cell.basis @ np.floor(np.linalg.solve(pattern.cell.basis, [80, 80] - pattern.cell.origin))
        outline = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) @ pattern.cell.basis.T
        axis.plot(*(outline + corner + pattern.cell.origin).T, color="tab:orange")
        axis.set(title=f"{group}, {metric}", xlim=(0, SIZE - 1), ylim=(SIZE - 1, 0), xticks=[], yticks=[])
plt.show()
