"""Local amplitudes and phases of a lattice's waves: each demodulated and averaged under Gaussian windows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.autocorrelate import detrend
from equisym.crystal.shifts import Array
from equisym.crystal.spectral_peaks import PowerSpectrum

Complex = NDArray[np.complex64]
_LONGEST, _FINEST = 5, 0.35  # index of a wave along a and b, and cycles per pixel, at most


def local_waves(image: Tensor, frequencies: Array, x: Array, y: Array, sigma: float) -> Complex:
    r"""Amplitude and phase of plane waves around points of an image.

    .. math:: A_q(c) = \frac{\sum_x f(x)\, e^{-2 \pi i q x}\, e^{-|x - c|^2 / 2 \sigma^2}}
                            {\sum_x e^{-|x - c|^2 / 2 \sigma^2}}

    Where the image is the lattice's wave everywhere, it is constant; a displacement u turns its phase by
    :math:`-2 \pi q u`.

    Args:
        image: grey image without trend, (H, W).
        frequencies: q in cycles per pixel, x and y, (waves, 2).
        x: of the points' columns, (columns,).
        y: of the points' rows, (rows,).
        sigma: of the window, in pixels.

    Shape:
        (waves, rows, columns), complex.

    Source: Hytch, Snoeck and Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs
    (1998).
    """
    height, width = image.shape
    rows, columns = (_windows(n, at, sigma, image) for n, at in ((height, y), (width, x)))
    q = torch.from_numpy(np.asarray(frequencies)).to(image)
    turn_x, turn_y = (
        torch.polar(torch.ones((), dtype=image.dtype), -2 * torch.pi * q[:, i, None] * torch.arange(n).to(image))
        for i, n in ((0, width), (1, height))
    )
    across = (turn_x[:, None] * columns).flatten(0, 1)  # (waves * columns, W)
    parts = torch.stack((across.real, across.imag)) @ image.T
    lines = torch.complex(parts[0], parts[1]).unflatten(0, (len(q), len(x)))  # (waves, columns, H)
    down = turn_y[:, None] * rows  # (waves, rows, H)
    return torch.einsum("kch,krh->krc", lines, down).cpu().numpy()


def _windows(size: int, at: Array, sigma: float, like: Tensor) -> Tensor:
    """Gaussian weights of the pixels along a side around points, (points, size), of sum 1."""
    d = torch.arange(size).to(like) - torch.from_numpy(np.asarray(at)).to(like)[:, None]
    weight = torch.exp(-0.5 * (d / sigma).square())
    return weight / weight.sum(1, keepdim=True)


def strongest_waves(image: Tensor, basis: Array, most: int, mask: Tensor | None = None) -> NDArray[np.int64]:
    """Indices of the lattice's strongest waves, one of each pair k and -k, the strongest first, (waves, 2).

    Args:
        image: grey image, (H, W).
        basis: of the lattice, columns in pixels.
        most: so many at most; those of less than a hundredth of the strongest's power are left out.
        mask: which pixels to look at, (H, W); all if not given.
    """
    n = np.arange(-_LONGEST, _LONGEST + 1)
    k = np.stack(np.meshgrid(n, n, indexing="ij"), -1).reshape(-1, 2)
    k = k[(k[:, 0] > 0) | ((k[:, 0] == 0) & (k[:, 1] > 0))]
    q = k @ np.linalg.inv(basis)
    below = np.linalg.norm(q, axis=1) < _FINEST
    k, q = k[below], q[below]
    spectrum = PowerSpectrum(image, mask)
    x, y = np.rint(q * (spectrum.width, spectrum.height)).astype(int).T
    near = np.arange(-1, 2)
    power = spectrum.at(x[:, None, None] + near, y[:, None, None] + near[:, None]).sum((1, 2))
    order = np.argsort(-power, kind="stable")[:most]
    return k[order[power[order] > 0.01 * power.max()]]


def flattened(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """The image without its quadratic trend, of variance 1, 0 beyond the mask."""
    flat = detrend(image.detach().float(), 2, mask)
    return flat / flat.std().clamp(min=1e-12)
