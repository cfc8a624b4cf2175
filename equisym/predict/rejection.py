"""Reasons to refuse an answer: no lattice, too few repeats, too fine a period, several lattices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.autocorrelate import squared_modulus
from equisym.crystal.correlation import shared_waves
from equisym.crystal.domains import find_domains
from equisym.crystal.faults import Fault, find_fault
from equisym.crystal.grating import find_grating
from equisym.crystal.lattice_choice import CHOICE, extent, look_at, twice
from equisym.crystal.lattice_search import SHORTEST
from equisym.crystal.modulation import find_modulation
from equisym.crystal.operations import repeats_within
from equisym.crystal.superlattice import Pseudocell, find_pseudocell
from equisym.crystal.unindexed_peaks import Unindexed, find_unindexed
from equisym.crystal.weak_superstructure import WeakSuperstructure, find_weak_superstructure, stands_out
from equisym.predict.background import Background
from equisym.predict.lattices_of_parts import second_lattice, several_grains
from equisym.predict.refusal import Refusal, RefusalCode

SURE = 0.7  # score above which an image is accepted without further tests
FEWEST = 4.0  # cells: two repeats along a side
_NEARLY = 0.95  # of a vector must fit twice into the image
_REPEATS = 0.6  # below this, the one likeness that was found between two places is chance
_ACROSS, _WEAK = 2e-3, 0.2  # variation along the second direction: none, and so little that edges may feign it
COMPLETE, DOZEN = 0.97, 12.0  # of the image explained by so many cells: what is left is not looked at
_WHATEVER = (RefusalCode.TOO_FINE, RefusalCode.STRIPES)  # refusals that no further look can change
_LIKE = 0.5  # correlation of a cell with itself shifted: a cell joined of two sides of a fault reaches .88
_FINER = 2.0  # times as many cells: a lattice seen in parts of the image, beside one joined by a fault
_WEAKEST, _SECOND = 5e-3, 0.03  # of the power of all peaks, off the lattice: worth a note, and a refusal
_BESIDE = ("superstructure", "modulation")  # waves that belong to the lattice, beside its own
_ON_LINES = (*_BESIDE, "none", "single wave")  # what is off the lattice, and on no second one over all of the image
_MUCH = 0.1  # of the power in a superstructure: it needs no further evidence
_HOLDS = 0.25  # of the image explained by the averaged cell: with less, motifs are not compared
_FEW_COPIES, _MOSTLY = 4.5, 0.5  # cells that hold one period of a wave; of the power in that wave
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
    if refusal is None and rest.explained > COMPLETE and m.lattice.repeats >= DOZEN:
        nearly = _smaller_cell(image, m)
        weak, note, larger = None if modulated else _many_weak_waves(m, rest), "", None
        if weak is not None:  # of cells that repeat, or that only come near
            found = find_unindexed(image, m.lattice, tiled=m.average.tiled[0] + m.average.trend[0], mask=m.mask)
            slips = found.kind == "modulation"
            note = off_the_lattice(found)[1] if slips else _left_unexplained(weak.period, weak.share)
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
    refusal, note = off_the_lattice(found)
    two = parts is not None and parts.kind != "one" and refusal is None and found.kind not in _BESIDE
    if parts is not None and (twin or two):
        related = ", related by an operation of the lattice: twins" if twin else ""
        shares = " and ".join(f"{100 * share:.0f} %" for share in parts.shares)
        detail = f"motifs that differ in parts of {shares} of the image{related}; cut out one of them"
        return Review(Refusal(RefusalCode.DOMAINS, detail))
    refusal = refusal or second_lattice(image, m.lattice, rest, over=found.kind not in _ON_LINES)
    if refusal is not None:
        return Review(refusal)
    nearly = _smaller_cell(image, m)
    few = found.kind == "single wave" and m.lattice.repeats < DOZEN  # a cell so large is near any wave
    outside = found.strength if found.kind in _BESIDE or few else 0.0
    larger = found.bases[0] if note and found.kind == "superstructure" and not modulated else None
    if modulated and found.kind in _BESIDE:
        note = ""  # it is known, and cells only come near
    elif not note and not modulated and (weak := _many_weak_waves(m, rest)) is not None:
        note, outside, larger = _left_unexplained(weak.period, weak.share), weak.share, weak.basis
    if larger is not None and outside < _MUCH and not stands_out(rest.left, m.lattice.basis, larger):
        note, larger = "", None  # speckle of disorder, stains, or text over the pattern
    notes = (note, "" if fault is None else str(fault), *_superstructure(nearly))
    notes = tuple(text for text in notes if text)
    second = found.kind == "second lattice"
    return Review(None, notes, pseudocell=nearly, outside=outside, superlattice=larger, second=second)


def _smaller_cell(image: Tensor, m: Measurement) -> Pseudocell | None:
    """A smaller cell that the image nearly has, and whether the larger one is there by chance."""
    waves = _waves(m)[:2]
    nearly = find_pseudocell(m.lattice.basis, *waves)
    if nearly is None:
        return None
    found = find_modulation(image, m.lattice, nearly.basis, mask=m.mask)
    if nearly.wave:
        copies = abs(float(np.linalg.det(m.lattice.basis) / np.linalg.det(nearly.basis)))
        if found is not None or copies > _FEW_COPIES:
            return nearly
        if nearly.beyond > _MOSTLY:  # that which has most of the power is the pattern's own, as hum hardly is
            return find_pseudocell(m.lattice.basis, *waves, laid_over=False)
        return replace(nearly, fits=round(copies))
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


def off_the_lattice(found: Unindexed) -> tuple[Refusal | None, str]:
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
        return several_grains(image) or nothing
    lattice = m.lattice
    if lattice.repeats < FEWEST and lattice.score > _REPEATS:
        detail = f"{lattice.repeats:.1f} cells in the image; if the pattern repeats, show more of it"
        return several_grains(image) or Refusal(RefusalCode.FEW_REPEATS, detail)
    if lattice.repeats < FEWEST:
        chance = Refusal(RefusalCode.NOT_PERIODIC, "nothing in the image repeats as often as twice along a side")
        return several_grains(image) or chance
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
        return several_grains(image) or Refusal(RefusalCode.NOT_PERIODIC, share)
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
