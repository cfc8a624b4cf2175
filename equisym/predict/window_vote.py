"""The vote: one answer of several windows of an image, or of several images of one pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equisym.crystal import tile
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.prediction import Prediction
from equisym.predict.refusal import Refusal, RefusalCode

Array = NDArray[np.float64]
_SAME = 0.1  # of the shorter vector: how far vectors of one lattice may differ from window to window
_MOST = 2 / 3  # of the windows that answer must be on one lattice
_FEWEST = 3  # windows that answer: fewer are no vote
ALIKE, _COARSE = 0.5, 5  # least correlation of the averaged cells of one pattern, in waves of up to this index
_LAPSE = 0.02  # probability that a window is entirely wrong


@dataclass(frozen=True)
class Vote:
    """The joint answer of several windows of one image.

    Attributes:
        refusal: why they name no group, or ``None``.
        probabilities: of the 17 groups by name, the likeliest first; see :func:`vote`.
        share: of the windows on the common lattice, those that name the likeliest group.
        windows: how many there are.
        answered: how many of them name a group.
        agreed: how many of these are on the common lattice and show one pattern.
        lattice: the mean of theirs, columns a and b, (2, 2).
        likeness: median correlation of their averaged cells.
        best: place, in the order given, of the window that shows the likeliest group best.
    """

    refusal: Refusal | None
    probabilities: dict[str, float]
    share: float
    windows: int
    answered: int
    agreed: int
    lattice: Array | None
    likeness: float | None
    best: int | None

    @property
    def refused(self) -> str | None:
        """Why they name no group, in a sentence, or ``None``."""
        return None if self.refusal is None else str(self.refusal)

    @property
    def group(self) -> str | None:
        """The likeliest group; ``None`` if refused."""
        return None if self.refused else next(iter(self.probabilities), None)

    def __str__(self) -> str:
        counts = f"{self.agreed} of {self.windows} windows agree on the lattice"
        if self.refused:
            return f"refused: {self.refused}"
        return f"{self.group} in {100 * self.share:.0f} % of the windows; {counts}"


def vote(windows: Sequence[Prediction], *, cover: float = 1.0, alike: float = ALIKE) -> Vote:
    r"""Pool the answers about several windows of one image.

    The lattice that most windows share is the common one; windows that were refused, have another lattice or show
    another pattern do not count. Of the others the probabilities multiply,

    .. math:: p(G) \propto \prod_w \left( (1 - \epsilon)\, p_w(G) + \epsilon / 17 \right)^{1 / c}

    with the chance :math:`\epsilon` of 2 % that a window is wrong altogether, and the number c of windows that see
    the same pixel, so that overlapping windows do not count what they share twice. What all windows have wrong alike
    multiplies as well, such as what one instrument does to every window: so the likeliest group gets at most the mean
    of what the windows give it, and at most (k + 1) / (n + 2) where k of n = windows / c name it; the others share
    the rest. Where this makes another group the likeliest, the windows are divided, and that one is named.

    Args:
        windows: their answers.
        cover: how many windows see one pixel.
        alike: least correlation of the averaged cells of one pattern.

    >>> one = Prediction(None, {"p4": 0.7, "p4m": 0.3}, lattice=np.eye(2) * 20)
    >>> other = Prediction(None, {"p4m": 0.6, "p4": 0.4}, lattice=np.array([[0.0, -20.3], [20.1, 0.0]]))
    >>> found = vote([one, one, other, Prediction(Refusal(RefusalCode.NOT_PERIODIC, "noise"))])
    >>> found.group, round(found.probabilities["p4"], 2), round(found.share, 2), found.agreed
    ('p4', 0.6, 0.67, 3)
    """
    answered = [i for i, w in enumerate(windows) if w.group is not None and w.lattice is not None]
    bases = [_of(windows[i]) for i in answered]
    reference, members = _common_lattice(bases)
    likeness = None
    if len(members) > 1:
        likeness, members = _one_pattern([windows[answered[k]] for k in members], reference, members, alike)
    agreed = [answered[k] for k in members]
    aligned = [aligned_to(reference, _of(windows[i])) for i in agreed]
    mean = np.mean([basis for basis in aligned if basis is not None], 0) if agreed else None

    def result(refusal: Refusal | None, p: dict[str, float], share: float, best: int | None) -> Vote:
        return Vote(refusal, p, share, len(windows), len(answered), len(agreed), mean, likeness, best)

    if len(answered) < min(_FEWEST, len(windows)):
        return result(_commonest_refusal(windows), {}, 0.0, None)
    if len(agreed) < _MOST * len(answered):
        detail = f"only {len(agreed)} of {len(answered)} windows share one pattern"
        return result(Refusal(RefusalCode.SEVERAL_LATTICES, detail), {}, 0.0, None)
    table = np.array([[windows[i].probabilities.get(g.name, 0.0) for g in WALLPAPER_GROUPS] for i in agreed])
    log = np.log((1 - _LAPSE) * table + _LAPSE / 17).sum(0) / cover
    named = np.array([sum(windows[i].group == g.name for i in agreed) for g in WALLPAPER_GROUPS])
    pooled = np.where(named > 0, np.exp(log - log.max()), 0.0)
    winner = int(pooled.argmax())
    count = len(agreed) / cover
    most = min(float(table.mean(0)[winner]), (named[winner] / cover + 1) / (count + 2))
    pooled = _capped(pooled / pooled.sum(), winner, most, table.mean(0))
    order = sorted(WALLPAPER_GROUPS, key=lambda g: -pooled[g.label])
    first = order[0].name
    share = named[order[0].label] / len(agreed)
    best = max(agreed, key=lambda i: (windows[i].group == first, windows[i].probabilities.get(first, 0.0)))
    return result(None, {g.name: float(pooled[g.label]) for g in order}, float(share), best)


def _capped(p: Array, winner: int, most: float, like: Array) -> Array:
    """Probabilities of which one is at most so much; what it gives up is spread over the others as over another's."""
    if p[winner] <= most:
        return p
    others = np.where(np.arange(17) == winner, 0.0, like + 1e-3)
    out = p + (p[winner] - most) * others / others.sum()
    out[winner] = most
    return out


