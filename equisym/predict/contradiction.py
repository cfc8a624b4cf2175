"""What a part of an image, or a further colour, says against the lattice that was found in the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.cell_average import average_cell
from equisym.crystal.faults import Fault
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.unindexed_peaks import find_unindexed
from equisym.predict.background import Background
from equisym.predict.lattices_of_parts import clear_lattice, differ, holds, several_lattices
from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.rejection import COMPLETE, DOZEN, FEWEST, off_the_lattice

_LARGE = 0.5  # of a cell: a drift that must be seen in half of the image as well; two random stackings show .8 and 1.3
# of what the cell of the larger side of a fault explains there, that of the smaller one at least; set on four pairs of
# crystals and the 22 planar faults of `equisym.data.situations`
_OTHER = 0.5
_OWN = 0.1  # of a colour that a lattice of its own explains, and the common one does not
_SAME = 0.03  # of its own vectors, that the common one is off: two lattices may share a cell to .07


def refuse_side(image: Tensor, m: Measurement, fault: Fault) -> Refusal | None:
    """Why the larger side of a fault, on its own, has another lattice than the one measured, or none.

    In a quasicrystal, a pattern that nearly repeats may look shifted across a line; so may two lattices. A shifted
    crystal has sharp waves off its lattice as a whole, but not on one side. Where the side
    holds too few cells to tell, the whole image is asked.
    """
    part = fault.larger_part((image.shape[0], image.shape[1]))
    cell = abs(float(np.linalg.det(m.lattice.basis)))
    if image[part].numel() < FEWEST * cell:
        part = (slice(None), slice(None))
    side = image[part]
    repeats = side.numel() / cell
    tiled = (m.average.tiled[0] + m.average.trend[0])[part]
    explained = 1 - float((side - tiled).var() / side.var().clamp(min=1e-12))
    found = find_unindexed(side, replace(m.lattice, repeats=repeats), tiled=tiled, explained=explained)
    return off_the_lattice(found)[0]


def refuse_other_side(image: Tensor, m: Measurement, fault: Fault) -> Refusal | None:
    """Why the sides of a line are two patterns, or none: a shift leaves the motif as it is.

    The averaged cell of either side is asked how much of that side it explains.
    """
    basis, explained = torch.from_numpy(m.lattice.basis)[None].to(image), []
    for side in fault.sides((image.shape[0], image.shape[1])):
        if side.sum() < DOZEN * abs(float(np.linalg.det(m.lattice.basis))):
            return None
        seen = torch.from_numpy(side)
        average = average_cell(image[None], basis, mask=seen)
        flat = (image - average.trend[0])[seen]
        explained.append(1 - float((flat - average.tiled[0][seen]).var() / flat.var().clamp(min=1e-12)))
    if explained[1] > _OTHER * explained[0]:
        return None
    detail = f"another pattern on either side of {fault.line}; cut out one of them"
    return Refusal(RefusalCode.SEVERAL_LATTICES, detail)


def refuse_drift(scan: Tensor, lattice: Lattice, shift: float) -> Refusal | None:
    """Why lines that seem to have drifted are none: its halves, which a slow drift leaves alike, have two lattices.

    So have twins with a boundary along the lines. Layers that are stacked at random leave neither half one.

    Args:
        scan: the image as it was, (H, W).
        lattice: of the corrected one.
        shift: of the line that was moved most, in pixels.
    """
    half = scan.shape[0] // 2
    first, second = (clear_lattice(part) for part in (scan[:half], scan[half:]))
    if first is not None and second is not None and differ(first.basis, second.basis):
        return several_lattices(first, second)
    if first is None and second is None and shift > _LARGE * abs(float(np.linalg.det(lattice.basis))) ** 0.5:
        detail = f"lines that are shifted by up to {shift:.0f} pixels, and no lattice in either half"
        return Refusal(RefusalCode.NOT_PERIODIC, detail)
    return None


def refuse_component(image: Tensor, m: Measurement, rest: Background, component: int) -> Refusal | None:
    """Why a further component of an image's colours has another lattice than the one measured, or none.

    Args:
        image: the component, (H, W).
        m: what was measured in all of them.
        rest: the component without its averaged cell.
        component: its place among all.
    """
    if rest.explained > COMPLETE and m.lattice.repeats >= DOZEN:
        return None
    own = clear_lattice(image) if rest.explained < 1 - _OWN else None
    if own is not None and own.score > rest.explained + _OWN and not holds(m.lattice.basis, own.basis, _SAME):
        return several_lattices(m.lattice, own)
    tiled = m.average.tiled[component] + m.average.trend[component]
    found = find_unindexed(image, m.lattice, tiled=tiled, mask=m.mask, explained=rest.explained, split=False)
    return off_the_lattice(found)[0]
