"""Drift correction of slow scans: measure each line's shift from the phases of the lattice's waves, and undo it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.crystal.autocorrelate import detrend
from equisym.crystal.cell_average import average_cell, tile
from equisym.crystal.lattice_search import Lattice, estimate_lattice
from equisym.crystal.shifts import Array

_WAVES, _LONGEST_INDEX = 8, 5
_DEGREE = 3
_BANDS = (1 / 3, 1 / 2, 1 / 4)  # of the height: bands of middle lines, which bend least
_STEADY = 0.35  # of the image repeats in the middle band, or nothing is measured
_GRID = 48
_STRAIGHT = 1.0  # pixels: less drift is ignored
_LINES = 2  # further rounds in which all lines are matched to the averaged cell
_JITTER = 1.0  # pixels: expected jitter of single lines
_FINER = 0.1  # e times as many cells are worth this much of the score


def correct_drift(image: Tensor, lattice: Lattice | None = None) -> tuple[Tensor, float] | None:
    r"""Remove the drift of the scan lines from an image of a lattice.

    The middle lines give the lattice. Each of its strongest waves k is demodulated,

    .. math:: r_k(y) = \sum_x f(x, y)\, e^{-2 \pi i k \cdot B^{-1} (x, y)}, \qquad
              \arg r_k(y) / s_k(y) = 2 \pi\, k \cdot B^{-1} D(y) + \mathrm{const}

    where s is the same for the tiled cell average, which the border cuts in the same places: without drift their
    quotient is constant, however few cells there are. The phases of all waves give the drift D of each line, fitted by
    a cubic. Then each line is matched to the averaged cell, three times, which removes its jitter. Of several widths of
    the middle band, the one is used after which most of the image repeats.

    Args:
        image: grey image (H, W).
        lattice: that of the whole image, if known; a band in which less repeats is not used.

    Returns:
        The image with straight columns, and the largest shift in pixels beyond a linear distortion, 0 if it is
        negligible; ``None`` where the middle of the image shows no lattice.

    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> bent = x + 5 * (y / 64 - 1) ** 2
    >>> wave = torch.cos(2 * torch.pi * bent / 12) + torch.cos(2 * torch.pi * y / 14)
    >>> straight, shift = correct_drift(wave)
    >>> 2 < shift < 5, estimate_lattice(straight).score > 0.95 > estimate_lattice(wave).score
    (True, True)

    Source: Hytch, Snoeck and Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs
    (1998), for lines instead of fields.
    """
    flat = detrend(image, 2)
    least = merit(lattice)
    found: list[tuple[Array, Lattice]] = []
    followed: list[Array] = []
    for part in _BANDS:
        first = round(len(flat) * (1 - part) / 2)
        band = flat[first : len(flat) - first].contiguous()
        own = estimate_lattice(band)
        if own is None or own.score < _STEADY or merit(own) - _FINER * np.log(part) < least:
            continue
        cell = average_cell(band[None], torch.from_numpy(own.basis).to(band)[None], size=_GRID).cell[0]
        drift = _bend(flat, own, cell)
        if drift is None or any(np.hypot(*(drift - other).T).max() < _STRAIGHT for other in followed):
            continue
        if np.hypot(*drift.T).max() < _STRAIGHT:
            return image, 0.0
        followed.append(drift)
        found += _line_by_line(flat, drift, 1)
    if not found:
        return None
    drift, _ = max(found, key=lambda pair: merit(pair[1]))
    drift, _ = max(_line_by_line(flat, drift, _LINES), key=lambda pair: merit(pair[1]))
    return _undo(image, drift), float(np.hypot(*drift.T).max())


def merit(lattice: Lattice | None) -> float:
    """Score for choosing between lattices of differently corrected images: how much repeats, and how often."""
    if lattice is None:
        return -np.inf
    return lattice.score + _FINER * float(np.log(lattice.repeats))


def is_straight(image: Tensor, lattice: Lattice, cell: Tensor) -> bool:
    """Whether the phases of a lattice's waves show no significant drift; quicker than :func:`correct_drift`."""
    drift = _bend(detrend(image, 2), lattice, cell)
    return drift is not None and bool(np.hypot(*drift.T).max() < _STRAIGHT)


