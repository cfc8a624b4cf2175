"""A lattice refined to the frequencies of its waves, which the borders of an image do not pull at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft2
from torch import Tensor

from equisym.crystal.autocorrelate import detrend
from equisym.crystal.lattice_search import Lattice

_MOST = 40  # waves that the lattice is fitted to
_NEAR = 0.7  # bins of one over the side: a wave further from its place is not the lattice's
_STEPS, _ENOUGH = 4, 1e-4  # Newton steps on a wave's frequency at most; halves of a bin: a step so short is the last
_FEWEST = 3  # waves: fewer than that leave the lattice as it is
_APART = 4.0  # bins from wave to wave: closer ones pull at one another
_MOVED = 0.01  # relative change of the basis, beyond which it is another lattice


def refine_to_waves(image: Tensor, lattice: Lattice, mask: Tensor | None = None) -> Lattice:
    r"""Fit a lattice to the frequencies at which the image's waves are strongest.

    For the strongest points h of the reciprocal lattice the maximum of :math:`|\sum_x w(x) f(x) e^{-2 \pi i q x}|` near
    :math:`B^{-T} h` is found between the bins, w a Hann window, and :math:`B^{-T}` is fitted to these, each with the
    power of its wave as weight. The autocorrelation's peaks, from which the search starts, are pulled by the borders by
    up to some thousandths of their distance. The errors of the answer are those of the fit.

    Args:
        image: grey image, (H, W).
        lattice: from :func:`equisym.crystal.estimate_lattice`.
        mask: which pixels are known, (H, W); all if not given.

    Returns:
        The same lattice with another basis and uncertainty; unchanged where too few waves are near their places, or
        all are along one line.
    """
    flat = detrend(image.detach(), 2, mask).double().cpu().numpy()
    height, width = flat.shape
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in flat.shape))
    if mask is not None:
        window = window * mask.double().cpu().numpy()
    weighted = ((flat - (flat * window).sum() / window.sum()) * window).astype(np.float32)
    reciprocal = np.linalg.inv(lattice.basis).T.astype(np.float64)
    if np.linalg.norm(reciprocal * np.array([[width], [height]]), axis=0).min() < _APART:
        return lattice
    index, start = _strongest(weighted, reciprocal)
    if len(index) < _FEWEST:
        return lattice
    found, power = _maxima(weighted, start)
    size = np.array([width, height])
    off = np.linalg.norm((found - start) * size, axis=1)
    good = (off < _NEAR) & (power > 0)
    if good.sum() < _FEWEST or np.linalg.matrix_rank(index[good]) < 2:
        return lattice
    fitted, covariance = _fit(index[good], found[good], power[good])
    basis = np.linalg.inv(fitted).T
    if not np.isfinite(basis).all() or np.abs(lattice.basis - basis).max() > _MOVED * np.abs(lattice.basis).max():
        return lattice
    return replace(lattice, basis=basis, uncertainty=_error(fitted, covariance))


def _strongest(weighted: NDArray[np.float32], reciprocal: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Indices of the strongest waves below Nyquist, one of each pair, and where they should be."""
    reach = np.ceil(0.5 * np.linalg.norm(np.linalg.inv(reciprocal), axis=1)).astype(int) + 1
    h, k = np.meshgrid(*(np.arange(-n, n + 1) for n in np.minimum(reach, 40)), indexing="ij")
    index = np.stack((h.ravel(), k.ravel()), -1)
    index = index[(index[:, 0] > 0) | ((index[:, 0] == 0) & (index[:, 1] > 0))]
    q = index @ reciprocal.T
    shape = np.array(weighted.shape[::-1])
    kept = (np.abs(q) < 0.5 - 2 / shape).all(1) & (np.abs(q * shape).max(1) > 3)
    index, q = index[kept], q[kept]
    spectrum = np.abs(np.asarray(rfft2(weighted)))
    column, row = np.rint(q * np.where(q[:, :1] < 0, -1, 1) * shape).astype(int).T % shape[:, None]
    best = np.argsort(-spectrum[row, column], kind="stable")[:_MOST]
    strong = spectrum[row[best], column[best]] > 0.03 * spectrum[row[best[:1]], column[best[:1]]]
    return index[best[strong]], q[best[strong]]


