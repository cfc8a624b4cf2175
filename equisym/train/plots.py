"""Pictures of a run: learning curves and confusion."""

from __future__ import annotations

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


def plot_confusion(matrices: dict[str, NDArray[np.integer]], path: Path) -> None:
    """Confusion matrices side by side, rows true and columns answered, as shares of each row.

    Args:
        matrices: title to counts, shape (17, 17).
        path: picture file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(matrices), 5), layout="constrained")
    for axes, (title, counts) in zip(np.ravel(figure.subplots(1, len(matrices))), matrices.items(), strict=True):
        draw_confusion(axes, counts, title)
    figure.savefig(path, dpi=120)


def draw_confusion(axes: Axes, counts: NDArray[np.integer], title: str) -> None:
    """One confusion matrix on given axes; answers in a supergroup of the truth are framed."""
    from matplotlib.patches import Rectangle

    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for truth in WALLPAPER_GROUPS:
        for answer in truth.supergroups:
            corner = (answer.label - 0.5, truth.label - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="0.75", linewidth=0.6))
        for column in np.nonzero(shares[truth.label] >= 0.05)[0]:
            share = shares[truth.label, column]
            colour = "white" if share > 0.5 else "black"
            axes.text(
                int(column), truth.label, f"{100 * share:.0f}", ha="center", va="center", fontsize=6, color=colour
            )
    names = WALLPAPER_GROUPS.names
    axes.set_xticks(range(17), names, rotation=90, fontsize=7)
    axes.set_yticks(range(17), names, fontsize=7)
    axes.set(xlabel="answer", ylabel="truth", title=f"{title}: {100 * accuracy:.1f} %")
