"""The picture of an answer: image, cell, symmetry elements, averaged cell and probabilities in one figure."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as MarkerPath
from numpy.typing import NDArray

from equisym.crystal import tile
from equisym.groups.symmetry_elements import reflection_lines, rotation_centres
from equisym.plain_text import printable
from equisym.predict.answer import Answer
from equisym.predict.elements_in_image import middle_cell
from equisym.predict.preprocessing import as_grey
from equisym.predict.square_pixels import fit_shape
from equisym.predict.table import constants_text

MIRROR, GLIDE, CELL = "#d55e00", "#0072b2", "#f0e442"


def _lens() -> MarkerPath:
    """The International Tables' symbol of a 2-fold centre: the intersection of two discs."""
    angle = np.linspace(-np.pi / 3, np.pi / 3, 13)
    arc = np.stack((np.cos(angle) - 0.5, np.sin(angle)), -1)
    return MarkerPath(np.concatenate((arc, -arc)), closed=True)


_SIGNS: dict[int, tuple[Any, float]] = {2: (_lens(), 8.0), 3: ("^", 7.0), 4: ("s", 6.0), 6: ("h", 7.5)}


class Picture(Figure):
    """A figure that a notebook shows, without :mod:`matplotlib.pyplot`."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, dpi=150)
        return buffer.getvalue()


def draw_overlay(image: Any, result: Answer, *, title: str = "") -> Figure:
    """Draw the answer for an image.

    Panels: the image with one conventional cell, and a dashed line around the part that was measured if that is not all
    of it; that cell enlarged, with rotation centres (lens, triangle, square, hexagon), mirror lines (solid) and glide
    lines (dashed) as in the International Tables; the averaged cell, and the same with the group's symmetry; the
    likeliest groups. A refused image is shown with the reason.

    Args:
        image: what was classified, as an array or tensor.
        result: the answer.
        title: printed above, such as the file's name.

    Returns:
        A figure of two columns' width; ``figure.savefig("overlay.png", dpi=200)`` or ``.pdf``.
    """
    grey = fit_shape(as_grey(image), result.shape)
    figure = Picture(figsize=(7.2, 3.0), layout="constrained")
    heading = f"{title}: {result}" if title else str(result)
    if result.group is None or result.cell is None:
        axis = figure.subplots()
        show_image(axis, grey)
        figure.suptitle(as_plain(heading), fontsize=8, wrap=True)
        return figure
    panels = figure.subplot_mosaic(
        [["image", "cell", "average", "symmetric"], ["image", "cell", "bars", "bars"]],
        width_ratios=[1.9, 1.9, 1, 1],
        height_ratios=[1, 0.95],
    )
    base = middle_cell(result)
    show_image(panels["image"], grey)
    corners = _place(result, base, np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]))
    panels["image"].plot(*corners, color=CELL, linewidth=1.4, path_effects=_halo(2.6, "black"))
    _region(panels["image"], result)
    if result.pixel_size:
        show_scale_bar(panels["image"], grey.shape, result.pixel_size)
    show_image(panels["cell"], grey, interpolation="bilinear")
    _elements(panels["cell"], result, base)
    _frame(panels["cell"], corners)
    for name, cell in (("average", result.average), ("symmetric", result.symmetrised)):
        _cell(panels[name], result, cell)
    _bars(panels["bars"], result)
    captions = {
        "image": _caption(result),
        "cell": _legend(result),
        "average": "cell average",
        "symmetric": "symmetrised",
    }
    for name, text in captions.items():
        panels[name].set_title(text, fontsize=6.5)
    figure.suptitle(as_plain(heading), fontsize=9, wrap=True)
    return figure


def as_plain(text: str) -> str:
    r"""Text that is drawn letter by letter: without formulas, whatever the names of files hold.

    >>> as_plain("$x_{1$.tif")
    '\\$x_{1\\$.tif'
    """
    return "\n".join(map(printable, text.split("\n"))).replace("$", r"\$")


def show_image(axis: Axes, grey: NDArray[Any], **options: Any) -> None:
    """Show an image between its 1st and 99th percentile, at the figure's resolution."""
    step = max(1, max(grey.shape) // 1200)
    shown = np.asarray(grey[::step, ::step], dtype=np.float64)
    finite = shown[np.isfinite(shown)]
    low, high = np.percentile(finite, (0.5, 99.5)) if finite.size else (0.0, 1.0)
    extent = (-0.5, grey.shape[1] - 0.5, grey.shape[0] - 0.5, -0.5)
    axis.imshow(shown, cmap="gray", vmin=low, vmax=max(high, low + 1e-12), extent=extent, **options)
    axis.set_axis_off()


def _place(result: Answer, base: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional coordinates of a cell (n, 2) to x and y in the image, (2, n)."""
    assert result.cell is not None
    return result.cell @ u.T + base[:, None]


def _elements(axis: Axes, result: Answer, base: NDArray[np.float64]) -> None:
    group = result.wallpaper_group
    assert group is not None
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    axis.plot(*_place(result, base, corners), color="black", linewidth=0.8, path_effects=_halo(1.8))
    for line in reflection_lines(group):
        style: dict[str, Any] = (
            {"color": MIRROR, "linestyle": "-"} if line.mirror else {"color": GLIDE, "linestyle": (0, (3, 1.6))}
        )
        axis.plot(*_place(result, base, line.ends), linewidth=1.5, path_effects=_halo(2.6), **style)
    for centre in rotation_centres(group):
        marker, size = _SIGNS[centre.order]
        position = _place(result, base, centre.position[None])
        axis.plot(*position, marker=marker, markersize=size, color="black", markeredgecolor="white", zorder=5)


def _region(axis: Axes, result: Answer) -> None:
    """A dashed line around the part of the image that was measured, if that is not all of it."""
    if result.region is None or result.region[2:] == result.shape[::-1]:
        return
    x, y, width, height = result.region
    right, bottom = x + width - 1, y + height - 1
    outline = ([x, right, right, x, x], [y, y, bottom, bottom, y])
    axis.plot(*outline, color="white", linewidth=0.8, linestyle="--", path_effects=_halo(1.6, "black"))


def _frame(axis: Axes, corners: NDArray[np.float64]) -> None:
    """Show a square around the cell, with a margin."""
    middle = (corners.min(1) + corners.max(1)) / 2
    half = 0.58 * np.ptp(corners, axis=1).max()
    axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] + half, middle[1] - half))


def _cell(axis: Axes, result: Answer, cell: NDArray[np.float32] | None) -> None:
    """The conventional cell in its true shape, cut out of the periodic pattern."""
    assert cell is not None
    assert result.lattice is not None
    corners = _place(result, np.zeros(2), np.array([(0, 0), (1, 0), (1, 1), (0, 1)]))
    low, high = corners.min(1), corners.max(1)
    step = (high - low).max() / 160
    x, y = np.meshgrid(*(np.arange(low[i], high[i] + step, step) for i in range(2)))
    assert result.cell is not None
    assert result.origin is not None
    u = np.tensordot(np.linalg.inv(result.cell), np.stack((x, y)), 1)
    from_corner = result.origin - result.corner
    values = tile(cell, result.lattice, x + from_corner[0], y + from_corner[1])
    inside = ((u > -1e-6) & (u < 1 + 1e-6)).all(0)
    shown = np.ma.array(values, mask=~inside)
    axis.imshow(shown, cmap="gray", extent=(low[0], high[0], high[1], low[1]), interpolation="nearest")
    axis.plot(*corners[:, [0, 1, 2, 3, 0]], color="black", linewidth=0.7)
    axis.set_axis_off()


def _bars(axis: Axes, result: Answer) -> None:
    """The five likeliest groups, each with the residual of its projection."""
    ranked = list(result.probabilities.items())[:5]
    colours = ["black"] + ["0.6"] * (len(ranked) - 1)
    axis.barh(range(len(ranked)), [p for _, p in ranked], color=colours, height=0.62)
    axis.set_yticks(range(len(ranked)), [name for name, _ in ranked], fontsize=6.5)
    for row, (name, p) in enumerate(ranked):
        left = result.residuals.get(name)
        text = f" {100 * p:.3g} %" + ("" if left is None else f", residual {100 * left:.2g} %")
        axis.text(p - 0.01 if p > 0.45 else p, row, text, fontsize=5.5, va="center", **_where(p))
    axis.invert_yaxis()
    axis.set(xlim=(0, 1), xticks=(0, 0.5, 1))
    axis.tick_params(labelsize=6, length=2)
    axis.set_xlabel("probability", fontsize=6.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _where(p: float) -> dict[str, Any]:
    return {"ha": "right", "color": "white"} if p > 0.45 else {"ha": "left", "color": "black"}


def _caption(result: Answer) -> str:
    """The cell's constants with their errors."""
    text = constants_text(result)
    return f"a {text['a']}, b {text['b']}\ngamma {text['gamma']}, strain {100 * (result.strain or 0):.2g} %"


def _legend(result: Answer) -> str:
    group = result.wallpaper_group
    assert group is not None
    lines = {line.mirror for line in reflection_lines(group)}
    words = [w for mirror, w in ((True, "mirrors solid"), (False, "glides dashed")) if mirror in lines]
    return f"{result.bravais}, class {result.crystal_class}\n{', '.join(words) or 'no reflections'}"


def show_scale_bar(axis: Axes, shape: tuple[int, ...], pixel_size: float) -> None:
    """Draw a bar of a round length, near a quarter of the image."""
    width = shape[1] * pixel_size
    power = 10 ** np.floor(np.log10(width / 4))
    length = max(n * power for n in (1, 2, 5) if n * power <= width / 4 * 1.0001)
    x, y = 0.05 * shape[1], 0.93 * shape[0]
    axis.plot([x, x + length / pixel_size], [y, y], color="white", linewidth=2.5, path_effects=_halo(4, "black"))
    axis.text(x, y - 0.03 * shape[0], f"{length:g} nm", fontsize=6.5, color="white", path_effects=_halo(1.5, "black"))


def _halo(width: float, colour: str = "white") -> list[patheffects.AbstractPathEffect]:
    return [patheffects.Stroke(linewidth=width, foreground=colour), patheffects.Normal()]
