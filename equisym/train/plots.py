"""Pictures of a run: learning curves and confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equisym.groups import WALLPAPER_GROUPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(rows: list[dict[str, float]], path: Path) -> None:
    """Loss and accuracy of training and validation against the epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    epochs = [row["epoch"] + 1 for row in rows]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part in ("train", "valid"):
            axes.plot(epochs, [row[f"{part}_{quantity}"] for row in rows], marker=".", label=part)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.legend()
    figure.axes[1].set_ylim(0, 1)
    figure.savefig(path, dpi=120)


def plot_confusion(
    matrices: Mapping[str, NDArray[np.integer]], path: Path, names: Sequence[str] = WALLPAPER_GROUPS.names
) -> None:
    """Confusion matrices side by side, rows true and columns answered, as shares of each row.

    Args:
        matrices: title to counts, shape (classes, classes).
        path: picture file.
        names: of the classes; between the 17 groups, answers in a supergroup of the truth are framed.
    """
    from matplotlib.figure import Figure

    side = max(5.0, 0.18 * len(names))
    figure = Figure(figsize=(side * len(matrices), side), layout="constrained")
    for axes, (title, counts) in zip(np.ravel(figure.subplots(1, len(matrices))), matrices.items(), strict=True):
        draw_confusion(axes, counts, title, names)
    figure.savefig(path, dpi=120)


def draw_confusion(
    axes: Axes, counts: NDArray[np.integer], title: str, names: Sequence[str] = WALLPAPER_GROUPS.names
) -> None:
    """One confusion matrix on given axes; answers in a supergroup of the truth are framed."""
    from matplotlib.patches import Rectangle

    groups = tuple(names) == tuple(WALLPAPER_GROUPS.names)
    related = [(g.label, s.label) for g in WALLPAPER_GROUPS for s in g.supergroups] if groups else []
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for truth, answer in related:
        axes.add_patch(Rectangle((answer - 0.5, truth - 0.5), 1, 1, fill=False, edgecolor="0.75", linewidth=0.6))
    for row, column in np.argwhere(shares >= 0.05).tolist() if len(names) <= 40 else ():
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6, color=colour)
    labels = [plain_text(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), labels, fontsize=7)
    axes.set(xlabel="answer", ylabel="truth", title=f"{plain_text(title)}: {100 * accuracy:.1f} %")


def plain_text(text: str) -> str:
    """A name from outside as matplotlib shows it letter by letter, without reading it as mathematics."""
    return text.replace("$", r"\$")
