"""Features that stay in irreps: the change of basis, norms, non-linearities and invariants.

A regular field of a group is, in another basis, one copy of each irrep for each of its dimensions. Features here are
vectors of ``fields * order`` numbers in that basis, sorted by irrep, then component, then copy, then field.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup, regular
from equisym.nn.arguments import check_group, check_real, count, real
from equisym.nn.constant import ConstantModule
from equisym.nn.fused import fused_kernels

Function = Literal["gelu", "relu", "silu"]


@dataclass(frozen=True)
class Spectrum:
    """How a regular field falls apart into irreps.

    Attributes:
        basis: columns: the components, in the order of the features; ``(order, order)``, orthogonal.
        ones: irreps of size 1, of which a field has one copy each; they come first, the trivial one at the very front.
        twos: irreps of size 2.
        copies: of each irrep of size 2 in a field: 2, or 1 for groups without mirrors, whose irreps of size 2 turn.
    """

    basis: NDArray[np.float64]
    ones: int
    twos: int
    copies: int


@lru_cache(maxsize=64)
def spectrum(group: PointGroup) -> Spectrum:
    """The irreps in the functions on a group, sorted as :class:`IsotypicLinear` wants them."""
    whole_field = regular(group)
    columns: dict[Any, list[NDArray[np.float64]]] = {}
    start = 0
    for part in whole_field.irreps:
        columns.setdefault(part, []).append(np.asarray(whole_field.basis[:, start : start + part.size], np.float64))
        start += part.size
    ones = [p for p in columns if p.size == 1]
    twos = [p for p in columns if p.size == 2]
    ordered = [columns[p][0] for p in ones]
    ordered += [np.stack([copy[:, i] for copy in columns[p]], 1) for p in twos for i in range(2)]
    return Spectrum(np.concatenate(ordered, 1), len(ones), len(twos), len(columns[twos[0]]) if twos else 0)


@lru_cache(maxsize=64)
def _rows(group: PointGroup) -> tuple[tuple[float, ...], ...]:
    """The basis as the GPU kernels take it."""
    return tuple(map(tuple, spectrum(group).basis.tolist()))


class IsotypicTransform(ConstantModule):
    r"""From regular fields to features in irreps, or back: an orthogonal change of basis.

    .. math:: \hat f_c = \sum_g Q_{g c}\, f(g)

    Args:
        group: the point group of the fields; g runs over its elements, and Q are its irreps' matrix entries.
        inverse: whether to go back to regular fields.

    Shape:
        ``(..., fields * order)`` with the element fastest -> the same with the component slowest; inverse: back.

    >>> from equisym.groups import D
    >>> x = torch.randn(2, 24)
    >>> back = IsotypicTransform(group=D(4), inverse=True)(IsotypicTransform(group=D(4))(x))
    >>> bool(torch.allclose(back, x, atol=1e-5))
    True
    """

    basis: Tensor

    def __init__(self, *, group: PointGroup, inverse: bool = False) -> None:
        super().__init__()
        check_group(group)
        self.group, self.inverse = group, inverse
        self.register_constant("basis", spectrum(group).basis)

    def forward(self, x: Tensor) -> Tensor:
        basis, order = self.basis.to(x.dtype), self.group.order
        kernels = fused_kernels(x, "isotypic_kernel")
        if kernels is not None and x.dtype in kernels.DTYPES and order <= kernels.LARGEST:
            return kernels.fused_transform(x, _rows(self.group), self.inverse)
        if self.inverse:
            return torch.einsum("gc,...cf->...fg", basis, x.unflatten(-1, (order, -1))).flatten(-2)
        return torch.einsum("gc,...fg->...cf", basis, x.unflatten(-1, (-1, order))).flatten(-2)

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + (", inverse=True" if self.inverse else "")


class IsotypicNonlinearity(ConstantModule):
    r"""A pointwise function of the regular fields whose irreps the features are, in one pass on a GPU.

    .. math:: \hat y = Q^\top \phi(Q\, \hat x)

    Q is the transform back to regular fields, which the group permutes, so that every function phi commutes with it.

    Args:
        group: the point group.
        function: phi: ``"gelu"``, ``"relu"`` or ``"silu"``.

    Shape:
        ``(..., fields * order)`` in irreps -> the same.

    Raises:
        ValueError: at construction for another function.

    >>> from equisym.groups import C
    >>> IsotypicNonlinearity(group=C(4))(torch.randn(2, 12)).shape
    torch.Size([2, 12])
    """

    basis: Tensor

    def __init__(self, *, group: PointGroup, function: Function = "gelu") -> None:
        super().__init__()
        check_group(group)
        if function not in get_args(Function):
            raise ValueError(f"function must be one of {', '.join(get_args(Function))} (got {function!r})")
        self.group, self.function = group, function
        self.register_constant("basis", spectrum(group).basis)

    def forward(self, x: Tensor) -> Tensor:
        kernels = fused_kernels(x, "isotypic_kernel")
        if kernels is not None and x.dtype in kernels.DTYPES and self.group.order <= kernels.LARGEST:
            return kernels.fused_pointwise(x, _rows(self.group), self.function)
        basis = self.basis.to(x.dtype)
        values = getattr(functional, self.function)(basis @ x.unflatten(-1, (self.group.order, -1)))
        return (basis.T @ values).flatten(-2)

    def extra_repr(self) -> str:
        return f"group={self.group!r}, function={self.function!r}"


class IsotypicNorm(ConstantModule):
    r"""Divide each vector of features by its root mean square, then scale each copy of an irrep.

    .. math:: \hat y = \gamma\, \frac{\hat x}{\sqrt{\overline{\hat x^2} + \epsilon}}

    The mean runs over all features of a vector; the group, whose matrices are orthogonal, leaves it unchanged.

    Args:
        fields: regular fields of input and output.
        group: the point group.
        eps: added to the mean square.
        device: where to make the scales.
        dtype: of the scales.

    Shape:
        ``(..., fields * order)`` in irreps -> the same.

    >>> from equisym.groups import D
    >>> IsotypicNorm(3, group=D(4))(torch.randn(2, 24)).square().mean().round(decimals=2)
    tensor(1., grad_fn=<RoundBackward1>)

    Source: Zhang & Sennrich, Root Mean Square Layer Normalization (2019), equation 4.
    """

    copy_of: Tensor

    def __init__(
        self,
        fields: int,
        *,
        group: PointGroup,
        eps: float = 1e-6,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_group(group)
        self.fields, self.group, self.eps = count("fields", fields), group, real("eps", eps)
        known = spectrum(group)
        copies = known.ones + np.arange(known.twos * known.copies).reshape(known.twos, 1, known.copies).repeat(2, 1)
        self.register_constant("copy_of", np.r_[np.arange(known.ones), copies.ravel()], device=device)
        number = known.ones + known.twos * known.copies
        self.weight = nn.Parameter(torch.ones(number, fields, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        check_real(x)
        scale = self.weight.index_select(0, self.copy_of).flatten().to(x.dtype)
        return functional.rms_norm(x, (self.fields * self.group.order,), scale, self.eps)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}, eps={self.eps:g}"


class IsotypicInvariants(nn.Module):
    """What the group leaves unchanged of features in irreps: the trivial irrep, and the length of each other copy.

    Args:
        fields: regular fields of the input.
        group: the point group.

    Shape:
        ``(..., fields * order)`` in irreps -> ``(..., fields * irreps)``, each copy of an irrep counted.

    >>> from equisym.groups import D
    >>> IsotypicInvariants(3, group=D(4))(torch.randn(2, 24)).shape
    torch.Size([2, 18])
    """

    def __init__(self, fields: int, *, group: PointGroup) -> None:
        super().__init__()
        check_group(group)
        self.fields, self.group, self.spectrum = count("fields", fields), group, spectrum(group)
        self.out_features = fields * (self.spectrum.ones + self.spectrum.twos * self.spectrum.copies)

    def forward(self, x: Tensor) -> Tensor:
        check_real(x)
        known, fields = self.spectrum, self.fields
        trivial, odd = x.narrow(-1, 0, fields), x.narrow(-1, fields, (known.ones - 1) * fields).abs()
        if not known.twos:
            return torch.cat((trivial, odd), -1)
        pairs = x.narrow(-1, known.ones * fields, 2 * known.twos * known.copies * fields)
        lengths = torch.linalg.vector_norm(pairs.unflatten(-1, (known.twos, 2, -1)), dim=-2)
        return torch.cat((trivial, odd, lengths.flatten(-2)), -1)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}"
