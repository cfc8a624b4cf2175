"""The picture of a symmetry map: groups over the image, certainty, strain and rotation of the lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.map import SymmetryMap
from equisym.predict.overlay import as_plain, show_image, show_scale_bar
from equisym.predict.preprocessing import as_grey
from equisym.predict.square_pixels import fit_shape

# one hue for each crystal family, lighter for fewer operations
_COLOURS = {
    "p1": "#969696", "p2": "#525252", "pm": "#c6dbef", "pg": "#9ecae1", "cm": "#6baed6", "pmm": "#4292c6",
    "pmg": "#2171b5", "pgg": "#08519c", "cmm": "#08306b", "p4": "#a1d99b", "p4m": "#41ab5d", "p4g": "#006d2c",
    "p3": "#fdae6b", "p3m1": "#f16913", "p31m": "#d94801", "p6": "#9e9ac8", "p6m": "#6a51a3",
}  # fmt: skip


def draw_map(image: Any, found: SymmetryMap, *, title: str = "") -> Figure:
    """Draw a map over its image.

    Panels: the image under the windows' groups, each colour as strong as the group is certain and nothing where a
    window was refused; the greater principal strain; the rotation of the lattice against the mean one.

    Args:
        image: what was mapped, as an array or tensor.
        found: its map.
        title: printed above, such as the file's name.

    Returns:
        A figure of two columns' width; ``figure.savefig("map.png", dpi=200)`` or ``.pdf``.
    """
    grey = fit_shape(as_grey(image), found.shape)
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    panels = figure.subplots(1, 3)
    show_image(panels[0], grey)
    _groups(panels[0], found)
    if found.pixel_size:
        show_scale_bar(panels[0], grey.shape, found.pixel_size)
    for axis, values, label in (
        (panels[1], 100 * found.strain[..., 0], "greater principal strain, %"),
        (panels[2], found.rotation, "rotation of the lattice, degrees"),
    ):
        show_image(axis, grey)
        _values(figure, axis, found, values, label)
    text = str(found.vote) if found.refused is None else f"refused: {found.refused}"
    figure.suptitle(as_plain(f"{title}: {text}" if title else text), fontsize=8, wrap=True)
    return figure


def _tiles(found: SymmetryMap) -> tuple[np.ndarray, np.ndarray]:
    """Edges between the windows' centres, (C + 1,) and (R + 1,): each window stands for the ground nearest to it."""
    edges = []
    for first, length in ((found.columns, found.shape[1]), (found.rows, found.shape[0])):
        centres = np.array(first) + found.window / 2
        edges.append(np.concatenate(([0], (centres[1:] + centres[:-1]) / 2, [length])) - 0.5)
    return edges[0], edges[1]


def _groups(axis: Axes, found: SymmetryMap) -> None:
    from matplotlib.colors import to_rgb

    colours = np.zeros((*found.groups.shape, 4))
    for place, name in np.ndenumerate(found.groups):
        if name is not None:
            colours[place] = (*to_rgb(_COLOURS[name]), 0.15 + 0.5 * found.certainty[place])
    x, y = _tiles(found)
    axis.pcolormesh(x, y, colours, edgecolors="white", linewidth=0.3)
    names = [g.name for g in WALLPAPER_GROUPS if (found.groups == g.name).any()]
    count = {name: int((found.groups == name).sum()) for name in names}
    labels = [Patch(color=_COLOURS[name], label=f"{name} {count[name]}") for name in names]
    refused = int(sum(name is None for name in found.groups.flat))
    if refused:
        labels.append(Patch(facecolor="none", edgecolor="0.5", label=f"refused {refused}"))
    axis.legend(handles=labels, fontsize=5.5, loc="upper right", framealpha=0.8, handlelength=1, borderpad=0.3)
    axis.set_title(f"groups in windows of {found.window} pixels", fontsize=6.5)


def _values(figure: Figure, axis: Axes, found: SymmetryMap, values: np.ndarray, label: str) -> None:
    known = values[np.isfinite(values)]
    limit = float(np.abs(known).max()) if known.size else 1.0
    x, y = _tiles(found)
    shown = np.ma.masked_invalid(values)
    mesh = axis.pcolormesh(x, y, shown, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.6, edgecolors="none")
    bar = figure.colorbar(mesh, ax=axis, shrink=0.75, pad=0.02)
    bar.ax.tick_params(labelsize=5.5, length=2)
    axis.set_title(label, fontsize=6.5)
