"""Linear layers, norms and non-linearities on features that stay in irreps: block-diagonal, several times cheaper.

A regular field of a group is, in another basis, one copy of each irrep for each of its dimensions. Features here are
vectors of ``fields * order`` numbers in that basis, sorted by irrep, then component, then copy, then field. A linear
map that commutes with the group connects an irrep only to itself and treats its components alike: for D(4) 12 products
in place of 64 for each pair of fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn import functional

from equisym.groups import PointGroup, regular
from equisym.nn.arguments import check_group, whole
from equisym.nn.constant import ConstantModule
from equisym.nn.kernel import working_dtype

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


def fused_kernels(x: Tensor) -> ModuleType | None:
    """The GPU kernels, where the input is on a GPU and Triton is there."""
    if not isinstance(x, Tensor) or not x.is_cuda or torch.compiler.is_compiling():
        return None
    try:
        from equisym.nn import isotypic_kernel
    except ImportError:
        return None
    return isotypic_kernel


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
        kernels = fused_kernels(x)
        if kernels is not None:
            return kernels.fused_transform(x, self.basis, self.inverse)
        if self.inverse:
            return torch.einsum("gc,...cf->...fg", basis, x.unflatten(-1, (order, -1))).flatten(-2)
        return torch.einsum("gc,...fg->...cf", basis, x.unflatten(-1, (-1, order))).flatten(-2)

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + (", inverse=True" if self.inverse else "")


class IsotypicLinear(nn.Module):
    r"""Linear layer on features in irreps, which commutes with the group: one block for each irrep.

    .. math:: \hat y_{\rho, i} = W_\rho\, \hat x_{\rho, i} \quad (+\, b \text{ on the trivial irrep})

    rho runs over the irreps of ``group`` and i over the components of one; :math:`W_\rho` maps the copies of rho in
    ``in_channels`` fields to those in ``out_channels``. Irreps of size 2 of groups without mirrors also let W turn.

    Args:
        in_channels: regular fields of the input.
        out_channels: regular fields of the output.
        group: the point group.
        bias: whether to add a learned number per field to the trivial irrep.
        device: where to make the weights.
        dtype: of the weights.

    Shape:
        ``(..., in_channels * order)`` -> ``(..., out_channels * order)``, in irreps (:class:`IsotypicTransform`).

    Raises:
        ValueError: at the call for another number of features.

    >>> from equisym.groups import D
    >>> layer = IsotypicLinear(4, 6, group=D(4))
    >>> layer(torch.zeros(2, 32)).shape, layer.ones.numel() + layer.twos.numel()
    (torch.Size([2, 48]), 192)

    Source: Bökman, Edstedt, Felsberg & Kahl, Flopping for FLOPs (2025), section 3, with other groups than the flip.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        group: PointGroup,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_group(group)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.group, self.spectrum = group, spectrum(group)
        known, place = self.spectrum, {"device": device, "dtype": dtype}
        # an irrep of size 2 has two copies that W mixes, or one copy with a matrix a + b J that turns it
        pair = (2 * in_channels, 2 * out_channels) if known.copies == 2 else (2, in_channels, out_channels)
        self.ones = nn.Parameter(torch.empty(known.ones, in_channels, out_channels, **place))
        self.twos = nn.Parameter(torch.empty(known.twos, *pair, **place)) if known.twos else None
        self.bias = nn.Parameter(torch.empty(out_channels, **place)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights with the variance of a dense layer of as many fields; set the bias to zero."""
        nn.init.trunc_normal_(self.ones, std=1 / math.sqrt(self.in_channels))
        if self.twos is not None:
            nn.init.trunc_normal_(self.twos, std=1 / math.sqrt(2 * self.in_channels))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def blocks(self) -> list[Tensor]:
        """The blocks of the matrix, sets of equal size: (number, in, out), in the order of the features."""
        if self.twos is None:
            return [self.ones]
        if self.spectrum.copies == 2:
            return [self.ones, self.twos.repeat_interleave(2, 0)]
        a, b = self.twos.unbind(1)
        return [self.ones, torch.cat((torch.cat((a, b), 2), torch.cat((-b, a), 2)), 1)]

    def forward(self, x: Tensor) -> Tensor:
        needed = self.in_channels * self.group.order
        if isinstance(x, Tensor) and x.shape[-1] != needed:  # a symbolic trace has no shape yet
            raise ValueError(
                f"input must have {needed} features, {self.in_channels} fields of {self.group} (got {x.shape[-1]})"
            )
        dtype = working_dtype(self.ones)
        bias = None if self.bias is None else self.bias.to(dtype)
        return block_diagonal(x.to(dtype), [block.to(dtype) for block in self.blocks()], bias)

    @torch.no_grad()
    def to_plain(self) -> nn.Module:
        """The same function as one graph of torch functions, its blocks made once."""
        return fx.symbolic_trace(_Folded(self.blocks(), self.bias)).train(self.training)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, group={self.group!r}"
        return text + ("" if self.bias is not None else ", bias=False")


def block_diagonal(x: Tensor, blocks: list[Tensor], bias: Tensor | None = None) -> Tensor:
    """Multiply by a block-diagonal matrix; on a GPU each block writes into its columns of one answer.

    Args:
        x: ``(..., in)``.
        blocks: sets of blocks of equal size, (number, in, out) each, along the diagonal.
        bias: added to the first columns.
    """
    if isinstance(x, fx.Proxy) or torch.compiler.is_compiling() or not x.is_cuda:
        parts, start = [], 0
        for block in blocks:
            count, inner = block.shape[:2]
            columns = x.narrow(-1, start, count * inner).unflatten(-1, (count, inner))
            parts.append(torch.einsum("...bi,bio->...bo", columns, block).flatten(-2))
            start += count * inner
        y = torch.cat(parts, -1) if len(parts) > 1 else parts[0]
        width = sum(block.shape[0] * block.shape[2] for block in blocks)
        return y if bias is None else y + functional.pad(bias, (0, width - bias.shape[0]))
    return _BlockDiagonal.apply(x.reshape(-1, x.shape[-1]), bias, *blocks).view(*x.shape[:-1], -1)


class _Folded(nn.Module):
    """Blocks as fixed tensors, to be traced."""

    def __init__(self, blocks: list[Tensor], bias: Tensor | None) -> None:
        super().__init__()
        self.count = len(blocks)
        for number, block in enumerate(blocks):
            self.register_buffer(f"block{number}", block.detach().clone())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        return block_diagonal(x, [self.get_buffer(f"block{i}") for i in range(self.count)], self.bias)


class _BlockDiagonal(torch.autograd.Function):
    """The product by strided batched matrix products that write in place: no copies to cut or to join columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, *blocks: Tensor) -> Tensor:
        ctx.save_for_backward(x, *blocks)
        ctx.biased = 0 if bias is None else len(bias)
        y = _multiply(x, blocks)
        if bias is not None:
            y[:, : len(bias)] += bias
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *blocks = ctx.saved_tensors
        grad = grads[0].contiguous()
        pairs = zip(_columns(x, blocks, 1), _columns(grad, blocks, 2), strict=True)
        weights = [torch.bmm(inner.transpose(1, 2), outer) for inner, outer in pairs]
        bias = grad[:, : ctx.biased].sum(0) if ctx.biased else None
        return _multiply(grad, [block.transpose(1, 2) for block in blocks]), bias, *weights