def _of(window: Prediction) -> Array:
    assert window.lattice is not None
    return window.lattice


def aligned_to(reference: Array, basis: Array) -> Array | None:
    """The vectors of a lattice that come nearest to a reference's; ``None`` if it is another lattice."""
    steps = np.rint(np.linalg.solve(basis, reference))
    if abs(abs(np.linalg.det(steps)) - 1) > 1e-6:
        return None
    moved = basis @ steps
    off = np.linalg.norm(moved - reference, axis=0).max()
    return moved if off <= _SAME * np.linalg.norm(reference, axis=0).min() else None


def _common_lattice(bases: Sequence[Array]) -> tuple[Array, list[int]]:
    """The lattice that most of several share, and which do; of equally many the one with the smallest cell."""
    best: tuple[Array, list[int]] = (np.eye(2), [])
    for reference in sorted(bases, key=lambda b: abs(np.linalg.det(b))):
        members = [k for k, basis in enumerate(bases) if aligned_to(reference, basis) is not None]
        if len(members) > len(best[1]):
            best = reference, members
    return best


def _one_pattern(
    windows: list[Prediction], reference: Array, members: list[int], least: float
) -> tuple[float | None, list[int]]:
    """Median correlation of the windows' averaged cells with the most typical one, and the members that are like it."""
    cells = [_cell_on(window, reference) for window in windows]
    known = [cell for cell in cells if cell is not None]
    if len(known) < 2:
        return None, members
    waves = np.fft.fft2(np.array(known))
    index = np.abs(np.fft.fftfreq(waves.shape[-1], 1 / waves.shape[-1]))
    waves *= np.maximum(index[:, None], index) <= _COARSE  # finer detail of a few cells is mostly noise
    waves[:, 0, 0] = 0
    waves /= np.sqrt((np.abs(waves) ** 2).sum((1, 2), keepdims=True)).clip(1e-12)
    alike = np.array([np.fft.ifft2(waves * wave.conj()).real.max((1, 2)) for wave in waves]) * waves[0].size
    typical = alike[np.median(alike, 1).argmax()]
    of = dict(zip([k for k, cell in enumerate(cells) if cell is not None], typical, strict=True))
    kept = [member for k, member in enumerate(members) if of.get(k, 1.0) >= least]
    return float(np.median(typical)), kept


def _cell_on(window: Prediction, reference: Array, size: int = 48) -> Array | None:
    """A window's averaged cell on the reference's vectors, where these are its own vectors as well."""
    basis = aligned_to(reference, _of(window))
    if window.average is None or basis is None:
        return None
    u = np.stack(np.meshgrid(*(np.arange(size) / size,) * 2), -1) @ basis.T
    return tile(window.average, _of(window), u[..., 0], u[..., 1]).astype(np.float64)


def _commonest_refusal(windows: Sequence[Prediction]) -> Refusal:
    reasons = Counter(w.refusal.code for w in windows if w.refusal)
    (code, count), *_ = reasons.most_common(1) or [(RefusalCode.CANNOT_TELL, len(windows))]
    return Refusal(code, f"in {count} of {len(windows)} windows")