def _bend(flat: Tensor, lattice: Lattice, cell: Tensor) -> Array | None:
    """Drift of each line without its linear part, which the lattice absorbs, (H, 2)."""
    inverse = np.linalg.inv(lattice.basis)
    waves = _strongest(cell, lattice.basis)
    if np.linalg.matrix_rank(waves) < 2:
        return None
    y, x = np.indices(flat.shape)
    model = tile(cell.double().numpy(), lattice.basis, x, y)
    phase, weight = _row_phases(flat.double().numpy(), model.astype(float), waves @ inverse)
    # for each line the shift that explains the phases of all waves
    design = 2 * np.pi * waves @ inverse  # radians per pixel, (waves, 2)
    normal = np.einsum("ky,ki,kj->yij", weight, design, design)
    right = np.einsum("ky,ki,ky->yi", weight, design, phase)
    normal = normal + 1e-6 * np.trace(normal, axis1=1, axis2=2).mean() * np.eye(2)
    drift = np.linalg.solve(normal, right[..., None])[..., 0]
    v = np.linspace(-1, 1, len(flat))
    trust = weight.sum(0) ** 0.5
    smooth = np.stack([np.polynomial.Polynomial.fit(v, d, _DEGREE, w=trust)(v) for d in drift.T], -1)
    linear = np.stack([np.polynomial.Polynomial.fit(v, d, 1)(v) for d in smooth.T], -1)
    return smooth - linear


def _line_by_line(flat: Tensor, drift: Array, times: int) -> list[tuple[Array, Lattice]]:
    """Refine the drift line by line, several times; yields each refined drift with the lattice after its removal."""
    found = []
    for step in range(times + 1):
        straight = _undo(flat, drift)
        lattice = estimate_lattice(straight)
        if lattice is None:
            break
        found.append((drift, lattice))
        if step < times:
            drift = drift + _jitter(flat, drift, straight, lattice)
    return found


def _jitter(flat: Tensor, drift: Array, straight: Tensor, lattice: Lattice) -> Array:
    """Shift along x of each line against the averaged cell, (H, 2): one regularised least-squares step."""
    average = average_cell(straight[None], torch.from_numpy(lattice.basis).to(flat)[None])
    cell = average.cell[0].double().numpy()
    y, x = np.indices(flat.shape)
    x, y = x + drift[:, :1], y + drift[:, 1:]
    left, right = (tile(cell, lattice.basis, x + step, y) for step in (-0.5, 0.5))
    slope = right - left
    rest = flat.double().numpy() - tile(cell, lattice.basis, x, y)
    rest = rest - rest.mean(1, keepdims=True)
    shift = (rest * slope).sum(1) / ((slope**2).sum(1) + rest.var() / _JITTER**2)
    return np.stack((shift, np.zeros_like(shift)), -1)


def _strongest(cell: Tensor, basis: Array) -> Array:
    """Indices of the strongest waves of the averaged cell, one of each pair k and -k, (waves, 2)."""
    power = torch.fft.fft2(cell).abs().square().numpy()
    k = np.arange(-_LONGEST_INDEX, _LONGEST_INDEX + 1)
    pairs = np.stack(np.meshgrid(k, k, indexing="ij"), -1).reshape(-1, 2)
    pairs = pairs[(pairs[:, 0] > 0) | ((pairs[:, 0] == 0) & (pairs[:, 1] > 0))]
    strength = power[pairs[:, 1] % len(power), pairs[:, 0] % len(power)]
    strength = np.where(np.linalg.norm(pairs @ np.linalg.inv(basis), axis=1) < 0.2, strength, 0)
    order = np.argsort(-strength, kind="stable")[:_WAVES]
    return pairs[order[strength[order] > 0.02 * strength.max()]].astype(float)


def _row_phases(image: Array, model: Array, frequencies: Array) -> tuple[Array, Array]:
    """Phase of each wave along the lines against the model's, unwrapped from the middle, and its weight; (waves, H)."""
    seen, expected = _demodulated(image, frequencies), _demodulated(model, frequencies)
    rows = seen * expected.conj()
    phase = np.angle(rows)
    middle = image.shape[0] // 2
    phase = np.concatenate([np.unwrap(phase[:, middle::-1], axis=1)[:, :0:-1], np.unwrap(phase[:, middle:], axis=1)], 1)
    return phase - phase[:, middle : middle + 1], np.abs(rows)


def _demodulated(image: Array, frequencies: Array) -> Array:
    """Amplitude of each wave on each line, smoothed over a tenth of the lines; (waves, H) complex."""
    height, width = image.shape
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    across = np.exp(-2j * np.pi * np.outer(x, frequencies[:, 0])) * np.hanning(width)[:, None]
    # torch, because a caller can limit its threads: numpy's would compete in several processes
    real, imaginary = (torch.from_numpy(image) @ torch.from_numpy(part) for part in (across.real, across.imag))
    rows = torch.complex(real, imaginary).numpy().T * np.exp(-2j * np.pi * np.outer(frequencies[:, 1], y))
    reach = height // 10
    k = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (k / (reach / 2.5)) ** 2)
    return np.stack([np.convolve(np.pad(r, reach, mode="edge"), kernel / kernel.sum(), "valid") for r in rows])


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