def _maxima(weighted: NDArray[np.float32], q: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Frequencies of the largest modulus near given ones, by Newton's method, and the power there."""
    height, width = weighted.shape
    x, y = (np.arange(n) - (n - 1) / 2 for n in (width, height))
    q = q.copy()
    power = np.zeros(len(q))
    limit = 0.5 / np.array([width, height])
    for _ in range(_STEPS):
        waves = np.stack(_wave(np.outer(x, q[:, 0])))
        powers = (2 * np.pi * x[:, None] / width) ** np.arange(3)[:, None, None]  # of order 1: half the accuracy does
        across = (waves[:, None] * powers.astype(np.float32)).transpose(2, 0, 1, 3).reshape(width, -1)
        real, imaginary = (weighted @ across).reshape(height, 2, 3, -1).transpose(1, 2, 0, 3).astype(np.float64)
        rows = [(real[n] + 1j * imaginary[n]) * (-1j * width) ** n for n in range(3)]
        real_part, imaginary_part = _wave(np.outer(y, q[:, 1]))
        along = real_part + 1j * imaginary_part.astype(np.float64)
        columns = [along * (-2j * np.pi * y[:, None]) ** n for n in range(3)]
        F = {(a, b): (rows[a] * columns[b]).sum(0) for a in range(3) for b in range(3) if a + b < 3}
        power = np.abs(F[0, 0]) ** 2
        gradient = 2 * np.stack([(F[0, 0].conj() * F[d]).real for d in ((1, 0), (0, 1))], -1)
        second = {d: 2 * (F[0, 0].conj() * F[d]).real for d in ((2, 0), (1, 1), (0, 2))}
        cross = [[(F[a].conj() * F[b]).real * 2 for b in ((1, 0), (0, 1))] for a in ((1, 0), (0, 1))]
        H = np.empty((len(q), 2, 2))
        H[:, 0, 0], H[:, 1, 1] = second[2, 0] + cross[0][0], second[0, 2] + cross[1][1]
        H[:, 0, 1] = H[:, 1, 0] = second[1, 1] + cross[0][1]
        concave = (np.linalg.eigvalsh(H)[:, 1] < 0) & (power > 0)
        step = np.zeros_like(q)
        step[concave] = -np.linalg.solve(H[concave], gradient[concave][..., None])[..., 0]
        step = np.clip(step, -limit, limit)
        q += step
        power = np.where(concave, power, 0)
        if np.abs(step / limit).max() < _ENOUGH:
            break
    return q, power


def _wave(cycles: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Real and imaginary part of exp(-2 pi i cycles), in single precision."""
    angle = (2 * np.pi * (cycles - np.rint(cycles))).astype(np.float32)
    return np.cos(angle), -np.sin(angle)


def _weighted_fit(index: NDArray, q: NDArray, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Normal matrix, reciprocal basis, and how far each wave is off."""
    normal = (index * weight[:, None]).T @ index
    fitted = np.linalg.solve(normal, (index * weight[:, None]).T @ q).T
    return normal, fitted, np.linalg.norm(q - index @ fitted.T, axis=1)


def _fit(index: NDArray, q: NDArray, power: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The reciprocal basis (columns) that puts the waves at their places, and the covariance of each of its rows."""
    weight = power / power.max()
    normal, fitted, off = _weighted_fit(index, q, weight)
    for step in range(3):  # waves that are off, such as those of a second phase, lose their weight
        if step:
            normal, fitted, off = _weighted_fit(index, q, weight)
        scale = max(float(np.sqrt(np.average(off**2, weights=weight))), 1e-12)
        weight = power / power.max() / (1 + (off / (3 * scale)) ** 2)
    free = max(len(q) - 2, 1)
    spread = (weight * off**2).sum() / weight.sum() / 2 * len(q) / free
    inverse = np.linalg.inv(normal)
    return fitted, inverse @ ((index * weight[:, None] ** 2).T @ index) @ inverse * spread


def _error(reciprocal: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors of the basis from those of the reciprocal one, whose rows vary alike."""
    basis = np.linalg.inv(reciprocal).T
    # dB = -B dR^T B for B = R^-T: each entry is linear in the four of R
    variance = np.zeros((2, 2))
    root = np.linalg.cholesky(covariance + 1e-300 * np.eye(2))
    for row in range(2):
        for source in root.T:
            change = np.zeros((2, 2))
            change[row] = source
            variance += (basis @ change.T @ basis) ** 2
    return np.sqrt(variance)
