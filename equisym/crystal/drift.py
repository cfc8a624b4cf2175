"""Slow scans bend a lattice: the drift of the lines from the phases of its waves, and the image without it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.crystal.autocorrelation import remove_trend
from equisym.crystal.cell import average_cell
from equisym.crystal.lattice import estimate_lattice
from equisym.crystal.shifts import Array

_WAVES, _LONGEST_INDEX = 8, 5
_DEGREE = 3
_STEADY = 0.35  # of the image repeats in the middle band, or nothing is measured
_GRID = 48


def straighten(image: Tensor) -> tuple[Tensor, float] | None:
    r"""Take the drift of the scan lines off an image of a lattice.

    The middle half of the lines gives the lattice. Each of its strongest waves k is demodulated,

    .. math:: r_k(y) = \sum_x f(x, y)\, e^{-2 \pi i k \cdot B^{-1} (x, y)}, \qquad
              \arg r_k(y) = 2 \pi\, k \cdot B^{-1} D(y) + \mathrm{const}

    and the phases of all of them give the drift D of each line, fitted by a cubic.

    Args:
        image: grey image (H, W).

    Returns:
        The image with straight columns, and the greatest shift in pixels beyond what a linear distortion explains;
        ``None`` where the middle of the image shows no lattice.

    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> bent = x + 5 * (y / 64 - 1) ** 2
    >>> wave = torch.cos(2 * torch.pi * bent / 12) + torch.cos(2 * torch.pi * y / 14)
    >>> straight, shift = straighten(wave)
    >>> 2 < shift < 5, estimate_lattice(straight).score > 0.95 > estimate_lattice(wave).score
    (True, True)

    Source: Hytch, Snoeck and Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs
    (1998), for lines instead of fields.
    """
    height = image.shape[0]
    flat = remove_trend(image, 2)
    first = height // 4
    band = flat[first : height - first].contiguous()
    lattice = estimate_lattice(band)
    if lattice is None or lattice.score < _STEADY:
        return None
    inverse = np.linalg.inv(lattice.basis)
    waves = _strongest(band, lattice.basis)
    if np.linalg.matrix_rank(waves) < 2:
        return None
    phase, weight = _row_phases(flat.double().numpy(), waves @ inverse)
    # for each line the shift that explains the phases of all waves
    design = 2 * np.pi * waves @ inverse  # radians per pixel, (waves, 2)
    normal = np.einsum("ky,ki,kj->yij", weight, design, design)
    right = np.einsum("ky,ki,ky->yi", weight, design, phase)
    normal = normal + 1e-6 * np.trace(normal, axis1=1, axis2=2).mean() * np.eye(2)
    drift = np.linalg.solve(normal, right[..., None])[..., 0]
    v = np.linspace(-1, 1, height)
    trust = weight.sum(0) ** 0.5
    smooth = np.stack([np.polynomial.Polynomial.fit(v, d, _DEGREE, w=trust)(v) for d in drift.T], -1)
    linear = np.stack([np.polynomial.Polynomial.fit(v, d, 1)(v) for d in smooth.T], -1)
    bend = smooth - linear  # a linear drift is a linear distortion, which the lattice takes up
    return _undo(image, bend), float(np.hypot(*bend.T).max())


def _strongest(band: Tensor, basis: Array) -> Array:
    """Indices of the strongest waves of the averaged cell, one of each pair k and -k, (waves, 2)."""
    cell = average_cell(band[None], torch.from_numpy(basis).to(band)[None], size=_GRID).cell[0]
    power = torch.fft.fft2(cell).abs().square().numpy()
    k = np.arange(-_LONGEST_INDEX, _LONGEST_INDEX + 1)
    pairs = np.stack(np.meshgrid(k, k, indexing="ij"), -1).reshape(-1, 2)
    pairs = pairs[(pairs[:, 0] > 0) | ((pairs[:, 0] == 0) & (pairs[:, 1] > 0))]
    strength = power[pairs[:, 1] % _GRID, pairs[:, 0] % _GRID]
    strength = np.where(np.linalg.norm(pairs @ np.linalg.inv(basis), axis=1) < 0.2, strength, 0)
    order = np.argsort(-strength, kind="stable")[:_WAVES]
    return pairs[order[strength[order] > 0.02 * strength.max()]].astype(float)


def _row_phases(image: Array, frequencies: Array) -> tuple[Array, Array]:
    """Phase of each wave along the lines, unwrapped from the middle, and its weight; (waves, H) each."""
    height, width = image.shape
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    across = np.exp(-2j * np.pi * np.outer(x, frequencies[:, 0])) * np.hanning(width)[:, None]
    rows = (image @ across).T * np.exp(-2j * np.pi * np.outer(frequencies[:, 1], y))
    reach = height // 10
    k = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (k / (reach / 2.5)) ** 2)
    rows = np.stack([np.convolve(np.pad(r, reach, mode="edge"), kernel / kernel.sum(), "valid") for r in rows])
    middle = height // 2
    phase = np.angle(rows)
    phase = np.concatenate([np.unwrap(phase[:, middle::-1], axis=1)[:, :0:-1], np.unwrap(phase[:, middle:], axis=1)], 1)
    return phase - phase[:, middle : middle + 1], np.abs(rows) ** 2


def _undo(image: Tensor, drift: Array) -> Tensor:
    """The image p of which f(x, y) = p((x, y) + drift(y)) was taken."""
    height, width = image.shape
    rows = np.arange(height, dtype=float)
    source = rows.copy()
    for _ in range(5):  # the line of f that shows line y of p
        source = rows - np.interp(source, rows, drift[:, 1])
    shift = np.interp(source, rows, drift[:, 0])
    u = (np.arange(width)[None, :] - shift[:, None]) * 2 / (width - 1) - 1
    v = np.broadcast_to((source * 2 / (height - 1) - 1)[:, None], u.shape)
    grid = torch.from_numpy(np.stack((u, v), -1)).to(image)[None]
    return functional.grid_sample(
        image[None, None], grid, mode="bicubic", padding_mode="reflection", align_corners=True
    )[0, 0]
