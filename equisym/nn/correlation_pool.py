"""Correlation pooling: from regular fields to maps that say how symmetric each field is about each pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from equisym.groups import PointGroup
from equisym.nn.constant import ConstantModule
from equisym.nn.group_conv import check_group


class CorrelationPool2d(ConstantModule):
    r"""Correlate each regular field with itself under every element of the group, at each pixel.

    .. math:: c(h, x) = \sum_{g} d(g, x)\, d(h g, x), \qquad d(g, x) = f(g, x) - \frac{1}{|G|} \sum_{g} f(g, x)

    f is one of the regular fields of ``group``, g and h run over its elements. c(h, x) reaches c(e, x) exactly where
    the field about x is unchanged by h: every learned feature becomes a symmetry filter. If the image is turned by k,
    then c(h, .) goes to c(k^-1 h k, .) moved by k; the greatest value over all elements that are conjugate to h or to
    its inverse is therefore a map that turns as images do. Such a set is called a class here; they are in ``classes``.

    Each field gives 2 + len(classes) maps: its mean over the group, its deviation |d| = sqrt(c(e)), and for each class
    the greatest c(h) / |d|. Behind the maps of all fields come len(classes) more: the same for all fields together,
    the greatest sum of c(h) over the sum of c(e), from -1 to 1.

    Args:
        group: the point group of the fields, with more than one element.
        eps: added to c(e), so that a field without deviation has a gradient.

    Attributes:
        classes: the elements of each class, without that of the identity.

    Shape:
        ``(B, fields * order, H, W)`` -> ``(B, self.out_channels(fields), H, W)``.

    Raises:
        ValueError: at construction for a group of one element; at the call if the order does not divide the channels.

    >>> from equisym.groups import D
    >>> pool = CorrelationPool2d(group=D(4))
    >>> pool.classes
    ((1, 3), (2,), (4, 6), (5, 7))
    >>> pool(torch.randn(1, 16, 5, 5)).shape, pool.out_channels(2)
    (torch.Size([1, 16, 5, 5]), 16)

    Source: the symmetry filter of the published comparison, one minus the spread of the answers of a turned kernel,
    made exact and learned.
    """

    to_irreps: Tensor
    to_correlations: Tensor

    def __init__(self, *, group: PointGroup, eps: float = 1e-6) -> None:
        super().__init__()
        check_group(group)
        if group.order < 2:
            raise ValueError(f"group must have an element besides the identity (got {group}): try C2, D1 or larger")
        self.group, self.eps = group, eps
        self.classes = _classes(group)
        self._waves = (group.n - 1) // 2
        # c(r^k) = c(r^-k), so half of the rotations are measured; then all reflections.
        self._measured = (*range(1, group.n // 2 + 1), *range(group.n, group.order))
        self._members = tuple(
            tuple(sorted({self._measured.index(min(h, group.inverse(h))) for h in members})) for members in self.classes
        )
        self.register_constant("to_irreps", _to_irreps(group))
        self.register_constant("to_correlations", _to_correlations(group, (0, *self._measured)))

    def out_channels(self, fields: int) -> int:
        """Maps that this many fields give."""
        return fields * (2 + len(self.classes)) + len(self.classes)

    def correlations(self, x: Tensor) -> Tensor:
        """c(h, x) of each field for all elements h, ``(B, fields * order, H, W)`` -> ``(B, fields, order, H, W)``."""
        self._check(x)
        _, c = self._measure(x)
        measured = (0, *self._measured)
        order = [measured.index(h if h >= self.group.n else min(h, self.group.inverse(h))) for h in range(self.order)]
        return c[:, :, order].unflatten(3, x.shape[-2:])

    @property
    def order(self) -> int:
        """Elements of the group."""
        return self.group.order

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        with torch.autocast(x.device.type, enabled=False):  # squares, and differences of near equals, need float32
            low = x.dtype in (torch.float16, torch.bfloat16)
            return self._pool(x.float()).to(x.dtype) if low else self._pool(x)

    def _check(self, x: Tensor) -> None:
        if x.shape[1] % self.order:
            raise ValueError(
                f"input must have a multiple of {self.order} channels, fields of {self.group} (got {x.shape[1]})"
            )

    def _measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over the group, (B, F, 1, P), and c of the identity and the measured elements, (B, F, 1 + n, P)."""
        y = self.to_irreps @ x.flatten(2).unflatten(1, (-1, self.order))
        waves, ends = self._waves, 1 if self.group.n % 2 == 0 else 0
        # Invariant part; sign of the reflections; alternating signs; cosines; sines; the last three of a, then of b.
        if self.group.mirrors:
            mean, sign, a_end, b_end, a_cos, a_sin, b_cos, b_sin = y.split([1, 1, ends, ends, *[waves] * 4], 2)
            powers = a_cos * a_cos + a_sin * a_sin + (b_cos * b_cos + b_sin * b_sin)
            real, imaginary = a_cos * b_cos - a_sin * b_sin, a_cos * b_sin + a_sin * b_cos
            parts = [sign * sign, a_end * a_end + b_end * b_end, a_end * b_end, powers, real, imaginary]
        else:
            mean, a_end, a_cos, a_sin = y.split([1, ends, waves, waves], 2)
            parts = [a_end * a_end, a_cos * a_cos + a_sin * a_sin]
        return mean, self.to_correlations @ torch.cat(parts, 2)

    def _pool(self, x: Tensor) -> Tensor:
        mean, c = self._measure(x)
        square, rest = c.split([1, len(self._measured)], 2)
        deviation = (square + self.eps).sqrt()
        together = rest.sum(1) / (square.sum(1) + self.eps)
        each = torch.cat([mean / math.sqrt(self.order), deviation, *self._greatest(rest / deviation, 2)], 2)
        return torch.cat([each.flatten(1, 2), *self._greatest(together, 1)], 1).unflatten(2, x.shape[-2:])

    def _greatest(self, c: Tensor, dim: int) -> list[Tensor]:
        found = []
        for members in self._members:
            values = [c.narrow(dim, index, 1) for index in members]
            greatest = values[0]
            for value in values[1:]:
                greatest = torch.maximum(greatest, value)
            found.append(greatest)
        return found

    def to_plain(self) -> fx.GraphModule:
        """The same function as one graph of torch functions."""
        return fx.symbolic_trace(_Unchecked(self))

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + (f", eps={self.eps:g}" if self.eps != 1e-6 else "")


