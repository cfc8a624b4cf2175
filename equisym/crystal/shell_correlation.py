"""Correlations of operation classes under spectral filters, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equisym.crystal.correlation import shell_edges
from equisym.crystal.symmetry_features import SymmetryFeatures

TINY = 1e-9


@dataclass(frozen=True)
class Correlations:
    """Correlation of each operation class under spectral filters.

    Attributes:
        value: correlation of the signal, corrected for noise; 1 if the operations hold, (B, 39, K).
        error: its standard error if they hold, from the noise, (B, 39, K).
        chance: its spread if they do not and the cell has no other order, (B, 1, K).
    """

    value: Tensor
    error: Tensor
    chance: Tensor


def shell_frequency(like: Tensor) -> Tensor:
    """Middle of each shell in cycles per pixel, (SHELLS,)."""
    edges = shell_edges(like)
    return (edges[1:] * edges[:-1]).sqrt()


def level(e: SymmetryFeatures) -> Tensor:
    """Signal power of one coefficient of each shell, relative to the strongest shell, at least 1e-6; (B, SHELLS)."""
    mean = e.signal.clamp(min=0) / e.count.clamp(min=1)
    return (mean / mean.amax(-1, keepdim=True).clamp(min=TINY)).clamp(min=1e-6).clamp(max=1.0)


def whitening_filters(e: SymmetryFeatures, strengths: tuple[float, ...] = (0.0, 0.35, 0.7)) -> Tensor:
    """Weights of the shells that whiten the reliable signal's spectrum to several strengths, (B, K, SHELLS)."""
    strength = torch.tensor(strengths).to(e.signal)
    weight = e.reliability.square()[:, None] * level(e)[:, None] ** -strength[:, None]
    return weight * (e.signal > 0)[:, None]


def correlate(e: SymmetryFeatures, weight: Tensor) -> Correlations:
    """Correlations of all operation classes under filters given by shell weights (B, K, SHELLS)."""
    power = (weight * e.signal.clamp(min=0)[:, None]).sum(-1).clamp(min=TINY)  # (B, K)
    value = torch.einsum("bsr,bkr->bsk", e.profile, weight) / power[:, None]
    noise = e.signal.clamp(min=0) * (1 / e.reliability.clamp(min=1e-3) - 1)
    count = e.count.clamp(min=1)
    variance = (2 * e.signal.clamp(min=0) * noise + noise.square()) / count
    error = (weight.square() * variance[:, None]).sum(-1).clamp(min=TINY**2).sqrt() / power
    chance = (weight.square() * (e.signal.square() / count)[:, None]).sum(-1).clamp(min=TINY**2).sqrt() / power
    return Correlations(value, error[:, None].expand_as(value), chance[:, None])


def class_sizes(name: str) -> tuple[int, ...]:
    """How many operations each operation class of a group stands for."""
    from equisym.groups.setting import settings

    return tuple(len(c) for c in next(s for s in settings() if s.group.name == name).classes)
