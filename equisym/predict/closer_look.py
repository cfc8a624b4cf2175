"""The look that an image is answered by: at the scale that shows its cell, corrected where it has to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from equisym.predict.artefacts import plain_area, stray_lines
from equisym.predict.corrected_looks import (
    levelled,
    moved_into_register,
    on_its_own_cell,
    one_side,
    square_on,
    without_hum,
    without_steps,
)
from equisym.predict.fine_screen import without_screen
from equisym.predict.look import Look, plain_look
from equisym.predict.pattern_in_part import in_part
from equisym.predict.pixel_raster import with_pixels_alike
from equisym.predict.preprocessing import Pixels
from equisym.predict.scratches import without_scratches
from equisym.predict.view import LARGEST, View, middle, reduced, whole

_THINNEST = 16  # pixels across that a reduced image has at least
_FINE = 20.0  # pixels: if the reduced cell is smaller, the middle of the image is used at full scale instead
_MOST_OF_IT, _DOZEN = 0.85, 12.0  # of the image explained: nothing wide covers the pattern; cells around what does


def look_closely(pixels: Pixels, expected: NDArray[np.float64] | None = None, window: bool = False) -> Look:
    """Measure an image at the scale that shows its cell.

    Args:
        pixels: of the image.
        expected: basis of the lattice that is expected, (2, 2) in pixels.
        window: whether the image is one of many windows of a larger one.
    """
    if max(pixels.shape) <= LARGEST:
        return _measured(replace(whole(pixels), expected=expected, window=window))
    height, width = pixels.shape
    if min(height, width) // -(-max(height, width) // LARGEST) < _THINNEST:  # too thin to be reduced
        return _measured(middle(pixels)).noting(
            f"only the middle {LARGEST} pixels were analysed, of {width} x {height}"
        )
    look = _measured(reduced(pixels))
    m = look.measurement
    if m is None or np.sqrt(abs(np.linalg.det(m.lattice.basis))) < _FINE or m.lattice.score < 0.3:
        closer = _measured(middle(pixels))
        near = closer.measurement
        if near is not None and (m is None or near.lattice.score > 0.8 * m.lattice.score):
            return closer.noting(f"only the middle {LARGEST} pixels were analysed, of {width} x {height}")
    return look.noting(f"reduced {look.view.scale}-fold from {width} x {height} pixels")


def _measured(view: View) -> Look:
    """Measure a view, without lost or spurious detector lines if that gives an answer or a better one."""
    first = plain_look(view)
    look = without_screen(view, with_pixels_alike(view, first))
    look = square_on(view, first) if look is first else look
    look = without_steps(view, levelled(view, first)) if look is first else look
    look = one_side(look)
    look = without_scratches(view, without_hum(look) or on_its_own_cell(look))
    look = in_part(view, moved_into_register(view, look))
    grey = view.grey.double().numpy()
    rest = look.rest
    holds = rest is not None and look.refusal is None and rest.explained > _MOST_OF_IT
    plain = None if holds or view.window else plain_area(grey)
    if plain is not None:
        around = plain_look(view.without(torch.from_numpy(plain)))
        m = around.measurement
        if m is not None and m.lattice.repeats >= _DOZEN and around.outdoes(look):
            return around
    lines = stray_lines(grey)
    if lines is None:
        return look
    without = plain_look(view.without(torch.from_numpy(lines)))
    if not without.outdoes(look):
        return look
    count = int(lines.all(1).sum() + lines.all(0).sum())
    return without.noting(f"lines that are constant or far off their neighbours were left out: {count}")
