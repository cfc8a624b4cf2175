"""Draw README's picture of the 17 wallpaper groups: ``python docs/draw_groups.py`` writes _static/seventeen.png."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from equisym.data import PatternOptions, draw_pattern
from equisym.groups import WALLPAPER_GROUPS

SIZE, SEED = 160, 4
OPTIONS = PatternOptions(colour=True, repeats=(3.6, 4.0), correlation=(5.0, 8.0))


def main() -> None:
    """Draw each group on a cell of its own, its conventional cell outlined."""
    figure, axes = plt.subplots(3, 6, figsize=(9, 4.95), dpi=100, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for group, axis in zip(WALLPAPER_GROUPS, axes.flat, strict=False):
        pattern = draw_pattern(group, "noise", SEED, SIZE, OPTIONS)
        axis.imshow(pattern.image(SIZE).permute(1, 2, 0))
        axis.set_title(group.name, fontsize=11)
        basis = pattern.cell.basis
        middle = np.linalg.solve(basis, np.full(2, SIZE / 2) - pattern.cell.origin)
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) + np.round(middle - 0.5)
        axis.plot(*(corners @ basis.T + pattern.cell.origin).T, color="white", linewidth=1.6)
        axis.set(xlim=(-0.5, SIZE - 0.5), ylim=(SIZE - 0.5, -0.5))
    path = Path(__file__).parent / "_static" / "seventeen.png"
    path.parent.mkdir(exist_ok=True)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    picture.quantize(128).save(path, optimize=True)  # a palette halves the file
    print(path.name, path.stat().st_size // 1024, "KiB")


if __name__ == "__main__":
    main()
