"""Linear layer on features that stay in irreps: block-diagonal, several times cheaper than a dense one.

A linear map that commutes with the group connects an irrep only to itself and treats its components alike: for D(4) 12
products in place of 64 for each pair of fields.
"""

from __future__ import annotations

import math
from typing import Any, Unpack

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.nn.arguments import Place, check_group, check_real, count
from equisym.nn.isotypic import spectrum
from equisym.nn.weight_expansion import working_dtype


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
        **place: Unpack[Place],
    ) -> None:
        super().__init__()
        check_group(group)
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)
        self.group, self.spectrum = group, spectrum(group)
        known = self.spectrum
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
        if isinstance(x, Tensor) and not self.ones.is_complex():
            check_real(x)
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
