"""The lattice of a periodic image: candidates from the autocorrelation, refined, compared, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor

from equisym.crystal.autocorrelate import autocorrelation, detrend, whiten
from equisym.crystal.shifts import Array, ShiftMap
from equisym.groups.lattice import reduce_basis

SHORTEST = 4.0  # pixels: finer lattices are below what pixels can show
PSEUDO = 0.05  # a translation may correlate less than the lattice's own by at most this fraction
_CANDIDATE_VECTORS = (
    (0.85, 16),
    (0.6, 24),
)  # (fraction of the highest, most): peaks to combine
_CANDIDATE_LATTICES = 12


@dataclass(frozen=True)
class Lattice:
    """A lattice found in an image.

    Attributes:
        basis: reduced primitive vectors a and b in pixels (x right, y down), columns, shape (2, 2).
        uncertainty: standard errors of the four numbers, shape (2, 2).
        score: mean autocorrelation over all lattice translations: the fraction of the image that repeats.
        repeats: area of the image, or of the mask, over cell area.
    """

    basis: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    score: float
    repeats: float


def estimate_lattice(image: Tensor, *, min_overlap: float = 0.12, mask: Tensor | None = None) -> Lattice | None:
    """Find the lattice of translations of an image.

    Peaks of the autocorrelation give candidate lattices; each is refined by least squares of all its peaks. The
    smallest cell is chosen whose translations all hold as well as those of its sublattices.

    Args:
        image: grey image, shape (H, W).
        min_overlap: shifts are used while at least this fraction of the image overlaps itself.
        mask: which pixels to look at, (H, W); all if not given.

    Returns:
        The lattice, or ``None`` if no two independent translations stand out.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    >>> wave = torch.cos(2 * torch.pi * x / 8) + 0.7 * torch.cos(2 * torch.pi * y / 10.5)
    >>> sorted(float(length.round(1)) for length in np.linalg.norm(estimate_lattice(wave).basis, axis=0))
    [8.0, 10.5]
    """
    flat = detrend(image.detach(), 1, mask)
    if flat.std() <= 1e-5 * image.std() or flat.std() <= 1e-6 * image.abs().max():
        return None  # a constant or a plane
    found = _autocorrelated(flat, min_overlap, mask)
    candidates = candidate_lattices(found)
    if not candidates or candidates[0][1] <= 0:
        return None
    basis = choose_lattice(found, candidates)
    (basis,), (error,) = refine_lattices(found, [reduce_basis(basis)])
    score = float(found.means([basis])[0][0])
    area = image.numel() if mask is None else int(mask.sum())
    repeats = area / abs(np.linalg.det(basis))
    return Lattice(basis, error, score, float(repeats))


def shift_map(image: Tensor, mask: Tensor | None = None, *, min_overlap: float = 0.12) -> ShiftMap:
    """The autocorrelation that :func:`estimate_lattice` searches: that of the detrended, whitened image (H, W)."""
    return _autocorrelated(detrend(image.detach(), 1, mask), min_overlap, mask)


def _autocorrelated(flat: Tensor, min_overlap: float, mask: Tensor | None) -> ShiftMap:
    rho, overlap = autocorrelation(whiten(flat[None]), min_overlap / 2, mask)
    known = None if mask is None else overlap.double().cpu().numpy()
    return ShiftMap(rho[0].double().cpu().numpy(), min_overlap, known)


def candidate_lattices(found: ShiftMap) -> list[tuple[Array, float, float]]:
    """Refined bases with the mean correlation of their translations and its standard error, best first."""
    position, height = _peaks(found)
    if len(position) < 2:
        return []
    # the nearest among the highest: there the lattice vectors stand out from similarities within the motif
    top = np.median(height[: max(3, len(height) // 50)])
    nearest = np.argsort((position**2).sum(-1), kind="stable")
    chosen = [nearest[height[nearest] >= part * top][:most] for part, most in _CANDIDATE_VECTORS]
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
    kept: list[Array] = []
    inverses: list[NDArray[np.floating]] = []
    for k in np.argsort(0.05 * first.max() * np.log(np.abs(np.linalg.det(bases))) - first, kind="stable"):
        if not kept or not _same(np.array(inverses), bases[k], 0.08).any():
            kept.append(reduce_basis(bases[k]))
            inverses.append(np.linalg.inv(kept[-1]))
        if len(kept) == _CANDIDATE_LATTICES:
            break
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


def choose_lattice(found: ShiftMap, candidates: list[tuple[Array, float, float]]) -> Array:
    """The smallest cell whose translations all hold as well as those of its sublattices."""
    # few translations may hold well by chance, so count two standard errors less
    best = max(score - 2 * error for _, score, error in candidates)
    good = [basis for basis, score, _ in candidates if score >= 0.9 * best]
    basis = min(good, key=lambda b: abs(np.linalg.det(b)))
    slack = PSEUDO + 0.15 * (1 - min(max(best, 0.0), 1.0))  # what defects and noise may cost single shifts
    for _ in range(4):
        (own,) = found.values([basis])
        for matrix in _SUBLATTICES:  # drop translations that hold clearly less well than the rest
            coarser = reduce_basis(basis @ matrix)
            deficit, error = own.deficit(coarser)
            if deficit > max(slack, 3.5 * error):
                basis = coarser
                break
        else:
            break
    for _ in range(4):
        every = [reduce_basis(basis @ matrix) for matrix in _SUPERLATTICES]
        every = [b for b in every if np.linalg.det(b) >= SHORTEST**2 and np.linalg.norm(b, axis=0).min() >= SHORTEST]
        if not every:
            break
        for finer, values in zip(every, found.values(every), strict=True):  # add translations that hold as well
            deficit, error = values.deficit(basis)
            if deficit < max(slack, min(3.5 * error, 0.35)):
                basis = finer
                break
        else:
            break
    return basis


def _peaks(found: ShiftMap) -> tuple[Array, Array]:
    """Local maxima of the right half-plane: positions (n, 2) and heights (n,), highest first."""
    rho = found.rho[:, found.width - 1 :]
    y, x = np.nonzero((rho == maximum_filter(rho, 5, mode="nearest")) & (rho > 0.02))
    t = np.stack((x, y - (found.height - 1)), -1).astype(float)
    half = (t[:, 0] > 0) | (t[:, 1] > 0)
    t = t[half & (np.linalg.norm(t, axis=-1) >= SHORTEST) & (found.overlap(t) >= found.min_overlap)]
    if not len(t):
        return t, t[:, 0]
    position, height, _ = found.peaks_near(t, 1)
    order = np.argsort(-height, kind="stable")
    return position[order], height[order]


def _same(inverses: NDArray[np.floating], basis: Array, tolerance: float) -> NDArray[np.bool_]:
    """Which of several lattices, given by the inverses (n, 2, 2) of their bases, equal the lattice of another basis."""
    k = inverses @ basis
    whole = np.rint(k)
    det = whole[:, 0, 0] * whole[:, 1, 1] - whole[:, 0, 1] * whole[:, 1, 0]
    return (np.abs(k - whole).max((-2, -1)) < tolerance) & (np.abs(det) == 1)


def _hermite_forms(index: int) -> list[Array]:
    """The sublattices of an index: integer matrices whose columns are the new basis in the old."""
    divisors = [d for d in range(1, index + 1) if index % d == 0]
    return [np.array([[d, s], [0.0, index // d]]) for d in divisors for s in range(d)]


_SUBLATTICES = [m for index in (2, 3, 4, 5) for m in _hermite_forms(index)]
_SUPERLATTICES = [np.linalg.inv(m.T) for index in (2, 3, 5, 7) for m in _hermite_forms(index)]
