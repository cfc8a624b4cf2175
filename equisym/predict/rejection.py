"""Reasons to refuse an answer: no lattice, too few repeats, too fine a period, several lattices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement, estimate_lattice
from equisym.crystal.autocorrelate import squared_modulus
from equisym.crystal.cell_average import average_cell
from equisym.crystal.correlation import shared_waves
from equisym.crystal.domains import find_domains
from equisym.crystal.faults import Fault, find_fault
from equisym.crystal.grating import find_grating
from equisym.crystal.lattice_choice import CHOICE, extent, look_at, twice
from equisym.crystal.lattice_search import SHORTEST, Lattice
from equisym.crystal.modulation import find_modulation
from equisym.crystal.operations import repeats_within
from equisym.crystal.superlattice import Pseudocell, find_pseudocell
from equisym.crystal.unindexed_peaks import Unindexed, find_unindexed
from equisym.crystal.weak_superstructure import WeakSuperstructure, find_weak_superstructure
from equisym.predict.background import Background
from equisym.predict.refusal import Refusal, RefusalCode

SURE = 0.7  # score above which an image is accepted without further tests
FEWEST = 4.0  # cells: two repeats along a side
_NEARLY = 0.95  # of a vector must fit twice into the image
_REPEATS = 0.6  # below this, the one likeness that was found between two places is chance
_ACROSS, _WEAK = 2e-3, 0.2  # variation along the second direction: none, and so little that edges may feign it
_COMPLETE, _DOZEN = 0.97, 12.0  # of the image explained by so many cells: what is left is not looked at
_WHATEVER = (RefusalCode.TOO_FINE, RefusalCode.STRIPES)  # refusals that no further look can change
_LIKE = 0.5  # correlation of a cell with itself shifted: a cell joined of two sides of a fault reaches .88
_FINER = 2.0  # times as many cells: a lattice seen in parts of the image, beside one joined by a fault
_LARGE = 0.5  # of a cell: a drift that must be seen in half of the image as well; two random stackings show .8 and 1.3
# of what the cell of the larger side of a fault explains there, that of the smaller one at least; set on four pairs of
# crystals and the 22 planar faults of `equisym.data.situations`
_OTHER = 0.5
_WEAKEST, _SECOND = 5e-3, 0.03  # of the power of all peaks, off the lattice: worth a note, and a refusal
_OWN = 0.1  # of a colour that a lattice of its own explains, and the common one does not
_SAME = 0.03  # of its own vectors, that the common one is off: two lattices may share a cell to .07
_BESIDE = ("superstructure", "modulation")  # waves that belong to the lattice, beside its own
_ON_LINES = (*_BESIDE, "none", "single wave")  # what is off the lattice, and on no second one over all of the image
_SMALLEST = 32  # pixels along a side of a part
_HOLDS = 0.25  # of the image explained by the averaged cell: with less, motifs are not compared
_ALIKE = 4.0  # a pattern's translations: mean over spread


@dataclass(frozen=True)
class Review:
    """What is to be said of a lattice.

    Attributes:
        refusal: why it is no ground for an answer; ``None`` if it is.
        notes: what else should be known, in sentences.
        fault: a line across which the pattern is shifted, so that an average over the image is smeared.
        pseudocell: a smaller cell that the image nearly has.
        outside: share of the power in a superstructure that the cell leaves out.
        superlattice: of that superstructure, columns in pixels.
        second: whether weak waves are on a lattice of their own.
    """

    refusal: Refusal | None
    notes: tuple[str, ...] = ()
    fault: Fault | None = None
    pseudocell: Pseudocell | None = None
    outside: float = 0.0
    superlattice: NDArray[np.float64] | None = None
    second: bool = False


def review_lattice(
    image: Tensor, m: Measurement | None, rest: Background | None, *, finer: bool = True, modulated: bool = False
) -> Review:
    """Whether a lattice that was found, or not found, is a ground for an answer, and what its cell leaves unexplained.

    Args:
        image: the grey image, (H, W).
        m: what was measured; ``None`` if no lattice was found.
        rest: the image without its averaged cell.
        finer: look for a fault on a finer lattice as well.
        modulated: whether the pattern is known to have waves that fit no whole number of its cells.
    """
    refusal = refuse_lattice(image, m, rest)
    if m is None or rest is None or (refusal is not None and refusal.code in _WHATEVER):
        return Review(refusal)
    if refusal is None and rest.explained > _COMPLETE and m.lattice.repeats >= _DOZEN:
        nearly = _smaller_cell(image, m)
        weak, note, larger = None if modulated else _many_weak_waves(m, rest), "", None
        if weak is not None:  # of cells that repeat, or that only come near
            found = find_unindexed(image, m.lattice, tiled=m.average.tiled[0] + m.average.trend[0], mask=m.mask)
            slips = found.kind == "modulation"
            note = _off_the_lattice(found)[1] if slips else _left_unexplained(weak.period, weak.share)
            larger = None if slips else weak.basis
        notes = tuple(text for text in (note, *_superstructure(nearly)) if text)
        return Review(None, notes, pseudocell=nearly, superlattice=larger)
    fault = _fault(image, m, finer)
    parts = find_domains(image, m.lattice, mask=m.mask) if rest.explained > _HOLDS else None
    twin = parts is not None and parts.kind == "twin"
    if fault is not None and "shift" in fault.kind and not twin:
        return Review(refusal, (str(fault),), fault)
    if refusal is not None:
        return Review(refusal)
    tiled = m.average.tiled[0] + m.average.trend[0]
    found = find_unindexed(image, m.lattice, tiled=tiled, mask=m.mask, explained=rest.explained)
    refusal, note = _off_the_lattice(found)
    two = parts is not None and parts.kind != "one" and refusal is None and found.kind not in _BESIDE
    if parts is not None and (twin or two):
        related = ", related by an operation of the lattice: twins" if twin else ""
        shares = " and ".join(f"{100 * share:.0f} %" for share in parts.shares)
        detail = f"motifs that differ in parts of {shares} of the image{related}; cut out one of them"
        return Review(Refusal(RefusalCode.DOMAINS, detail))
    refusal = refusal or _second_lattice(image, m.lattice, rest, over=found.kind not in _ON_LINES)
    if refusal is not None:
        return Review(refusal)
    nearly = _smaller_cell(image, m)
    outside = found.strength if found.kind in _BESIDE else 0.0
    larger = found.bases[0] if note and found.kind == "superstructure" and not modulated else None
    if modulated and found.kind in _BESIDE:
        note = ""  # it is known, and cells only come near
    elif not note and not modulated and (weak := _many_weak_waves(m, rest)) is not None:
        note, outside, larger = _left_unexplained(weak.period, weak.share), weak.share, weak.basis
    notes = (note, "" if fault is None else str(fault), *_superstructure(nearly))
    notes = tuple(text for text in notes if text)
    second = found.kind == "second lattice"
    return Review(None, notes, pseudocell=nearly, outside=outside, superlattice=larger, second=second)


def _smaller_cell(image: Tensor, m: Measurement) -> Pseudocell | None:
    """A smaller cell that the image nearly has, and whether the larger one is there by chance."""
    nearly = find_pseudocell(m.lattice.basis, *_waves(m)[:2])
    if nearly is None or nearly.wave:
        return nearly
    found = find_modulation(image, m.lattice, nearly.basis, mask=m.mask)
    return nearly if found is None else replace(nearly, modulation=found.period)


def _many_weak_waves(m: Measurement, rest: Background) -> WeakSuperstructure | None:
    """A larger cell that explains more, if there is one."""
    return find_weak_superstructure(torch.from_numpy(rest.left).float(), m.lattice.basis, rest.explained, m.mask)


def _left_unexplained(period: str, share: float) -> str:
    return f"a superstructure of {period} cells holds {100 * share:.1f} % of the power, left unexplained"


def _fault(image: Tensor, m: Measurement, finer: bool) -> Fault | None:
    """A line across which the pattern is shifted, which may have been taken for a part of a large cell."""
    if m.mask is not None:
        return None
    fault = find_fault(image, m.lattice)
    joined = finer and m.lattice.repeats < CHOICE.many and float(repeats_within(m.spectrum)[0]) >= _LIKE
    if "shift" in fault.kind or not joined:
        return fault
    for parts in (2, 4):
        look = look_at(image, parts=parts) if min(image.shape) >= parts * CHOICE.smallest_part else None
        if look is not None and look.lattice.repeats >= _FINER * m.lattice.repeats:
            within = find_fault(image, look.lattice)
            if "shift" in within.kind:
                return within
    return fault


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
    return _off_the_lattice(found)[0]


def refuse_other_side(image: Tensor, m: Measurement, fault: Fault) -> Refusal | None:
    """Why the sides of a line are two patterns, or none: a shift leaves the motif as it is.

    The averaged cell of either side is asked how much of that side it explains.
    """
    basis, explained = torch.from_numpy(m.lattice.basis)[None].to(image), []
    for side in fault.sides((image.shape[0], image.shape[1])):
        if side.sum() < _DOZEN * abs(float(np.linalg.det(m.lattice.basis))):
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
    first, second = (_strong(part) for part in (scan[:half], scan[half:]))
    if first is not None and second is not None and _differ(first.basis, second.basis):
        return _several(first, second)
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
    if rest.explained > _COMPLETE and m.lattice.repeats >= _DOZEN:
        return None
    own = _strong(image) if rest.explained < 1 - _OWN else None
    if own is not None and own.score > rest.explained + _OWN and not _holds(m.lattice.basis, own.basis, _SAME):
        return _several(m.lattice, own)
    tiled = m.average.tiled[component] + m.average.trend[component]
    found = find_unindexed(image, m.lattice, tiled=tiled, mask=m.mask, explained=rest.explained, split=False)
    return _off_the_lattice(found)[0]


def _off_the_lattice(found: Unindexed) -> tuple[Refusal | None, str]:
    """What is to be said of sharp waves that the lattice does not index: a refusal, or a note, or nothing."""
    share = f"{100 * found.strength:.1f} %"
    strong = found.strength >= _SECOND
    if found.kind == "second lattice" and strong:
        sizes = [" x ".join(f"{v:.1f}" for v in np.linalg.norm(basis, axis=0)) for basis in found.bases]
        detail = f"cells of {' and of '.join(sizes)} pixels, one laid over the other"
        return Refusal(RefusalCode.SEVERAL_LATTICES, detail), ""
    if found.kind == "not periodic" and strong:
        detail = f"sharp waves with {share} of the power fit no lattice, as in a quasicrystal or a moire"
        return Refusal(RefusalCode.NOT_PERIODIC, detail), ""
    words = {
        "none": "",
        "superstructure": _left_unexplained(found.period, found.strength),
        "modulation": f"a modulation with a period of {found.period} pixels, which fits no whole number of cells, "
        f"has {share} of the power, left unexplained",
        "single wave": f"waves along one line, with {share} of the power, do not belong to the lattice",
        "second lattice": f"weak waves, with {share} of the power, are on a lattice of their own",
        "not periodic": f"sharp waves, with {share} of the power, do not belong to the lattice",
    }
    return None, words[found.kind] if found.strength >= _WEAKEST else ""


def refuse_lattice(image: Tensor, m: Measurement | None, rest: Background | None) -> Refusal | None:
    """Why a lattice that was found, or not found, is no ground for an answer; ``None`` if it is.

    Args:
        image: the grey image, (H, W).
        m: what was measured; ``None`` if no lattice was found.
        rest: the image without its averaged cell.
    """
    if m is None or rest is None:
        nothing = Refusal(RefusalCode.NOT_PERIODIC, "no two directions in which the image repeats")
        return _several_grains(image) or nothing
    lattice = m.lattice
    if lattice.repeats < FEWEST and lattice.score > _REPEATS:
        detail = f"{lattice.repeats:.1f} cells in the image; if the pattern repeats, show more of it"
        return _several_grains(image) or Refusal(RefusalCode.FEW_REPEATS, detail)
    if lattice.repeats < FEWEST:
        chance = Refusal(RefusalCode.NOT_PERIODIC, "nothing in the image repeats as often as twice along a side")
        return _several_grains(image) or chance
    height, width = extent(image, m.mask)
    if not twice(_NEARLY * lattice.basis, (height, width)):
        long = max(np.linalg.norm(lattice.basis, axis=0))
        cell = f"a cell {long:.0f} pixels long" if long < max(height, width) else "no cell that is seen twice"
        detail = f"{cell} in an image of {width} x {height}; if the pattern repeats, show more of it"
        return Refusal(RefusalCode.FEW_REPEATS, detail)
    if _too_fine(m):
        return Refusal(RefusalCode.TOO_FINE, f"the pattern repeats in less than {SHORTEST:g} pixels; magnify it")
    across = _second_direction(m)
    if across < _ACROSS or (across < _WEAK and find_grating(image, m.mask) is not None):
        return Refusal(RefusalCode.STRIPES, "stripes, the same all along their length")
    if not (lattice.score > SURE or lattice.steadiness > _ALIKE):
        share = f"with the best lattice only {100 * max(lattice.score, 0):.0f} % of the image repeats"
        return _several_grains(image) or Refusal(RefusalCode.NOT_PERIODIC, share)
    return None


def _too_fine(m: Measurement) -> bool:
    """Whether the cell's structure lies wholly at frequencies whose period is below the shortest lattice."""
    q = m.average.frequency()[0]
    power = squared_modulus(m.spectrum.full[0]).sum(0) * (q > 0)
    return bool(power[q >= 1 / SHORTEST].sum() > 0.98 * power.sum())


