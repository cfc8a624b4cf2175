"""HyperSpy: a signal goes in with its scale, and symmetry elements come out as markers of its plot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.image_file import RECIPROCAL
from equisym.data.readers.units import PixelSize, is_reciprocal, nanometres, pixel_size
from equisym.predict.answer import Answer
from equisym.predict.elements_in_image import elements_in_image

_COLOURS = {"cells": "#f0e442", "mirrors": "#d55e00", "glides": "#0072b2", "centres": "#ffffff"}


def is_signal(image: Any) -> bool:
    """Whether an object is a signal of HyperSpy, which need not be installed for this question."""
    return hasattr(image, "axes_manager") and hasattr(image, "data")


def image_of(signal: Any, *, trusted: bool = False) -> tuple[NDArray[Any], PixelSize | None]:
    """The image that a signal shows, at its present place in a stack, and the size of its pixels in nanometres.

    Args:
        signal: of HyperSpy.
        trusted: whether it is known to be an image, whatever the units of its axes.

    Raises:
        ValueError: if the signal is no image, or a diffraction pattern.
    """
    axes = signal.axes_manager.signal_axes
    if len(axes) != 2:
        raise ValueError(f"a signal must have two signal axes, as Signal2D has (got {len(axes)})")
    if not trusted and any(is_reciprocal(axis.units) for axis in axes):
        raise ValueError(RECIPROCAL)
    here = tuple(signal.axes_manager.indices[::-1])
    image = np.asarray(signal.data[here] if here else signal.data)
    x, y = (nanometres(abs(axis.scale), axis.units) for axis in axes)
    return image, pixel_size(y, x)


def markers(result: Answer, signal: Any, *, most: int = 25) -> list[Any]:
    """Cells, mirror and glide lines and rotation centres as markers, in the signal's own units.

    ``signal.plot(); signal.add_marker(markers(result, signal))`` shows them.

    Args:
        result: the answer about the signal.
        signal: which it was asked for.
        most: cells to draw.

    Raises:
        ValueError: if no group was answered.
        ImportError: if HyperSpy is not installed.
    """
    from hyperspy.api import plot  # pyright: ignore[reportMissingImports]

    found = elements_in_image(result, most=most)
    axes = signal.axes_manager.signal_axes
    shape = [axis.size for axis in axes]
    scale = np.array([axis.scale for axis in axes]) * np.array(shape) / np.array(result.shape[::-1])
    offset = np.array([axis.offset for axis in axes])

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return offset + points * scale

    drawn = [plot.markers.Polygons(verts=place(found.cells), facecolors="none", edgecolors=_COLOURS["cells"])]
    for name, lines in (("mirrors", found.mirrors), ("glides", found.glides)):
        if len(lines):
            style = {"linestyles": "dashed"} if name == "glides" else {}
            drawn.append(plot.markers.Lines(segments=place(lines), colors=_COLOURS[name], linewidths=1.2, **style))
    for order, points in found.centres.items():
        drawn.append(
            plot.markers.Points(offsets=place(points), sizes=6 + 2 * order, facecolors="black", edgecolors="white")
        )
    return drawn
