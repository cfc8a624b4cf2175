"""The lattice of a periodic image: candidates from the autocorrelation, refined, compared, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equisym.crystal.autocorrelation import autocorrelation, remove_trend, smooth
from equisym.groups.lattice import reduce_basis

SHORTEST = 4.0  # pixels: finer lattices are below what pixels can show
PSEUDO = 0.05  # translations that correlate less than the lattice's own by more than this part are none
_CANDIDATE_VECTORS = 40
_CANDIDATE_LATTICES = 24


@dataclass(frozen=True)
class Lattice:
    """A lattice found in an image.

    Attributes:
        basis: reduced primitive vectors a and b in pixels (x right, y down), columns, shape (2, 2).
        uncertainty: standard errors of the four numbers, shape (2, 2).
        score: mean autocorrelation over all lattice translations: the part of the image that repeats, 1 without noise.
        repeats: image area over cell area.
        periodicity: height of the score above what chance gives, in standard errors.
    """

    basis: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    score: float
    repeats: float
    periodicity: float


def _hermite_forms(index: int) -> list[Tensor]:
    """The sublattices of an index, as integer matrices whose columns are the new basis."""
    return [
        torch.tensor([[d, s], [0, index // d]])
        for d in range(1, index + 1)
        if index % d == 0
        for s in range(d)
    ]


_SUBLATTICES = [m for index in (2, 3, 4, 5) for m in _hermite_forms(index)]


class _Map:
    """An autocorrelation map with the lookups that lattice search needs."""

    def __init__(self, rho: Tensor, overlap: Tensor, min_overlap: float) -> None:
        self.rho, self.overlap = rho, overlap
        self.height, self.width = (rho.shape[0] + 1) // 2, (rho.shape[1] + 1) // 2
        self.min_overlap = min_overlap

    def overlap_at(self, t: Tensor) -> Tensor:
        """Overlap of shifts (..., 2) in pixels, x first, as a fraction of the image."""
        x = (1 - t[..., 0].abs() / self.width).clamp(min=0)
        y = (1 - t[..., 1].abs() / self.height).clamp(min=0)
        return x * y

    def at(self, t: Tensor) -> Tensor:
        """The map at real shifts (..., 2), by Catmull-Rom interpolation."""
        x, y = t[..., 0] + self.width - 1, t[..., 1] + self.height - 1
        i, j = x.floor(), y.floor()
        wx, wy = _cubic(x - i), _cubic(y - j)
        k = torch.arange(-1, 3)
        columns = (i.long()[..., None] + k).clamp(0, self.rho.shape[1] - 1)
        rows = (j.long()[..., None] + k).clamp(0, self.rho.shape[0] - 1)
        patch = self.rho[rows[..., :, None], columns[..., None, :]]
        return (patch * wy[..., :, None] * wx[..., None, :]).sum((-2, -1))

    def peak_near(self, t: Tensor, reach: int = 2) -> tuple[Tensor, Tensor, Tensor]:
        """Sub-pixel peak within ``reach`` pixels of shifts (..., 2): position, height, curvature (..., 2, 2)."""
        k = torch.arange(-reach, reach + 1)
        dy, dx = (d.reshape(-1) for d in torch.meshgrid(k, k, indexing="ij"))
        limit_x, limit_y = self.rho.shape[1] - 2, self.rho.shape[0] - 2
        x = (t[..., 0] + self.width - 1).round().long()
        y = (t[..., 1] + self.height - 1).round().long()
        around = self.rho[(y[..., None] + dy).clamp(1, limit_y), (x[..., None] + dx).clamp(1, limit_x)]
        best = around.argmax(-1)
        x, y = (x + dx[best]).clamp(1, limit_x), (y + dy[best]).clamp(1, limit_y)
        v = {(i, j): self.rho[y + j, x + i] for i in (-1, 0, 1) for j in (-1, 0, 1)}
        gx, gy = (v[1, 0] - v[-1, 0]) / 2, (v[0, 1] - v[0, -1]) / 2
        hxx = (2 * v[0, 0] - v[1, 0] - v[-1, 0]).clamp(min=1e-9)
        hyy = (2 * v[0, 0] - v[0, 1] - v[0, -1]).clamp(min=1e-9)
        hxy = -(v[1, 1] + v[-1, -1] - v[1, -1] - v[-1, 1]) / 4
        hxy = hxy.clamp(-0.95, 0.95) if hxy.numel() == 0 else torch.sign(hxy) * torch.minimum(
            hxy.abs(), 0.95 * (hxx * hyy).sqrt()
        )
        det = hxx * hyy - hxy.square()
        sx = ((hyy * gx - hxy * gy) / det).clamp(-1, 1)
        sy = ((hxx * gy - hxy * gx) / det).clamp(-1, 1)
        height = v[0, 0] + (gx * sx + gy * sy) / 2
        position = torch.stack((x + sx - (self.width - 1), y + sy - (self.height - 1)), -1)
        curvature = torch.stack((hxx, hxy, hxy, hyy), -1).reshape(*hxx.shape, 2, 2)
        return position, height, curvature


def _cubic(t: Tensor) -> Tensor:
    """Catmull-Rom weights of the four neighbours at fraction t, shape (..., 4)."""
    s = 1 - t
    return torch.stack(
        (-0.5 * t * s * s, 1 + t * t * (1.5 * t - 2.5), 1 + s * s * (1.5 * s - 2.5), -0.5 * s * t * t), -1
    )


def _peaks(found: _Map) -> tuple[Tensor, Tensor]:
    """Local maxima of the right half-plane: positions (n, 2) and heights (n,), highest first."""
    rho = found.rho
    highest = functional.max_pool2d(rho[None, None], 5, 1, 2)[0, 0]
    y, x = torch.nonzero((rho == highest) & (found.overlap >= found.min_overlap) & (rho > 0.02), as_tuple=True)
    t = torch.stack((x - (found.width - 1), y - (found.height - 1)), -1).to(rho.dtype)
    half = (t[:, 0] > 0) | ((t[:, 0] == 0) & (t[:, 1] > 0))
    t = t[half & (t.norm(dim=-1) >= SHORTEST)]
    if not len(t):
        return t, t[:, 0]
    position, height, _ = found.peak_near(t, 1)
    order = height.argsort(descending=True)
    return position[order], height[order]


def _translations(found: _Map, basis: Tensor, most: int = 600) -> tuple[Tensor, Tensor]:
    """Integer pairs (n, 2), half of the plane, nearest first, whose shifts keep the least overlap; and their shifts."""
    reach = int(np.ceil(np.hypot(found.width, found.height) / torch.linalg.svdvals(basis)[-1].item()))
    reach = min(reach, 40)
    k = torch.arange(-reach, reach + 1)
    n = torch.stack(torch.meshgrid(k, k, indexing="ij"), -1).reshape(-1, 2)
    n = n[(n[:, 0] > 0) | ((n[:, 0] == 0) & (n[:, 1] > 0))]
    t = n.to(basis.dtype) @ basis.T
    keep = found.overlap_at(t) >= found.min_overlap
    n, t = n[keep], t[keep]
    order = t.norm(dim=-1).argsort()[:most]
    return n[order], t[order]


def _refine(found: _Map, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares of the autocorrelation's peaks, from the nearest outward; the basis and its standard errors."""
    error = torch.full((2, 2), float("nan"), dtype=basis.dtype)
    for reach in (1.6, 2.6, 4.5, 8.0, 16.0, 99.0):
        n, t = _translations(found, basis)
        size = torch.linalg.det(basis).abs().sqrt()
        near = t.norm(dim=-1) <= reach * size * 1.2
        if reach == 1.6 and near.sum() < 3:
            near = torch.arange(len(t)) < 3
        n, t = n[near], t[near]
        if len(t) < 2:
            break
        position, height, curvature = found.peak_near(t, 1 if size < 12 else 2)
        offset = position - t
        good = (offset.norm(dim=-1) < 0.2 * size + 0.5) & (height > 0)
        weight = found.overlap_at(t) * height.clamp(min=0) ** 2 * good
        H = curvature / curvature.diagonal(dim1=-2, dim2=-1).sum(-1).clamp(min=1e-9).median() * weight[:, None, None]
        m = n.to(basis.dtype)
        H = H.double()
        # minimise sum (B m - p)^T H (B m - p) over the four numbers of B
        m, position, basis = m.double(), position.double(), basis.double()
        normal = torch.einsum("ni,nj,nkl->kilj", m, m, H).reshape(4, 4)
        right = torch.einsum("ni,nkl,nl->ki", m, H, position).reshape(4)
        if not torch.linalg.cond(normal) < 1e8:
            break
        solution = torch.linalg.solve(normal, right).reshape(2, 2)
        left = position - m @ solution.T
        spread = (left.unsqueeze(-2) @ H @ left.unsqueeze(-1)).sum() / max(2 * len(m) - 4, 1)
        error = (torch.linalg.inv(normal).diagonal() * spread).clamp(min=0).sqrt().reshape(2, 2)
        moved = (solution - basis).norm(dim=0).max()
        if not moved <= 0.25 * size:
            break
        basis = solution
        if len(t) == len(_translations(found, basis)[0]):
            break
    return basis, error


