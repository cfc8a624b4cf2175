"""Figures of the generalisation report, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equisym.eval.metrics import RELATIONS
from equisym.eval.statistics import abstention, reliability
from equisym.groups import WALLPAPER_GROUPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"right": "#4c9f70", "supergroup": "#e3b23c", "subgroup": "#d9804a", "unrelated": "#a63d40"}
Trust = tuple[NDArray[np.float64], NDArray[np.bool_]]


def accuracy_against_images(
    points: Mapping[str, Sequence[tuple[int, float, float]]], published: Mapping[str, Sequence[tuple[int, float]]]
) -> str:
    """Accuracy against the number of training images.

    Args:
        points: for each network, (images, accuracy, half width of the interval); the legend keeps their order.
        published: the same without interval, drawn dashed.
    """
    figure = _figure(6.4, 4.6)
    axes = figure.subplots()
    for number, (name, values) in enumerate(points.items()):
        x, y, half = np.array(sorted(values)).T
        marker = "osD^v<>PX*"[number % 10]
        axes.errorbar(x, 100 * y, 100 * np.nan_to_num(half), marker=marker, label=name, capsize=2, linewidth=1.4)
    for name, values in sorted(published.items()):
        x, y = np.array(sorted(values)).T
        axes.plot(x, 100 * y, "--", marker=".", linewidth=1, alpha=0.7, label=f"{name} (published)")
    axes.axhline(100 / 17, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="training images", ylabel="accuracy in %", ylim=(0, 102))
    figure.legend(fontsize=8, loc="outside lower center", ncols=2 if len(points) > 6 else 3, frameon=False)
    return _svg(figure)


def accuracy_by_network(points: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> str:
    """Accuracy of every network, one row each, with a mark and an interval for each family.

    Args:
        points: for each network and family, accuracy and the limits of its interval.
    """
    families = list(dict.fromkeys(family for own in points.values() for family in own))
    figure = _figure(7.5, 1 + 0.27 * len(points))
    axes = figure.subplots()
    for number, family in enumerate(families):
        rows = [row for row, own in enumerate(points.values()) if family in own]
        y, low, high = 100 * np.array([own[family] for own in points.values() if family in own]).T
        places = np.array(rows) + 0.22 * (number - (len(families) - 1) / 2)
        ends = np.maximum(np.nan_to_num([y - low, high - y]), 0)
        axes.errorbar(y, places, xerr=ends, fmt="osD^v"[number % 5], markersize=4, linewidth=1, label=family)
    axes.axvline(100 / 17, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(points)), list(points), fontsize=8)
    axes.set(xlabel="accuracy in %", ylim=(len(points) - 0.4, -0.6))
    axes.set_xlim(left=0)
    axes.grid(axis="y", color="0.92")
    axes.legend(fontsize=7, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    return _svg(figure)


def trust_curves(trust: Mapping[str, Trust]) -> str:
    """Reliability diagram and abstention curve side by side.

    Args:
        trust: for each network, the answered probabilities and whether they are right.
    """
    figure = _figure(8.5, 3.6)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    for name, (confidences, hits) in trust.items():
        mean, accuracy, _ = reliability(confidences, hits)
        left.plot(mean, accuracy, marker=".", linewidth=1.2, label=name)
        right.plot(*abstention(confidences, hits), linewidth=1.2)
    left.set(xlabel="probability of the answer", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    right.set(xlabel="share of images answered", ylabel="accuracy among them", xlim=(0, 1), ylim=(0, 1.02))
    figure.legend(fontsize=7, loc="outside lower center", ncols=3, frameon=False)
    return _svg(figure)


def condition_curves(curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> str:
    """Small multiples: accuracy against the amount of each condition.

    Args:
        curves: for each condition and network, (amount, accuracy).
    """
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure = _figure(2.3 * columns + 0.5, 2.1 * rows + 0.6)
    panels = np.ravel(figure.subplots(rows, columns, sharey=True, squeeze=False))
    networks = list(dict.fromkeys(name for own in curves.values() for name in own))
    for axes, (kind, own) in zip(panels, curves.items(), strict=False):
        for name, points in own.items():
            x, y = np.array(points).T
            colour = f"C{networks.index(name) % 10}"
            axes.plot(x, 100 * y, marker=".", linewidth=1.2, color=colour, label=name)
        axes.axhline(100 / 17, color="0.6", linewidth=0.8, linestyle=":")
        axes.set_title(kind.replace("_", " "), fontsize=9)
        axes.set_xlabel("repeats" if kind == "repeats" else "severity", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    panels[0].set_ylabel("accuracy in %", fontsize=8)
    panels[0].set_ylim(0, 102)
    handles = {name: line for axes in panels for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, fontsize=7, loc="outside lower center", ncols=3, frameon=False)
    return _svg(figure)


def error_bars(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Stacked bars of right answers and of the three kinds of errors, one bar for each network and family."""
    figure = _figure(7, 0.8 + 0.28 * len(shares))
    axes = figure.subplots()
    left = np.zeros(len(shares))
    for kind, colour in _COLOURS.items():
        width = np.array([100 * own[kind] for own in shares.values()])
        axes.barh(list(shares), width, left=left, color=colour, label=kind)
        left += width
    axes.set(xlabel="share of answers in %", xlim=(0, 100), ylim=(len(shares) - 0.4, -0.6))
    axes.tick_params(axis="y", labelsize=7)
    axes.legend(fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    return _svg(figure)


def confusion_on_subgroup_graph(confusion: NDArray[np.integer], title: str) -> str:
    """The 17 groups as nodes, larger groups higher, joined where one contains the other.

    A node is coloured by the share of its images answered rightly; an arrow from the truth to the answer is as wide as
    that error is frequent, and unrelated errors, between groups that are not joined, are thin and dark red.
    """
    figure = _figure(7.5, 4.8)
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    places = _graph_places()
    for group in WALLPAPER_GROUPS:
        for above in group.supergroups:
            axes.plot(
                *zip(places[group.label], places[above.label], strict=True), color="0.88", linewidth=0.8, zorder=0
            )
    for truth, answer in np.argwhere((shares > 0.02) & ~np.eye(17, dtype=bool)).tolist():
        kind = RELATIONS[truth, answer]
        style = f"arc3,rad={0.12 if truth < answer else -0.12}"
        width = 0.6 + 8 * shares[truth, answer] if kind != "unrelated" else 0.5 + 3 * shares[truth, answer]
        axes.annotate(
            "",
            places[answer],
            places[truth],
            arrowprops={
                "arrowstyle": "-|>",
                "color": _COLOURS[str(kind)],
                "linewidth": width,
                "alpha": 0.75,
                "shrinkA": 11,
                "shrinkB": 11,
                "connectionstyle": style,
            },
        )
    x, y = np.array([places[g.label] for g in WALLPAPER_GROUPS]).T
    axes.scatter(x, y, s=520, c=np.diag(shares), cmap="Greens", vmin=0, vmax=1.3, edgecolor="0.3", zorder=3)
    for group in WALLPAPER_GROUPS:
        axes.text(*places[group.label], group.name, ha="center", va="center", fontsize=8, zorder=4)
    axes.set_title(title, fontsize=9)
    axes.margins(0.08)
    axes.set_axis_off()
    return _svg(figure)


def _graph_places() -> dict[int, tuple[float, float]]:
    """Columns by rotation order, heights by the number of operations of the point group."""
    places, taken = {}, {}
    for group in WALLPAPER_GROUPS:
        row = np.log2(group.point_group.order)
        column = {1: 1.0, 2: 1.4 if row > 1 else 0.4, 4: 0.0, 3: 3.7, 6: 3.1}[group.rotation_order]
        number = taken.setdefault((group.rotation_order, row), 0)
        taken[group.rotation_order, row] += 1
        places[group.label] = (column + 0.62 * number - (0.3 if row > 1.5 else 0), row)
    return places


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "equisym"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
