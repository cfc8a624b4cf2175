"""Analysis of learned symmetry: subspaces of weights compared by angles, maps between filters tested as a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equisym.groups.orbit import orbits
from equisym.nn.orbit_linear import Pair


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Angles between two subspaces, in degrees, smallest first.

    Args:
        first: spanning vectors as rows, shape (p, dimension).
        second: spanning vectors as rows, shape (q, dimension).

    Returns:
        min(p, q) angles; all zero if one subspace contains the other.

    >>> principal_angles(torch.eye(3)[:2], torch.eye(3)[1:]).round()
    tensor([ 0., 90.])
    """
    bases = [torch.linalg.qr(rows.double().T).Q for rows in (first, second)]
    cosines = torch.linalg.svdvals(bases[0].T @ bases[1])
    return torch.rad2deg(torch.arccos(cosines.clamp(-1, 1))).float()


def leading_space(symmetry: Tensor, dimension: int) -> Tensor:
    """The weights that an inner step moves most: the leading left singular vectors of U.

    Args:
        symmetry: U, shape (weights, free weights).
        dimension: how many.

    Returns:
        Orthonormal rows, shape (dimension, weights).
    """
    left, _, _ = torch.linalg.svd(symmetry.detach().double(), full_matrices=False)
    return left[:, :dimension].T


def effective_dimension(symmetry: Tensor) -> float:
    """How many directions an inner step moves: (sum s^2)^2 / sum s^4 over the singular values s of U."""
    powers = torch.linalg.svdvals(symmetry.detach().double()).square()
    return (powers.sum().square() / powers.square().sum()).item()


@dataclass(frozen=True)
class Candidate:
    """How well the weights that commute with one group explain a learned space.

    Attributes:
        name: of the group.
        dimension: free weights of a layer that commutes with it.
        largest_angle: largest principal angle with the learned space, in degrees.
        residual: share of the learned space's power outside the group's weights, 0 to 1.
    """

    name: str
    dimension: int
    largest_angle: float
    residual: float


def nearest_groups(
    space: Tensor, shape: tuple[int, int], candidates: Mapping[str, list[Pair]], *, tolerance: float = 0.05
) -> list[Candidate]:
    """Rank groups of permutations by how well their sharing pattern explains a learned space of weight matrices.

    A smaller group shares less and so explains more; among the groups that leave a residual below the tolerance, the
    one with fewest free weights is the most specific and comes first. The others follow by residual.

    Args:
        space: weight matrices, flattened, as rows.
        shape: (out_features, in_features) of the matrices.
        candidates: generators of each group, as for :class:`equisym.nn.OrbitLinear`.
        tolerance: residual up to which a group counts as an explanation.

    Returns:
        Every candidate, best first.
    """
    basis = torch.linalg.qr(space.double().T).Q.T
    found = []
    for name, generators in candidates.items():
        moves = [(np.asarray(g_out)[:, None] * shape[1] + np.asarray(g_in)[None]).ravel() for g_in, g_out in generators]
        index = torch.from_numpy(orbits(moves, shape[0] * shape[1]))
        sums = torch.zeros(len(basis), int(index.max()) + 1, dtype=torch.float64).index_add_(1, index, basis)
        sizes = torch.bincount(index).double()
        cosines = torch.linalg.svdvals(sums / sizes.sqrt())
        residual = 1 - cosines.square().sum().item() / len(basis)
        angle = torch.rad2deg(torch.arccos(cosines[-1].clamp(-1, 1))).item() if len(sizes) >= len(basis) else 90.0
        found.append(Candidate(name, len(sizes), angle, max(residual, 0.0)))
    return sorted(found, key=lambda c: (c.residual > tolerance, c.dimension if c.residual <= tolerance else c.residual))


@dataclass(frozen=True)
class GroupAxioms:
    """How far a set of matrices is from a group, as mean relative errors.

    Attributes:
        maps: the matrices T_0, T_1, ..., shape (n, d, d).
        fit: error of the maps on the weights that they were read from.
        identity: distance of the nearest map to the identity.
        inverse: mean distance of T_a T_b to the identity for the best b.
        closure: mean distance of T_a T_b to the nearest T_c.
        cyclic: mean distance of T_a T_b to T_{a+b mod n}: zero for the cyclic group C_n in order.
    """

    maps: Tensor
    fit: float
    identity: float
    inverse: float
    closure: float
    cyclic: float

    def __str__(self) -> str:
        names = ("fit", "identity", "inverse", "closure", "cyclic")
        return f"{len(self.maps)} maps: " + ", ".join(f"{name} {getattr(self, name):.3f}" for name in names)


def group_axioms(filters: Tensor) -> GroupAxioms:
    """Find the linear maps between the filters of one field, and test them as a group.

    Args:
        filters: samples of n filters of d weights that belong together, such as the n orientations of adapted tasks,
            shape (samples, n, d).

    Returns:
        T_a with ``filters[:, a] = filters[:, 0] @ T_a.T`` in the least-squares sense, inside the space that the first
        filters span, and the residuals of the group axioms.
    """
    filters = filters.detach().double()
    _, n, d = filters.shape
    values, vectors = torch.linalg.eigh(filters[:, 0].T @ filters[:, 0])
    frame = vectors[:, values > 1e-3 * values[-1]]  # axioms can only hold on the space that occurs
    inside = filters @ frame
    rank = frame.shape[1]
    solved = torch.linalg.lstsq(inside[:, 0], inside.transpose(1, 2).reshape(len(filters), -1)).solution
    maps = solved.view(rank, rank, n).permute(2, 1, 0)
    fit = (torch.einsum("acd,sd->sac", maps, inside[:, 0]) - inside).norm() / inside.norm()
    products = torch.einsum("aij,bjk->abik", maps, maps)
    distances = (products[:, :, None] - maps[None, None]).flatten(3).norm(dim=3) / rank**0.5
    eye = torch.eye(rank, dtype=maps.dtype)
    to_eye = (products - eye).flatten(2).norm(dim=2) / rank**0.5
    a, b = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    return GroupAxioms(
        maps=maps if rank == d else frame @ maps @ frame.T,
        fit=fit.item(),
        identity=((maps - eye).flatten(1).norm(dim=1) / rank**0.5).min().item(),
        inverse=to_eye.amin(1).mean().item(),
        closure=distances.amin(2).mean().item(),
        cyclic=distances[a, b, (a + b) % n].mean().item(),
    )
