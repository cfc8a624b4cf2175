"""The lattice of a periodic image: candidates from the autocorrelation, refined, compared, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.autocorrelate import autocorrelation, detrend, smooth, whiten
from equisym.crystal.shifts import Array, ShiftMap, deficits_of_finer
from equisym.crystal.tuned_constants import LatticeOptions
from equisym.groups.lattice import reduce_basis

_NEAR = 0.1  # of a vector, by which a lattice may differ from the one expected
_AT_ONCE = 2**16  # pixels of the parts of an image that are autocorrelated at once: they stay in the cache
SHORTEST = 4.0  # pixels: finer lattices are below what pixels can show

OPTIONS = LatticeOptions()


@dataclass(frozen=True)
class Lattice:
    """A lattice found in an image.

    Attributes:
        basis: reduced primitive vectors a and b in pixels (x right, y down), columns, shape (2, 2).
        uncertainty: standard errors of the four numbers, shape (2, 2).
        score: mean autocorrelation over all lattice translations: the part of the image that repeats, 1 without noise.
        repeats: area of the image, or of the mask, over cell area.
        steadiness: how much alike its translations hold, mean over spread of their correlations; those of a pattern do,
            also under noise, those of a lattice laid into chance peaks do not. 0 if they show nothing or are too few.
    """

    basis: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    score: float
    repeats: float
    steadiness: float = 0.0


def estimate_lattice(
    image: Tensor, *, mask: Tensor | None = None, parts: int = 1, options: LatticeOptions = OPTIONS
) -> Lattice | None:
    """Find the lattice of translations of an image, in one look.

    Peaks of the autocorrelation give candidate lattices; each is refined by least squares of all its peaks. The
    smallest cell is chosen whose translations all hold as well as those of its sublattices.
    :func:`equisym.crystal.find_lattice` looks several times where one look leaves doubt.

    Args:
        image: grey image, shape (H, W).
        mask: which pixels to look at, (H, W); all if not given.
        parts: autocorrelate overlapping parts of 1/parts of each side and average their maps, for images whose lattice
            holds over short distances only. Not with a mask.
        options: constants of the search.

    Returns:
        The lattice, or ``None`` if no two independent translations stand out.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    >>> wave = torch.cos(2 * torch.pi * x / 8) + 0.7 * torch.cos(2 * torch.pi * y / 10.5)
    >>> sorted(float(length.round(1)) for length in np.linalg.norm(estimate_lattice(wave).basis, axis=0))
    [8.0, 10.5]
    """
    if is_flat(image, mask):
        return None
    area = image.shape[-2] * image.shape[-1] if mask is None else int(mask.sum())
    return lattice_of(shift_map(image, mask, parts=parts, options=options), area, options)


def is_flat(image: Tensor, mask: Tensor | None = None) -> bool:
    """Whether an image is a constant or a plane."""
    rest = detrend(image.detach(), 1, mask).std()
    return bool(rest <= 1e-5 * image.std() or rest <= 1e-6 * image.abs().max())


def lattice_of(found: ShiftMap, area: int, options: LatticeOptions = OPTIONS) -> Lattice | None:
    """The lattice of the image of that area whose autocorrelation was found."""
    candidates = candidate_lattices(found, options)
    if not candidates or candidates[0][1] <= 0:
        return None
    return _refined(found, area, choose_lattice(found, candidates, options), options)


def lattice_near(found: ShiftMap, area: int, basis: Array, options: LatticeOptions = OPTIONS) -> Lattice | None:
    """A lattice that is expected, refined; ``None`` if the image has none within a tenth of it."""
    lattice = _refined(found, area, basis, options)
    near = np.abs(np.linalg.solve(reduce_basis(basis), lattice.basis) - np.eye(2)).max() <= _NEAR
    return lattice if near and lattice.score > 0 else None


def _refined(found: ShiftMap, area: int, basis: Array, options: LatticeOptions) -> Lattice:
    (basis,), (error,) = refine_lattices(found, [reduce_basis(basis)])
    error = np.hypot(error, options.pixels)
    score = float(found.means([basis])[0][0])
    return Lattice(basis, error, score, float(area / abs(np.linalg.det(basis))), steadiness(found, basis, options))


def steadiness(found: ShiftMap, basis: Array, options: LatticeOptions = OPTIONS) -> float:
    """How much alike the translations of a lattice hold: mean over spread; 0 if they show nothing or are too few."""
    _, t = found.translations(basis)
    if len(t) < options.fewest:
        return 0.0
    value, weight = found.at(t), found.overlap(t)
    mean = np.average(value, weights=weight)
    spread = np.sqrt(np.average((value - mean) ** 2, weights=weight) * len(t) / (len(t) - 1))
    if mean <= options.floor or np.quantile(value, 0.1) <= options.worst * mean:
        return 0.0
    return float(mean / max(spread, 1e-6))


def shift_map(
    image: Tensor, mask: Tensor | None = None, *, parts: int = 1, options: LatticeOptions = OPTIONS
) -> ShiftMap:
    """The autocorrelation in which a lattice is looked for: of the whitened, blurred image, (H, W) or (C, H, W)."""
    channels = image.detach() if image.dim() == 3 else image.detach()[None]
    white = smooth(whiten(detrend(channels, 1, mask)), options.blur)
    if parts > 1:
        white = torch.cat([white[:, y, x] for y, x in overlapping_parts(image.shape[-2:], parts)])
    power = white.var((-2, -1))
    share = power / power.sum().clamp(min=1e-30)
    few = max(1, _AT_ONCE // white[0].numel())
    total, known = white.new_zeros(()), None
    for some, weight in zip(white.split(few), share.split(few), strict=True):
        rho, overlap = autocorrelation(some, options.min_overlap / 2, mask)
        total = total + torch.einsum("b,byx->yx", weight, rho)
        known = None if mask is None else overlap.cpu().numpy()
    return ShiftMap(total.cpu().numpy(), options.min_overlap, known)


def overlapping_parts(shape: Sequence[int], parts: int) -> list[tuple[slice, slice]]:
    """Parts of 1/parts of each side that overlap by half.

    >>> len(overlapping_parts((64, 96), 2))
    9
    """
    sides = [n // parts for n in shape]
    starts = [np.linspace(0, n - side, 2 * parts - 1).astype(int) for n, side in zip(shape, sides, strict=True)]
    return [(slice(y, y + sides[0]), slice(x, x + sides[1])) for y in starts[0] for x in starts[1]]


def candidate_lattices(found: ShiftMap, options: LatticeOptions = OPTIONS) -> list[tuple[Array, float, float]]:
    """Refined bases with the mean correlation of their translations and its standard error, best first."""
    position, height = _peaks(found)
    if len(position) < 2:
        return []
    # the nearest among the highest, where a lattice's own vectors stand out from the texture's likenesses
    top = np.median(height[: max(3, len(height) // 50)])
    nearest = np.argsort((position**2).sum(-1), kind="stable")
    chosen = [nearest[height[nearest] >= part * top][:most] for part, most in options.vectors]
    vectors = position[np.unique(np.concatenate((*chosen, np.arange(min(10, len(position))))))]
    i, j = np.triu_indices(len(vectors), 1)
    bases = np.stack((vectors[i], vectors[j]), -1)
    area, length = np.abs(np.linalg.det(bases)), np.linalg.norm(bases, axis=1)
    bases = bases[(area > 0.3 * length.prod(-1)) & (area > SHORTEST**2)]
    if not len(bases):
        return []
    # first look: all translations up to two steps, at the nearest pixels' greatest value
    n = np.array([(a, b) for a in range(3) for b in range(-2, 3) if a > 0 or b > 0], dtype=float)
    t = n @ bases.transpose(0, 2, 1)
    weight = found.overlap(t)
    weight = weight * (weight >= found.min_overlap)
    first = (found.highest_near(t) * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-9)
    order = np.argsort(0.05 * first.max() * np.log(np.abs(np.linalg.det(bases))) - first, kind="stable")
    bases, other = bases[order], np.ones(len(bases), bool)
    kept: list[Array] = []
    while len(kept) < options.lattices and other.any():
        kept.append(reduce_basis(bases[other.argmax()]))
        other[other.argmax()] = False
        other &= ~_same(np.linalg.inv(kept[-1]), bases, 0.08)
    refined = list(refine_lattices(found, kept)[0])
    mean, error = found.means(refined)
    return [(refined[k], float(mean[k]), float(error[k])) for k in np.argsort(-mean, kind="stable")]


def refine_lattices(found: ShiftMap, bases: Sequence[Array]) -> tuple[Array, Array]:
    """Least squares of the autocorrelation's peaks, from the nearest outward, for several lattices at once.

    Returns:
        The bases and the standard errors of their numbers, (lattices, 2, 2) each.
    """
    basis = np.array(bases, dtype=float)
    error = np.full(basis.shape, np.nan)
    n_all, _, of_all = found.of_lattices(bases)
    whole = np.bincount(of_all, minlength=len(basis))
    going = whole > 1
    for reach in (2.0, 3.2, 5.5, 11.0, 99.0):
        if not going.any():
            break
        size = np.sqrt(np.abs(np.linalg.det(basis)))
        t = np.einsum("nij,nj->ni", basis[of_all], n_all)
        distance = np.linalg.norm(t, axis=-1)
        starts = np.searchsorted(of_all, np.arange(len(basis) + 1))
        third = [np.sort(distance[i:j])[:3].max(initial=0.0) for i, j in pairwise(starts)]
        near = going[of_all] & (distance <= np.maximum(reach * size, third)[of_all])
        n, t, of = n_all[near], t[near], of_all[near]
        fine = size[of] < 12
        position, height, curvature = np.empty_like(t), np.empty(len(t)), np.empty((len(t), 2, 2))
        for part, pixels in ((fine, 1), (~fine, 2)):
            if part.any():
                position[part], height[part], curvature[part] = found.peaks_near(t[part], pixels)
        good = (np.linalg.norm(position - t, axis=-1) < 0.2 * size[of] + 0.5) & (height > 0)
        H = curvature * (found.overlap(t) * np.maximum(height, 0) ** 2 * good)[:, None, None]
        # minimise sum (B n - p)^T H (B n - p) over the four numbers of each B
        which = np.flatnonzero(going)
        first = np.searchsorted(of, which)
        left = np.einsum("ni,nj,nkl->nkilj", n, n, H).reshape(-1, 16)
        normal = np.add.reduceat(left, first).reshape(-1, 4, 4)
        right = np.add.reduceat(np.einsum("ni,nkl,nl->nki", n, H, position).reshape(-1, 4), first)
        sound = np.linalg.cond(normal) < 1e8
        inverse = np.linalg.inv(np.where(sound[:, None, None], normal, np.eye(4)))
        solution = basis.copy()
        solution[which] = (inverse @ right[..., None]).reshape(-1, 2, 2)
        moved = np.linalg.norm(solution - basis, axis=1).max(-1)[which]
        sound &= moved <= 0.25 * size[which]
        sound &= np.abs(np.linalg.det(solution[which])) > 0.5 * size[which] ** 2  # no collapse of a long thin cell
        rest = position - np.einsum("nij,nj->ni", solution[of], n)
        count = np.bincount(of, minlength=len(basis))[which]
        spread = np.add.reduceat(np.einsum("nk,nkl,nl->n", rest, H, rest), first) / np.maximum(2 * count - 4, 1)
        variance = np.diagonal(inverse, axis1=1, axis2=2) * spread[:, None]
        kept = which[sound]
        error[kept] = np.sqrt(np.maximum(variance[sound], 0)).reshape(-1, 2, 2)
        basis[kept] = solution[kept]
        going[:] = False
        going[kept] = count[sound] < whole[kept]
    return basis, error


def choose_lattice(
    found: ShiftMap, candidates: list[tuple[Array, float, float]], options: LatticeOptions = OPTIONS
) -> Array:
    """The smallest cell whose translations all hold as well as those of its sublattices."""
    # few translations may hold better than the rest by chance: at least that much, each is held to have
    best = max(score - error for _, score, error in candidates)
    good = [basis for basis, score, _ in candidates if score >= options.near_best * best]
    basis = min(good, key=lambda b: abs(np.linalg.det(b)))
    slack = options.pseudo + options.allowance * (
        1 - min(max(best, 0.0), 1.0)
    )  # what defects and noise may take from single shifts
    for _ in range(4):
        (own,) = found.values([basis])
        every = [reduce_basis(basis @ matrix) for matrix in _SUBLATTICES]
        deficit, error = own.deficits(every)
        worse = np.flatnonzero(deficit > np.maximum(slack, options.errors * error))
        if not len(worse):
            break
        basis = every[worse[0]]  # drop translations that hold clearly less well than the rest
    for _ in range(4):
        every = [reduce_basis(basis @ matrix) for matrix in _SUPERLATTICES]
        every = [b for b in every if np.linalg.det(b) >= SHORTEST**2 and np.linalg.norm(b, axis=0).min() >= SHORTEST]
        if not every:
            break
        # add translations that hold as well
        for finer, (deficit, error) in zip(every, deficits_of_finer(found.values(every), basis), strict=True):
            if deficit < max(slack, min(options.errors * error, options.doubt * slack)):
                basis = finer
                break
        else:
            break
    return basis


def _peaks(found: ShiftMap) -> tuple[Array, Array]:
    """Local maxima of the right half-plane: positions (n, 2) and heights (n,), highest first."""
    rho = found.rho[:, found.width - 1 :]
    y, x = _local_maxima(rho, 0.02)
    t = np.stack((x, y - (found.height - 1)), -1).astype(float)
    half = (t[:, 0] > 0) | (t[:, 1] > 0)
    t = t[half & (np.linalg.norm(t, axis=-1) >= SHORTEST) & (found.overlap(t) >= found.min_overlap)]
    if not len(t):
        return t, t[:, 0]
    position, height, _ = found.peaks_near(t, 1)
    order = np.argsort(-height, kind="stable")
    return position[order], height[order]


def _local_maxima(rho: NDArray[np.floating], least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where values above a least one are the greatest of the 5 x 5 around them: rows and columns."""
    high = rho > least
    high[1:] &= rho[1:] >= rho[:-1]
    high[:-1] &= rho[:-1] >= rho[1:]
    high[:, 1:] &= rho[:, 1:] >= rho[:, :-1]
    high[:, :-1] &= rho[:, :-1] >= rho[:, 1:]
    y, x = np.divmod(np.flatnonzero(high), rho.shape[1])  # a few per cent: only these meet all of their neighbours
    k = np.arange(-2, 3)
    rows, columns = np.clip(y[:, None] + k, 0, rho.shape[0] - 1), np.clip(x[:, None] + k, 0, rho.shape[1] - 1)
    greatest = rho[rows[:, :, None], columns[:, None, :]].max((1, 2))
    kept = rho[y, x] == greatest
    return y[kept], x[kept]


def _same(inverse: NDArray[np.floating], bases: Array, tolerance: float) -> NDArray[np.bool_]:
    """Which of several bases (n, 2, 2) are of the lattice whose basis has this inverse."""
    k = inverse @ bases
    whole = np.rint(k)
    det = whole[:, 0, 0] * whole[:, 1, 1] - whole[:, 0, 1] * whole[:, 1, 0]
    return (np.abs(k - whole).max((-2, -1)) < tolerance) & (np.abs(det) == 1)


def _hermite_forms(index: int) -> list[Array]:
    """The sublattices of an index: integer matrices whose columns are the new basis in the old."""
    divisors = [d for d in range(1, index + 1) if index % d == 0]
    return [np.array([[d, s], [0.0, index // d]]) for d in divisors for s in range(d)]


_SUBLATTICES = [m for index in (2, 3, 4, 5) for m in _hermite_forms(index)]
_SUPERLATTICES = [np.linalg.inv(m.T) for index in (2, 3, 5, 7) for m in _hermite_forms(index)]
