"""Correlation of a unit cell with its own image under every operation of the lattice, over all translations."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.autocorrelate import squared_modulus
from equisym.crystal.cell_average import CellAverage
from equisym.groups.lattice import finite_order_matrices
from equisym.groups.operation import Matrix
from equisym.groups.reciprocal import turned_frequencies

SHELLS = 24
LOWEST, HIGHEST = 1 / 128, 0.5  # cycles per pixel


@dataclass(frozen=True)
class Spectrum:
    """Fourier coefficients of cells, in resolution shells (equal frequency in the image).

    A cell may have several channels, such as colours: all that follows is linear in products of coefficients, and the
    products of the channels are added up, so that an operation holds if it holds in every channel.

    Attributes:
        full: of the average over all repeats, (B, C, N, N) complex.
        half: of the two half sets, (B, 2, C, N, N) complex.
        shell: shell of each coefficient, SHELLS for those beyond the image's resolution and for the mean, (B, N, N).
        signal: power that both half sets share, (B, SHELLS).
        total: power of the full average, (B, SHELLS).
        count: coefficients on each shell, over as many channels as there are of equal power, (B, SHELLS).
    """

    full: Tensor
    half: Tensor
    shell: Tensor
    signal: Tensor
    total: Tensor
    count: Tensor

    def select(self, i: int) -> Spectrum:
        """One cell, as a batch of one."""
        return Spectrum(*(getattr(self, f.name)[i : i + 1] for f in fields(self)))

    @property
    def reliability(self) -> Tensor:
        """Share of the full average's power that is signal, on each shell, 0 to 1, (B, SHELLS)."""
        return (self.signal / self.total.clamp(min=torch.finfo(self.total.dtype).tiny)).clamp(0, 1)


def shared_waves(s: Spectrum) -> tuple[NDArray[np.int32], NDArray[np.complex128]]:
    """What the half sets of one cell share: each wave (N * N, 2) and the product of its coefficients, (N * N,).

    The product is of the first half and the conjugate of the second, summed over channels. Its real part is the wave's
    power, free of noise bias; its imaginary part is noise.
    """
    half, size = s.half[0], s.half.shape[-1]
    k = torch.fft.fftfreq(size, 1 / size).round().int()
    ky, kx = torch.meshgrid(k, k, indexing="ij")
    shared = (half[0] * half[1].conj()).to(torch.complex128).sum(0).flatten()
    return torch.stack((kx, ky), -1).reshape(-1, 2).numpy(), shared.numpy()


def shell_edges(like: Tensor) -> Tensor:
    """Edges of the shells in cycles per pixel, geometric."""
    return torch.logspace(
        math.log2(LOWEST), math.log2(HIGHEST), SHELLS + 1, base=2, dtype=like.dtype, device=like.device
    )


def spectrum(average: CellAverage, *, joint: bool = False) -> Spectrum:
    """Fourier coefficients of averaged cells, with their signal measured by what the half sets share.

    Args:
        average: of B cells.
        joint: these are the channels of one cell.
    """
    full = torch.fft.fft2(average.cell, norm="forward")[:, None]
    half = torch.fft.fft2(average.half_sets, norm="forward")[:, :, None]
    q = average.frequency()
    if joint:
        full, half, q = full.transpose(0, 1), half.transpose(0, 2), q[:1]
    shell = torch.bucketize(q, shell_edges(q)) - 1
    shell = shell.clamp(min=0)  # the few below the lowest edge join the first shell
    # a disc of frequencies that fits into the grid, so that every operation maps it onto itself
    fits = (average.size / 2 - 1e-6) / average.basis[: len(q)].norm(dim=-2).amax(-1)
    shell = torch.where(q > fits.clamp(max=HIGHEST)[:, None, None], SHELLS, shell).clamp(max=SHELLS)
    shell[..., 0, 0] = SHELLS
    signal = by_shell((half[:, 0] * half[:, 1].conj()).real, shell).sum(1)
    power, count = by_shell(squared_modulus(full), shell), by_shell(torch.ones_like(q), shell)
    total = power.sum(1)
    tiny = torch.finfo(power.dtype).tiny
    channels = (total.square() / power.square().sum(1).clamp(min=tiny)).clamp(min=1) if len(power[0]) > 1 else 1.0
    return Spectrum(full, half, shell, signal, total, count * channels)


def by_shell(values: Tensor, shell: Tensor) -> Tensor:
    """Sum over the coefficients of each shell; (B, ..., N, N) with shells (B, N, N) to (B, ..., SHELLS)."""
    flat = values.flatten(-2)
    index = shell.flatten(-2)
    index = index.reshape(index.shape[0], *(1,) * (flat.dim() - 2), -1).expand(flat.shape)
    out = torch.zeros(*flat.shape[:-1], SHELLS + 1, dtype=values.dtype, device=values.device)
    return out.scatter_add(-1, index, flat)[..., :SHELLS]