def _columns(x: Tensor, blocks: Any, axis: int) -> list[Tensor]:
    """For each set of blocks its columns of x as a view, (number, rows, width)."""
    sizes = [block.shape[0] * block.shape[axis] for block in blocks]
    parts = zip(x.split(sizes, 1), blocks, strict=True)
    return [part.unflatten(1, (len(block), -1)).transpose(0, 1) for part, block in parts]


def _multiply(x: Tensor, blocks: Any) -> Tensor:
    y = x.new_empty(len(x), sum(block.shape[0] * block.shape[2] for block in blocks))
    for inner, outer, block in zip(_columns(x, blocks, 1), _columns(y, blocks, 2), blocks, strict=True):
        torch.bmm(inner, block, out=outer)
    return y


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
        kernels = fused_kernels(x)
        if kernels is not None:
            return kernels.fused_pointwise(x, self.basis, self.function)
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
        self.fields, self.group, self.eps = whole("fields", fields), group, eps
        known = spectrum(group)
        copies = known.ones + np.arange(known.twos * known.copies).reshape(known.twos, 1, known.copies).repeat(2, 1)
        self.register_constant("copy_of", np.r_[np.arange(known.ones), copies.ravel()], device=device)
        number = known.ones + known.twos * known.copies
        self.weight = nn.Parameter(torch.ones(number, fields, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
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
        self.fields, self.group, self.spectrum = whole("fields", fields), group, spectrum(group)
        self.out_features = fields * (self.spectrum.ones + self.spectrum.twos * self.spectrum.copies)

    def forward(self, x: Tensor) -> Tensor:
        known, fields = self.spectrum, self.fields
        trivial, odd = x.narrow(-1, 0, fields), x.narrow(-1, fields, (known.ones - 1) * fields).abs()
        if not known.twos:
            return torch.cat((trivial, odd), -1)
        pairs = x.narrow(-1, known.ones * fields, 2 * known.twos * known.copies * fields)
        lengths = torch.linalg.vector_norm(pairs.unflatten(-1, (known.twos, 2, -1)), dim=-2)
        return torch.cat((trivial, odd, lengths.flatten(-2)), -1)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}"