class _Unchecked(nn.Module):
    """The arithmetic alone, which a symbolic trace can follow."""

    def __init__(self, pool: CorrelationPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool._pool(x)


def _classes(group: PointGroup) -> tuple[tuple[int, ...], ...]:
    """Sets of elements that are conjugate to each other or to each other's inverses, but for the identity."""
    table, inverse = group.product_table, group.inverse_table
    found: list[tuple[int, ...]] = []
    for h in range(1, group.order):
        if not any(h in members for members in found):
            conjugates = {int(table[table[inverse[k], h], k]) for k in range(group.order)}
            found.append(tuple(sorted(conjugates | {int(inverse[g]) for g in conjugates})))
    return tuple(found)


def _to_irreps(group: PointGroup) -> NDArray[np.float64]:
    """The orthogonal matrix from a field to its Fourier coefficients, in the order that the layer splits them."""
    n = group.n
    angles = 2 * math.pi * np.outer(np.arange(1, (n - 1) // 2 + 1), np.arange(n)) / n
    alternating = np.array([(-1.0) ** np.arange(n)])[: 1 if n % 2 == 0 else 0]
    waves = [alternating / math.sqrt(n), math.sqrt(2 / n) * np.cos(angles), math.sqrt(2 / n) * np.sin(angles)]
    one = np.ones((1, n)) / math.sqrt(group.order)
    if not group.mirrors:
        return np.concatenate([one, *waves])
    end, cos, sin = waves
    rotations = [np.pad(rows, ((0, 0), (0, n))) for rows in (end, cos, sin)]
    mirrors = [np.pad(rows, ((0, 0), (n, 0))) for rows in (end, cos, sin)]
    ends = [rotations[0], mirrors[0]]
    return np.concatenate([np.hstack([one, one]), np.hstack([one, -one]), *ends, *rotations[1:], *mirrors[1:]])


def _to_correlations(group: PointGroup, elements: Sequence[int]) -> NDArray[np.float64]:
    """The matrix from products of Fourier coefficients to c(h), one row for each element h."""
    n, rows = group.n, []
    for h in elements:
        k, mirror = h % n, h >= n
        angles = 2 * math.pi * k * np.arange(1, (n - 1) // 2 + 1) / n
        ends = [(-1.0) ** k] if n % 2 == 0 else []
        none, never = [0.0] * len(angles), [0.0] * len(ends)
        if not group.mirrors:
            rows.append([*ends, *np.cos(angles)])
        elif mirror:
            rows.append([-1.0, *never, *(2 * e for e in ends), *none, *(2 * np.cos(angles)), *(2 * np.sin(angles))])
        else:
            rows.append([1.0, *ends, *never, *np.cos(angles), *none, *none])
    return np.array(rows)