def _second_direction(m: Measurement) -> float:
    """How much the image varies along its weaker direction: of the waves that stand out of the noise; 0 to 1."""
    index, power, least = _waves(m)
    q = index @ np.linalg.inv(m.lattice.basis)
    power = np.where((power > least) & (power > 1e-3 * power.max()), power, 0.0)
    small, large = np.linalg.eigvalsh((q * power[:, None]).T @ q)
    return float(small / max(large, 1e-30))


def _waves(m: Measurement) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The averaged cell's waves: their indices (n, 2), their power without noise, and what noise may make of one."""
    s = m.spectrum
    index, shared = shared_waves(s)
    noise = ((s.total - s.signal).clamp(min=0) / s.count.clamp(min=1))[0].double()
    least = 6 * torch.cat((noise, torch.full_like(noise[:1], torch.inf)))[s.shell[0].flatten()]
    return index.astype(float), shared.real, least.numpy()


def _superstructure(found: Pseudocell | None) -> tuple[str, ...]:
    """A word on a cell that is nearly several smaller ones."""
    if found is None:
        return ()
    sides = " x ".join(f"{v:.1f}" for v in np.linalg.norm(found.basis, axis=0))
    return (f"a {found.period} superstructure: a cell of {sides} pixels leaves {100 * found.beyond:.2g} % unexplained",)