def _score(found: _Map, basis: Tensor) -> tuple[float, float]:
    """Overlap-weighted mean of the map over all lattice shifts, and the sum of the weights."""
    _, t = _translations(found, basis)
    if not len(t):
        return -1.0, 0.0
    weight = found.overlap_at(t)
    return ((found.at(t) * weight).sum() / weight.sum()).item(), weight.sum().item()


def _compare(found: _Map, finer: Tensor, coarser: Tensor) -> tuple[float, float]:
    """How the shifts that only a finer lattice has compare with those of a coarser one.

    Shifts that fall between pixels correlate less when the texture is fine, so that loss is fitted along with the
    difference.

    Returns:
        The relative deficit (0 if they hold as well, 1 if they do not correlate at all) and its standard error.
    """
    _, t = _translations(found, finer, most=1500)
    k = t @ torch.linalg.inv(coarser).T
    new = (k - k.round()).abs().amax(-1) > 0.1
    if new.all() or not new.any():
        return 0.0, float("inf")
    value, weight = found.at(t), found.overlap_at(t).sqrt()
    between = torch.sin(torch.pi * t).square().sum(-1)
    x, y = t[:, 0] / found.width, t[:, 1] / found.height
    nuisance = torch.stack((between, x * x, x * y, y * y, torch.exp(-y.square() * found.height**2)), -1)
    nuisance = nuisance - nuisance.mean(0)
    design = torch.cat((torch.ones_like(x)[:, None], -new.to(x)[:, None], nuisance), -1) * weight[:, None]
    ridge = torch.tensor([0.0, 0.0, 0.003, 0.1, 0.1, 0.1, 0.1]).to(x)  # in units of shifts: matters when they are few
    inverse = torch.linalg.inv(design.T @ design + torch.diag(ridge))
    fitted = inverse @ (design.T @ (value * weight))
    level, deficit = max(fitted[0].item(), 1e-3), fitted[1]
    left = value * weight - design @ fitted
    prior, free = 3.0, max(len(t) - 7, 0)  # shifts' worth of a spread of 3 % of the level, for when there are few
    spread = (left.square().sum().item() + prior * (0.03 * level) ** 2) / (free + prior)
    return deficit.item() / level, (spread * inverse[1, 1].item()) ** 0.5 / level


