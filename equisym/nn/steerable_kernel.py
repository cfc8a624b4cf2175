"""Steerable kernels: all band-limited kernels that commute with a group, between any two representations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equisym.groups import ContinuousGroup, Irrep, Representation
from equisym.groups.representation import angle_and_flip

Array = NDArray[np.float64]
Ring = tuple[float, float, int]
"""Radius and width in pixels, and highest angular frequency, of a ring that carries a kernel's basis functions."""
KernelBasis = Callable[[Representation, Representation, int], Array]
"""Gives the kernels from one representation to another of a side in pixels, as :func:`steerable_basis` does."""


@dataclass(frozen=True)
class RingBasis:
    """The steerable kernels on rings of your choice, for ``SteerableConv2d(..., basis=RingBasis(...))``.

    Args:
        rings: radius and width in pixels, and highest angular frequency, of each ring.

    Raises:
        ValueError: if there is no ring, a width is not positive, or a radius or frequency is negative.

    >>> from equisym.groups import SO2, irrep, trivial
    >>> wide = RingBasis(((0.0, 0.5, 0), (1.5, 0.8, 2)))
    >>> wide(trivial(SO2), irrep(SO2, 2), 5).shape
    (2, 2, 1, 25)
    """

    rings: tuple[Ring, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rings", tuple((float(r), float(w), int(m)) for r, w, m in self.rings))
        if not self.rings or any(r < 0 or w <= 0 or m < 0 for r, w, m in self.rings):
            raise ValueError(
                "rings must be triples of a radius of at least 0, a positive width and a highest frequency "
                f"(got {self.rings})"
            )

    def __call__(self, inner: Representation, outer: Representation, kernel_size: int) -> Array:
        """The kernels from a field of ``inner`` to one of ``outer``, sampled at the pixels."""
        return steerable_basis(inner, outer, kernel_size, self.rings)


def rings(kernel_size: int) -> tuple[Ring, ...]:
    """The rings of a kernel where none are chosen.

    One ring per pixel of radius. The frequency rises with the circumference in pixels, 2r, one less on rings of even
    radius, and at most 2 on the last ring, which the corners of the square cut into.
    """
    last = kernel_size // 2
    found = []
    for radius in range(last + 1):
        width = 0.005 if radius == 0 else 0.4 if radius == last else 0.6
        highest = 0 if radius == 0 else min(2 * radius, 2 if radius == last else 2 * radius - (radius + 1) % 2)
        found.append((float(radius), width, highest))
    return tuple(found)


@lru_cache(maxsize=64)
def circular_functions(kernel_size: int, on: tuple[Ring, ...] | None = None) -> list[tuple[int, Array]]:
    """The scalar basis functions of every ring and frequency, sampled at the pixels.

    Args:
        kernel_size: side of the kernel.
        on: the rings; None means :func:`rings`.

    Returns:
        Pairs of a frequency m and an array (1 or 2, k*k): a Gaussian about the ring, times 1 or (cos m phi, sin m phi),
        with phi counter-clockwise as seen on the screen.
    """
    half = (kernel_size - 1) / 2
    y, x = np.meshgrid(*(np.arange(kernel_size) - half,) * 2, indexing="ij")
    radius, phi = np.hypot(x, y).ravel(), np.arctan2(-y, x).ravel()
    found = []
    for ring, width, highest in on or rings(kernel_size):
        profile = np.exp(-((radius - ring) ** 2) / (2 * width**2))
        for m in range(highest + 1):
            off_centre = profile * (radius > 0)  # at the centre only m = 0 has a value
            waves = (profile,) if m == 0 else (off_centre * np.cos(m * phi), off_centre * np.sin(m * phi))
            found.append((m, np.stack(waves)))
    return found


@lru_cache(maxsize=4096)
def irrep_kernels(inner: Irrep, outer: Irrep, m: int) -> Array:
    r"""Kernels of one angular frequency from one irrep to another.

    A kernel is :math:`\sum_a c_a H_a(\phi)` with H = 1 or (cos m phi, sin m phi). It commutes with g if c is left
    unchanged by :math:`\rho_{out}(g) \otimes \rho_{in}(g) \otimes A_m(g)`, where A_m turns H; the projector on such c
    is the mean over the group. Up to a given frequency SO(2) acts as any C_n with enough rotations.

    Returns:
        Orthonormal c, shape (number, outer size, inner size, 1 or 2).
    """
    group = inner.group
    waves = 1 if m == 0 else 2
    shape = (outer.size, inner.size, waves)
    if isinstance(group, ContinuousGroup):
        group = group.finite(inner.frequency + outer.frequency + m + 1)
    projector = np.zeros((math.prod(shape),) * 2)
    for g in range(group.order):
        angle, flip = angle_and_flip(group, g)
        projector += (
            np.kron(np.kron(outer.at(angle, flip), inner.at(angle, flip)), turn_waves(m, angle, flip)) / group.order
        )
    return _canonical_columns(projector).reshape(-1, *shape)


def turn_waves(m: int, angle: float, flip: bool) -> Array:
    """A_m(g), with H_m(g phi) = A_m(g) H_m(phi): a rotation adds to phi, the flip takes phi to pi - phi."""
    if m == 0:
        return np.eye(1)
    cos, sin = math.cos(m * angle), math.sin(m * angle)
    return np.array([[cos, -sin], [sin, cos]]) @ (np.diag([1.0, -1.0]) * (-1) ** m if flip else np.eye(2))


def _canonical_columns(projector: Array) -> Array:
    """Orthonormal rows that span the projector's image, found column by column: the same on every machine."""
    rows: list[Array] = []
    for column in projector.T:
        rest = column.copy()
        for _ in range(2):
            for row in rows:
                rest -= (row @ rest) * row
        norm = np.linalg.norm(rest)
        if norm > 1e-6:
            rows.append(rest / norm)
    return np.array(rows).reshape(len(rows), len(projector))


@lru_cache(maxsize=256)
def steerable_basis(
    inner: Representation, outer: Representation, kernel_size: int, on: tuple[Ring, ...] | None = None
) -> Array:
    r"""All band-limited kernels K with :math:`K(g x) = \rho_{out}(g) K(x) \rho_{in}(g)^{-1}`, sampled at the pixels.

    Args:
        inner: representation of the input field.
        outer: representation of the output field, of the same group.
        kernel_size: side k of the kernel.
        on: the rings that carry the kernels; None means :func:`rings`.

    Returns:
        float64, shape (number, outer size, inner size, k*k), each scaled so that an input of independent unit
        components gives an output of mean square 1.

    Source: Weiler & Cesa, General E(2)-Equivariant Steerable CNNs (2019), equation 3.
    """
    found: list[Array] = []
    outer_start = 0
    for o in outer.irreps:
        inner_start = 0
        outer_part = outer.basis[:, outer_start : outer_start + o.size]
        for i in inner.irreps:
            inner_part = inner.basis[:, inner_start : inner_start + i.size]
            for m, waves in circular_functions(kernel_size, on):
                coefficients = irrep_kernels(i, o, m)
                if len(coefficients):
                    kernels = np.einsum("noiw,wk->noik", coefficients, waves)
                    scale = np.sqrt((kernels**2).sum((1, 2, 3), keepdims=True) / outer.size)
                    seen = scale.ravel() > 1e-6  # a wave can vanish at all pixels
                    kernels = kernels[seen] / scale[seen]
                    found.append(np.einsum("po,noik,qi->npqk", outer_part, kernels, inner_part, optimize=True))
            inner_start += i.size
        outer_start += o.size
    if not found:
        return np.zeros((0, outer.size, inner.size, kernel_size**2))
    basis = np.concatenate(found)
    basis.setflags(write=False)
    return basis


def kernel_space_dimension(inner: Representation, outer: Representation, kernel_size: int) -> int:
    """Free weights of a steerable convolution from one field to another.

    >>> from equisym.groups import C, O2, irrep, regular, trivial
    >>> kernel_space_dimension(trivial(O2), trivial(O2), 5), kernel_space_dimension(irrep(O2, 1), irrep(O2, 1), 5)
    (3, 5)
    >>> kernel_space_dimension(regular(C(4)), regular(C(4)), 3)
    24
    """
    return len(steerable_basis(inner, outer, kernel_size))
