"""A look at an image: the measurement of one view of it, and what is to be said of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from equisym.crystal import Measurement, measure, measure_scan, refine_to_waves
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.unindexed_peaks import LIMITS
from equisym.predict.background import Background, take_apart
from equisym.predict.contradiction import refuse_component, refuse_drift
from equisym.predict.refusal import Refusal
from equisym.predict.rejection import Review, review_lattice
from equisym.predict.view import View

_OUTSIDE = 0.1  # of the power outside of the cell
SMEARED = 0.6  # of the image explained: with less, the cell may be an average of parts that differ
_BETTER = 0.03  # gain in score that justifies leaving out part of the image


@dataclass(frozen=True)
class Look:
    """The measurement of one view, with notes on how it was made.

    Attributes:
        view: the part of the image that was looked at.
        measurement: its lattice, cell and fits; ``None`` if no lattice was found.
        notes: what was done to see it so.
        finer: whether a fault may be seen on a finer lattice than the one measured.
        overlaid: whether the cell is that of the pattern without a wave laid over it, or a modulation.
        against: what the larger side of a fault, or the parts of the image, say against the lattice.
        grains: whether parts surely show lattices that differ.
        modulated: share of the power in a modulation that the cell leaves out.
    """

    view: View
    measurement: Measurement | None
    notes: tuple[str, ...] = ()
    finer: bool = True
    overlaid: bool = False
    against: Refusal | None = None
    modulated: float = 0.0
    grains: bool = False

    @cached_property
    def rest(self) -> Background | None:
        """The view without its averaged cell."""
        return None if self.measurement is None else take_apart(self.view.grey, self.measurement)

    @cached_property
    def review(self) -> Review:
        """What is to be said of the lattice, and of what its cell leaves."""
        modulated = self.modulated > 0
        review = review_lattice(self.view.grey, self.measurement, self.rest, finer=self.finer, modulated=modulated)
        m = self.measurement
        if m is None or review.refusal is not None or review.fault is not None:
            return review
        for k, share in enumerate(self.view.shares):
            if k > 0 and share > LIMITS.colour:
                image = self.view.channels[k]
                refusal = refuse_component(image, m, take_apart(image, m, k), k)
                if refusal is not None:
                    return Review(refusal)
        return review

    @property
    def refusal(self) -> Refusal | None:
        """Why no group should be named."""
        return self.against or self.review.refusal

    @property
    def leaves_much(self) -> bool:
        """Whether there is more in an image that is not refused than its cell: a fault, other waves, or most of it."""
        if self.refusal is not None or self.rest is None:
            return False
        return self.review.fault is not None or self.review.outside > _OUTSIDE or self.rest.explained < SMEARED

    def outdoes(self, other: Look) -> bool:
        """Whether it gives an answer where the other gives none, or clearly more of it repeats."""
        if self.measurement is None or self.refusal is not None:
            return False
        if other.measurement is None or other.refusal is not None:
            return True
        return self.measurement.lattice.score > other.measurement.lattice.score + _BETTER

    def noting(self, note: str) -> Look:
        """The same with a further note, in front."""
        return replace(self, notes=(note, *self.notes))


def plain_look(view: View) -> Look:
    """A view as it is, but for the drift of a scan's lines."""
    image = view.grey if len(view.channels) == 1 else view.channels
    scan = measure_scan(image, mask=view.mask, expected=view.expected)
    m, notes, against = scan.measurement, [], None
    if scan.shift:
        against = None if m is None or view.window else refuse_drift(view.grey, m.lattice, scan.shift)
        view = replace(view, channels=scan.image[None], mask=None, drift=scan.shift)
        if against is None:
            pixels = view.drift * view.scale
            notes.append(f"the lines of the scan drift by up to {pixels:.1f} pixels; this was corrected")
    if m is not None and m.mask is not None:
        what = "empty" if view.mask is None else "unknown or empty"
        notes.append(f"{100 * (1 - m.mask.double().mean()):.2g} % of the image are {what} and were left out")
    return Look(view, m, tuple(notes), against=against)


def look_on(look: Look, lattice: Lattice) -> Look | None:
    """The same view on another lattice."""
    assert look.measurement is not None
    view, mask = look.view, look.measurement.mask
    image = view.grey if len(view.channels) == 1 else view.channels
    own = measure(image, refine_to_waves(view.grey, lattice, mask), mask=mask)
    return None if own is None else replace(look, measurement=own)