def candidate_lattices(found: _Map) -> list[tuple[Tensor, float]]:
    """Refined bases with their scores, best first."""
    position, height = _peaks(found)
    if len(position) < 2:
        return []
    tall = height >= 0.6 * height[: max(3, len(height) // 50)].median()
    position, height = position[tall], height[tall]
    order = position.norm(dim=-1).argsort()
    chosen = torch.unique(torch.cat((order[:_CANDIDATE_VECTORS], torch.arange(min(12, len(order))))))
    vectors = position[chosen]
    i, j = torch.triu_indices(len(vectors), len(vectors), 1)
    bases = torch.stack((vectors[i], vectors[j]), -1)
    bases = torch.cat((bases,))
    area = torch.linalg.det(bases).abs()
    length = bases.norm(dim=-2)
    bases = bases[(area > 0.3 * length.prod(-1)) & (area > SHORTEST**2)]
    if not len(bases):
        return []
    # first look: all translations up to two steps, at the nearest pixels' greatest value
    k = torch.arange(-2, 3)
    n = torch.stack(torch.meshgrid(k, k, indexing="ij"), -1).reshape(-1, 2)
    n = n[(n[:, 0] > 0) | ((n[:, 0] == 0) & (n[:, 1] > 0))].to(bases.dtype)
    t = n @ bases.mT
    blurred = _Map(functional.max_pool2d(found.rho[None, None], 3, 1, 1)[0, 0], found.overlap, found.min_overlap)
    weight = found.overlap_at(t) * (found.overlap_at(t) >= found.min_overlap)
    first = (blurred.at(t) * weight).sum(-1) / weight.sum(-1).clamp(min=1e-9)
    area = torch.linalg.det(bases).abs()
    rank = (first - 0.02 * torch.log(area / area.min())).argsort(descending=True)
    kept: list[Tensor] = []
    for basis in bases[rank]:
        reduced = torch.from_numpy(reduce_basis(basis.double().numpy())).to(basis.dtype)
        if not any(_same(reduced, other, 0.08) for other in kept):
            kept.append(reduced)
        if len(kept) == _CANDIDATE_LATTICES:
            break
    refined = []
    for basis in kept:
        better, _ = _refine(found, basis.double())
        refined.append((better, _score(found, better)[0]))
    return sorted(refined, key=lambda pair: -pair[1])


def _same(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Whether two bases span the same lattice."""
    k = torch.linalg.solve(a, b)
    whole = k.round()
    return bool((k - whole).abs().max() < tolerance and abs(abs(torch.linalg.det(whole).item()) - 1) < 1e-6)


def estimate_lattice(image: Tensor, *, min_overlap: float = 0.12, sigma: float = 0.7) -> Lattice | None:
    """Find the lattice of translations of an image.

    Args:
        image: grey image, shape (H, W).
        min_overlap: shifts are used while at least this fraction of the image overlaps itself.
        sigma: low-pass before the search, in pixels.

    Returns:
        The lattice, or ``None`` if no two independent translations stand out.
    """
    flat = remove_trend(image.to(torch.get_default_dtype() if not image.is_floating_point() else image.dtype), 1)
    rho, overlap = autocorrelation(smooth(flat[None], sigma), min_overlap / 2)
    found = _Map(rho[0].double(), overlap, min_overlap)
    refined = candidate_lattices(found)
    if not refined:
        return None
    basis = _choose(found, refined)
    basis, error = _refine(found, torch.from_numpy(reduce_basis(basis.double().numpy())).to(basis.dtype))
    score, _ = _score(found, basis)
    area = torch.linalg.det(basis).abs().item()
    repeats = image.shape[-1] * image.shape[-2] / area
    return Lattice(basis.double().numpy(), error.double().numpy(), score, repeats, 0.0)


def _choose(found: _Map, refined: list[tuple[Tensor, float]]) -> Tensor:
    """The smallest cell whose translations all hold as well as those of the best one."""
    best = max(score for _, score in refined)
    good = [(basis, score) for basis, score in refined if score >= 0.9 * best]
    basis, score = min(good, key=lambda pair: torch.linalg.det(pair[0]).abs().item())
    slack = PSEUDO + 0.15 * (1 - min(max(best, 0.0), 1.0))  # what defects and noise may take from single shifts
    for _ in range(4):
        for matrix in _SUBLATTICES:  # drop translations that hold clearly less well than the rest
            coarser = _reduced(basis @ matrix.to(basis))
            deficit, error = _compare(found, basis, coarser)
            if deficit > max(slack, 3.5 * error):
                basis = coarser
                break
        else:
            break
    for _ in range(4):
        for matrix in _SUBLATTICES:  # add translations that hold as well as the rest
            finer = _reduced(basis @ torch.linalg.inv(matrix.T.to(basis)))
            if torch.linalg.det(finer) < SHORTEST**2 or finer.norm(dim=0).min() < SHORTEST:
                continue
            deficit, error = _compare(found, finer, basis)
            if deficit < max(slack, min(3.5 * error, 0.35)):
                basis = finer
                break
        else:
            break
    return basis


def _reduced(basis: Tensor) -> Tensor:
    return torch.from_numpy(reduce_basis(basis.detach().double().numpy())).to(basis)