def _second_lattice(image: Tensor, lattice: Lattice, rest: Background, *, over: bool = True) -> Refusal | None:
    """A second lattice in another part of the image, or laid over the first, if ``over`` is to be asked."""
    worst, best = int(np.argmin(rest.quarters)), max(rest.quarters)
    if rest.quarters[worst] < 0.35 * best and lattice.repeats > 24:
        h, w = (n // 2 for n in image.shape)
        y, x = divmod(worst, 2)
        other = _strong(image[y * h : (y + 1) * h, x * w : (x + 1) * w])
        if other is not None and _differ(lattice.basis, other.basis):
            return _several(lattice, other)
    if over and rest.explained < 0.85 and lattice.repeats > 8:
        other = _strong(torch.from_numpy(rest.left).float())
        if other is not None and _differ(lattice.basis, other.basis):
            return _several(lattice, other)
    return None


def _several_grains(image: Tensor) -> Refusal | None:
    """Two quarters of an image with different lattices."""
    h, w = (n // 2 for n in image.shape)
    if min(h, w) < _SMALLEST:
        return None
    found = [_strong(image[y : y + h, x : x + w]) for y in (0, h) for x in (0, w)]
    strong = [lattice for lattice in found if lattice is not None]
    for other in strong[1:]:
        if _differ(strong[0].basis, other.basis):
            return _several(strong[0], other)
    return None


def lattice_of_parts(image: Tensor) -> Lattice | None:
    """The finest lattice that holds in one of five parts of an image, each a third as long; ``None`` if none does.

    A crystal with dislocations or planar faults has one; quasicrystals and moires repeat a few times at most.
    """
    size = [side // 3 for side in image.shape]
    if min(size) < _SMALLEST:
        return None
    ends = [(0, n - s) for n, s in zip(image.shape, size, strict=True)]
    corners = [(size[0], size[1]), *((y, x) for y in ends[0] for x in ends[1])]
    found = [_strong(image[y : y + size[0], x : x + size[1]]) for y, x in corners]
    clear = [lattice for lattice in found if lattice and lattice.score > _REPEATS and lattice.repeats >= _DOZEN]
    return min(clear, key=lambda lattice: abs(np.linalg.det(lattice.basis))) if clear else None


def _strong(part: Tensor) -> Lattice | None:
    """The lattice of a part of an image, if it is certain, with two repeats along each vector."""
    if float(part.std()) < 1e-4:
        return None
    lattice = estimate_lattice(part.contiguous())
    if lattice is None or lattice.score <= 0.5 or lattice.repeats < 6:
        return None
    return lattice if twice(lattice.basis, part.shape) else None


def _differ(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether neither lattice contains the other."""
    return not _holds(first, second) and not _holds(second, first)


def _holds(basis: NDArray[np.float64], finer: NDArray[np.float64], tolerance: float = 0.12) -> bool:
    """Whether the vectors of a basis are translations of a finer lattice, or of the same one."""
    steps = np.linalg.solve(finer, basis)
    return bool(np.abs(steps - np.rint(steps)).max() < tolerance and np.abs(np.rint(steps)).max() > 0)


def _several(first: Lattice, second: Lattice) -> Refusal:
    sizes = [" x ".join(f"{v:.1f}" for v in np.linalg.norm(found.basis, axis=0)) for found in (first, second)]
    detail = f"cells of {sizes[0]} and of {sizes[1]} pixels; cut out a part that has one"
    return Refusal(RefusalCode.SEVERAL_LATTICES, detail)
