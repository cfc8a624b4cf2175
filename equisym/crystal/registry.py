"""How far each point of an image is out of register with a lattice, and the image with all points in register."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from equisym.crystal.displacement import local_phase, solved, unbend
from equisym.crystal.lattice_search import Lattice
from equisym.crystal.local_waves import Complex
from equisym.crystal.shifts import Array

_CELLS = 1.5  # standard deviation of the window: a compromise between noise and the width of what a fault blurs
_ROUNDS = 2
_WEAK = 0.65  # of the amplitude of the stronger parts: below, the pattern is not there


def in_register(channels: Tensor, lattice: Lattice, *, least: float = 0.0) -> tuple[Tensor, Lattice, float]:
    r"""An image of which every part is moved into register with one lattice, that lattice, and how much shows it.

    The local phases of the lattice's waves tell a displacement, but for vectors of the lattice, which move a pattern
    onto itself. So nothing is unwrapped: dislocations, planar faults and bent lattices are all the same. A wave of
    another lattice, or of a quasicrystal, is not moved into register with the others.

    Args:
        channels: (C, H, W), of which the first is looked at.
        lattice: that of a part of the image.
        least: share of the image that must show its waves; with less, it is left as it is.

    Returns:
        The image, (C, H, W); the lattice, with the mean strain of all parts; the share of the image in which its waves
        are at least 0.65 times as strong as in the stronger parts.

    Raises:
        ValueError: if the lattice's waves in the image do not run along two directions.
    """
    lattice = _mean_lattice(channels[0], lattice)
    share = 1.0
    for _ in range(_ROUNDS):
        waves, k, *_ = local_phase(channels[0], lattice, cells=_CELLS)
        strength = (np.abs(waves) ** 2).sum(0)
        share = min(share, float((strength > _WEAK**2 * np.quantile(strength, 0.9)).mean()))
        if share < least:
            break
        u = _registry(waves, k, lattice.basis, channels[0].shape)
        channels = torch.stack([unbend(channel, u) for channel in channels])
    return channels, lattice, share


def _mean_lattice(image: Tensor, lattice: Lattice) -> Lattice:
    """The lattice with the mean strain and turn of all parts of the image."""
    for _ in range(_ROUNDS):
        waves, k, x, y = local_phase(image, lattice, cells=_CELLS)
        q = k @ np.linalg.inv(lattice.basis)
        down, across = waves[:, 1:] * waves[:, :-1].conj(), waves[:, :, 1:] * waves[:, :, :-1].conj()
        steps = ((across, x[1] - x[0]), (down, y[1] - y[0]))
        change = np.stack([np.median(solved(q, turned, np.abs(turned)), (1, 2)) / step for turned, step in steps], 1)
        lattice = replace(lattice, basis=lattice.basis + change @ lattice.basis)
    return lattice


def _registry(waves: Complex, k: NDArray[np.int64], basis: Array, shape: torch.Size) -> Tensor:
    """The displacement, modulo the lattice, at each pixel, (2, H, W), from local amplitudes on a grid of points."""
    strength = (np.abs(waves) ** 2).sum(0)
    place = np.unravel_index(int(strength.argmax()), strength.shape)
    reference = waves[:, place[0], place[1]]
    waves = _at_pixels(waves, (shape[0], shape[1]))
    q = k @ np.linalg.inv(basis)
    u = np.zeros((2, *waves.shape[1:]))
    for _ in range(_ROUNDS):
        turned = waves * reference.conj()[:, None, None]
        u = _from_two(turned, k, basis)
        left = turned * np.exp(2j * np.pi * np.einsum("ki,iyx->kyx", q, u))
        u = u + solved(q, left, np.abs(left))
        reference = (waves * np.exp(2j * np.pi * np.einsum("ki,iyx->kyx", q, u))).mean((1, 2))
    return torch.from_numpy(u).float()


def _from_two(turned: Complex, k: NDArray[np.int64], basis: Array) -> Array:
    """The displacement by the strongest two waves; of the several that they allow, that which suits the others best."""
    second = next((j for j in range(1, len(k)) if np.linalg.det(k[[0, j]]) != 0), None)
    if second is None:
        raise ValueError("image must have waves along two directions of the lattice; give the lattice that it has")
    pair = k[[0, second]]
    inverse = basis @ np.linalg.inv(pair)
    u = -np.einsum("ij,jyx->iyx", inverse, np.angle(turned[[0, second]]) / (2 * np.pi))
    count = abs(round(np.linalg.det(pair)))
    if count == 1:
        return u
    q = k @ np.linalg.inv(basis)
    phase = turned * np.exp(2j * np.pi * np.einsum("ki,iyx->kyx", q, u))
    moves = np.array([inverse @ m for m in _cosets(pair, count)])
    fit = np.einsum("mk,kyx->myx", np.exp(2j * np.pi * moves @ q.T), phase).real
    return u + np.moveaxis(moves[fit.argmax(0)], -1, 0)


def _cosets(pair: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """One vector of integers for each class modulo the rows of a matrix of so large a determinant."""
    found: dict[tuple[int, ...], NDArray[np.int64]] = {}
    inverse = np.linalg.inv(pair)
    for m in np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2):
        place = tuple(np.rint(count * (inverse @ m)).astype(int) % count)
        found.setdefault(place, m)
    return list(found.values())


def _at_pixels(waves: Complex, shape: tuple[int, int]) -> Complex:
    """Fields on a grid of points, between them by cubics."""
    parts = torch.from_numpy(np.concatenate((waves.real, waves.imag))).float()[None]
    y, x = (torch.arange(n) * 2 / (n - 1) - 1 for n in shape)
    places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]
    real, imaginary = grid_sample(parts, places, mode="bicubic", align_corners=True)[0].numpy().reshape(2, -1, *shape)
    return (real + 1j * imaginary).astype(np.complex64)
