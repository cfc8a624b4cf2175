"""Twins and other domains on one lattice: parts of an image whose motifs differ by more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.lattice_search import Lattice
from equisym.crystal.local_waves import Complex, flattened, local_waves, strongest_waves
from equisym.crystal.shifts import Array
from equisym.crystal.tuned_constants import DomainLimits
from equisym.groups.lattice import near_isometries
from equisym.groups.operation import Matrix

Kind = Literal["one", "twin", "two domains"]

LIMITS = DomainLimits()
_BETWEEN = 8  # waves that measure the noise
_FINE = 16  # translations along a side of the cell that are tried before refinement


@dataclass(frozen=True)
class Domains:
    """The parts of an image that differ in motif on their common lattice.

    Attributes:
        kind: "one"; "twin": two, related by an operation of the lattice; "two domains": not so related.
        part: which domain is around each point, 0 or 1, (rows, columns).
        x: of the points' columns, in pixels.
        y: of their rows.
        likeness: correlation of the two domains' motifs, translations apart; 1 for one domain.
        within: mean correlation of the windows with the motif of their own domain.
        operation: that takes the first domain's motif to the second's, in the lattice's basis.
        related: correlation of the motifs under that operation.
    """

    kind: Kind
    part: NDArray[np.int64]
    x: Array
    y: Array
    likeness: float = 1.0
    within: float = 1.0
    operation: Matrix | None = None
    related: float = 0.0

    @property
    def shares(self) -> tuple[float, float]:
        """Part of the image in either domain."""
        second = float(self.part.mean())
        return 1 - second, second


def find_domains(image: Tensor, lattice: Lattice, *, mask: Tensor | None = None) -> Domains:
    """Look for two parts of an image with different motifs on its lattice.

    Windows are compared by the amplitudes of the lattice's waves, translated as fits best. The most different two are
    the seeds of two groups. They are domains if their motifs differ clearly, and by more than the windows of each do
    among themselves and than noise explains; noise is measured by waves halfway between those of the lattice.

    Args:
        image: grey image, (H, W).
        lattice: that of the whole image.
        mask: which pixels to look at, (H, W); all if not given.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> def saw(x): return torch.cos(torch.pi * x / 6) + 0.5 * torch.sin(torch.pi * x / 3)
    >>> image = torch.where(x < 64, saw(x), saw(-x)) + torch.cos(torch.pi * y / 6)
    >>> found = find_domains(image, Lattice(np.eye(2) * 12, np.zeros((2, 2)), 1.0, 113.0))
    >>> found.kind, found.shares
    ('twin', (0.5, 0.5))
    >>> find_domains(saw(x) + torch.cos(torch.pi * y / 6), Lattice(np.eye(2) * 12, np.zeros((2, 2)), 1.0, 113.0)).kind
    'one'
    """
    height, width = image.shape
    side = LIMITS.cells * float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    columns, rows = (int(np.clip(n // side, 1, LIMITS.most)) for n in (width, height))
    x, y = ((np.arange(m) + 0.5) * n / m - 0.5 for m, n in ((columns, width), (rows, height)))
    one = Domains("one", np.zeros((rows, columns), int), x, y)
    if min(rows, columns) < 2:
        return one
    flat = flattened(image, mask)
    k = _closed(strongest_waves(flat, lattice.basis, LIMITS.waves, mask), near_isometries(lattice.basis, LIMITS.strain))
    dual = np.linalg.inv(lattice.basis)
    sigma = 0.42 * max(width / columns, height / rows)
    between = k[np.linspace(0, len(k) - 1, min(_BETWEEN, len(k))).astype(int)] + 0.5
    waves = local_waves(flat, np.concatenate((k, between)) @ dual, x, y, sigma).reshape(len(k) + len(between), -1).T
    signal, noise = waves[:, : len(k)], (np.abs(waves[:, len(k) :]) ** 2).mean(1)
    power = (np.abs(signal) ** 2).sum(1) - len(k) * noise
    sound = power > 0.2 * np.median(power)
    if mask is not None:
        sound &= mask.numpy()[np.ix_(np.rint(y).astype(int), np.rint(x).astype(int))].ravel()
    if sound.sum() < 4:
        return one
    signal = signal[sound] / np.sqrt(np.maximum(power[sound], 1e-12))[:, None]
    noise = noise[sound] / power[sound]
    group = _two_groups(signal, k)
    first, second = (_motif(signal[group == g], k) for g in (0, 1))
    return _judged(one, sound, signal, noise, group, (first, second), k, lattice.basis)


def _judged(
    one: Domains,
    sound: NDArray[np.bool_],
    signal: Complex,
    noise: NDArray[np.floating],
    group: NDArray[np.int64],
    motifs: tuple[Complex, Complex],
    k: NDArray[np.int64],
    basis: Array,
) -> Domains:
    """Whether two groups of windows are domains, and what relates them."""
    share = min(group.mean(), 1 - group.mean())
    count = np.array([(group == g).sum() for g in (0, 1)])
    # what noise adds to the mean power of a motif's difference
    doubt = len(k) * sum(float(noise[group == g].mean()) / max(n, 1) for g, n in enumerate(count))
    likeness = float(_aligned(motifs[0][None], motifs[1], k)[0])
    own = np.array([_aligned(signal[group == g], motifs[g], k).mean() for g in (0, 1)])
    part = one.part.ravel().copy()
    part[sound] = group
    within = float(own.mean() * np.sqrt(1 + len(k) * noise.mean()))
    difference, spread = 1 - likeness, max(1 - within, 0.0)
    noticed = max(LIMITS.beyond * spread, LIMITS.noise * doubt)
    if share < LIMITS.least or difference < max(LIMITS.twinned, noticed):
        return Domains("one", one.part, one.x, one.y, likeness, within)
    best, operation = 0.0, None
    for W in near_isometries(basis, LIMITS.strain):
        value = float(_aligned(_carried(motifs[0], k, np.array(W))[None], motifs[1], k)[0])
        if value > best:
            best, operation = value, W
    if operation is None or 1 - best > (1 - LIMITS.related) * difference:
        operation, best = None, 0.0
        smaller = int(group.mean() < 0.5)  # perhaps of windows on a planar fault, which show the motif twice
        left = 1 - _overlaid(motifs[1 - smaller], motifs[smaller], k)
        if difference < LIMITS.different or left < LIMITS.overlaid * difference:
            return Domains("one", one.part, one.x, one.y, likeness, within)
    part = part.reshape(one.part.shape)
    return Domains("twin" if operation else "two domains", part, one.x, one.y, likeness, within, operation, best)


def _two_groups(signal: Complex, k: NDArray[np.int64]) -> NDArray[np.int64]:
    """Windows by likeness to either of the two that differ most, and then to the mean of those alike."""
    first = int(_aligned(signal, _motif(signal, k), k).argmin())
    alike = _aligned(signal, signal[first], k)
    group = (_aligned(signal, signal[int(alike.argmin())], k) > alike).astype(int)
    for _ in range(4):
        if group.min() == group.max():
            break
        motifs = [_motif(signal[group == g], k) for g in (0, 1)]
        before = group
        group = (_aligned(signal, motifs[1], k) > _aligned(signal, motifs[0], k)).astype(int)
        if (group == before).all():
            break
    return group


def _motif(signal: Complex, k: NDArray[np.int64]) -> Complex:
    """The mean of windows laid on each other by translation, of norm 1; zero of none."""
    if not len(signal):
        return np.zeros(len(k), np.complex64)
    mean = signal[0]
    for _ in range(2):
        _, t = _best(signal, mean, k)
        mean = (signal * np.exp(-2j * np.pi * t @ k.T)).mean(0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def _aligned(signal: Complex, other: Complex, k: NDArray[np.int64]) -> NDArray[np.floating]:
    """Correlation of each of several windows with another at the best translation."""
    scale = np.linalg.norm(signal, axis=1) * np.linalg.norm(other)
    return _best(signal, other, k)[0] / np.maximum(scale, 1e-12)


def _best(signal: Complex, other: Complex, k: NDArray[np.int64]) -> tuple[NDArray[np.floating], Array]:
    """The greatest product of windows with another over translations, and where it is; (n,) and (n, 2)."""
    cross = signal * other.conj()
    factors = _translations(k.tobytes())
    t, highest = np.zeros((len(cross), 2)), np.zeros(len(cross))
    for waves, places in factors:  # all over the cell, then ever finer around the best
        value = (cross @ waves).real
        at = value.argmax(1)
        cross, t, highest = cross * waves.T[at], t + places[at], value.max(1)
    return highest, t


def _overlaid(motif: Complex, other: Complex, k: NDArray[np.int64]) -> float:
    """Correlation of a motif, overlaid on itself with the best translation and weights, with another."""
    _, t = _best(other[None], motif, k)
    laid, likeness = motif * np.exp(2j * np.pi * k @ t[0]), 0.0
    more = (motif[:, None] * _translations(k.tobytes())[0][0].conj()).T  # at all translations
    for _ in range(4):  # each of the two in turn
        parts = np.stack((np.broadcast_to(laid, more.shape), more), -1)
        gram = np.einsum("nki,nkj->nij", parts.conj(), parts).real + 1e-6 * np.eye(2)
        right = np.einsum("nki,k->ni", parts.conj(), other).real
        weight = np.maximum(np.linalg.solve(gram, right[..., None])[..., 0], 0)
        both = np.einsum("nki,ni->nk", parts, weight)
        alike = (both @ other.conj()).real / np.maximum(np.linalg.norm(both, axis=1), 1e-12)
        laid, likeness = more[int(alike.argmax())], float(alike.max())
    return likeness


@lru_cache(maxsize=8)
def _translations(k: bytes) -> tuple[tuple[Complex, Array], ...]:
    """Factors of the waves under translations, (waves, places), and the places: all over the cell, and ever closer."""
    index = np.frombuffer(k, dtype=np.int64).reshape(-1, 2)
    out = []
    for at in (np.arange(_FINE) / _FINE, np.arange(-2, 3) / (3 * _FINE), np.arange(-2, 3) / (9 * _FINE)):
        places = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
        out.append((np.exp(-2j * np.pi * index @ places.T).astype(np.complex64), places))
    return tuple(out)


def _closed(k: NDArray[np.int64], isometries: tuple[Matrix, ...]) -> NDArray[np.int64]:
    """The waves and all their images, one of each pair k and -k."""
    every = np.concatenate([k @ np.array(W) for W in isometries])
    turned = (every[:, 0] < 0) | ((every[:, 0] == 0) & (every[:, 1] < 0))
    return np.unique(np.where(turned[:, None], -every, every), axis=0)


def _carried(motif: Complex, k: NDArray[np.int64], W: NDArray[np.int64]) -> Complex:
    """The motif under an operation: its wave k becomes the wave at k W^-1, if that is among them.

    The near isometries of a very long cell are no group, so that a wave may be carried beyond all that are compared.
    """
    to = np.rint(k @ np.linalg.inv(W)).astype(int)
    turned = (to[:, 0] < 0) | ((to[:, 0] == 0) & (to[:, 1] < 0))
    to = np.where(turned[:, None], -to, to)
    place = {tuple(one): i for i, one in enumerate(k.tolist())}
    out = np.zeros_like(motif)
    for i, one in enumerate(to.tolist()):
        if tuple(one) in place:
            out[place[tuple(one)]] = motif[i].conj() if turned[i] else motif[i]
    return out