@lru_cache(maxsize=8)
def transposed_frequencies(size: int) -> tuple[Tensor, Tensor]:
    """For each finite-order matrix W: flat index of W^T k for every k of half the plane, and whether W^T k = k.

    Half the plane is k_x = 0 .. size // 2, as in a real transform: the other half holds complex conjugates.
    Shape ``(24, size * (size // 2 + 1))``.
    """
    index = torch.from_numpy(turned_frequencies(finite_order_matrices(), size, size // 2 + 1))
    own = torch.arange(size)[:, None] * size + torch.arange(size // 2 + 1)
    return index, index == own.flatten()


def half_plane(values: Tensor) -> Tensor:
    """Values at the frequencies of half the plane, flat: (..., N, N) to (..., N * (N // 2 + 1))."""
    return values[..., : values.shape[-1] // 2 + 1].flatten(-2)


def products(s: Spectrum, which: Tensor) -> Tensor:
    """F(k) conj F(W^T k) for chosen matrices over half the plane, free of noise bias; (B, M, N * (N // 2 + 1)) complex.

    A coefficient paired with itself would count its noise as agreement, so there the half sets are multiplied instead.
    """
    index, own = (found[which] for found in transposed_frequencies(s.full.shape[-1]))
    shared = half_plane((s.half[:, 0] * s.half[:, 1].conj()).real).sum(1)
    both = sum(half_plane(f)[:, None] * _taken(f.flatten(1), index).conj() for f in s.full.unbind(1))
    assert isinstance(both, Tensor)
    return torch.where(own, shared[:, None].to(both.dtype), both)


def correlation_maps(s: Spectrum, weight: Tensor, which: Tensor | None = None, *, refine: int = 2) -> Tensor:
    r"""Correlation with the image under {W | t} for finite-order matrices W and all translations t.

    .. math:: C_W(t) = \sum_k w_k F(k) \overline{F(W^T k)} e^{2 \pi i k t}

    Args:
        s: spectrum of the cells.
        weight: on the coefficients, (B, N, N).
        which: indices of the matrices, all 24 by default.
        refine: translations are sampled this many times finer than the cell's grid.

    Returns:
        (B, matrices, M, M) with M = ``refine * N``; row along b, column along a.
    """
    which = torch.arange(len(finite_order_matrices())) if which is None else which
    return over_translations(products(s, which) * pair_weight(weight, which), s.full.shape[-1], refine)


def over_translations(cross: Tensor, size: int, refine: int = 2) -> Tensor:
    """Weighted products over half the plane of a size x size grid as correlations at all translations.

    Shape ``(B, M, size * (size // 2 + 1))`` to ``(B, M, refine * size, refine * size)``.
    """
    grid, h = size * refine, (size - 1) // 2
    cross = cross.unflatten(-1, (size, size // 2 + 1))
    if refine == 1:
        return torch.fft.irfft2(cross, s=(size, size), norm="forward")
    # zero-padded without the coefficients at Nyquist: along b first, where half of the columns are zero
    rows = cross.new_zeros(*cross.shape[:-2], grid, h + 1)
    rows[..., : h + 1, :] = cross[..., : h + 1, : h + 1]
    rows[..., grid - h :, :] = cross[..., size - h :, : h + 1]
    return torch.fft.irfft(torch.fft.ifft(rows, dim=-2, norm="forward"), n=grid, norm="forward")


def pair_weight(weight: Tensor, which: Tensor) -> Tensor:
    """Weight of each pair k, W^T k, the geometric mean of both; (B, N, N) to (B, M, N * (N // 2 + 1))."""
    index = transposed_frequencies(weight.shape[-1])[0][which]
    root = weight.sqrt()
    return half_plane(root)[:, None] * _taken(root.flatten(1), index)


def _taken(flat: Tensor, index: Tensor) -> Tensor:
    """Rows (B, N) at indices (M, N), (B, M, N); in a loop, which is three times faster than all at once."""
    taken = [row.index_select(0, index.flatten()) for row in flat]
    return (taken[0][None] if len(taken) == 1 else torch.stack(taken)).unflatten(1, index.shape)


@lru_cache
def matrix_index() -> dict[Matrix, int]:
    """Place of each matrix in :func:`equisym.groups.lattice.finite_order_matrices`."""
    return {m: i for i, m in enumerate(finite_order_matrices())}
