"""Steerable convolutions between fields of any representations of C_n, D_n, SO(2) and O(2)."""

from __future__ import annotations

import math
from typing import NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from equisym.nn.arguments import Whole, whole
from equisym.nn.expanded_conv import ConvOptions, ExpandedConv2d, GridOptions
from equisym.nn.field_type import FieldType, check_types
from equisym.nn.kernel import check_kernel_size
from equisym.nn.steerable_kernel import KernelBasis, steerable_basis


class _Block(NamedTuple):
    """The weights from all fields of one representation to all of another."""

    name: str
    """Of the constant that holds the basis."""
    shape: tuple[int, int, int, int]
    """Fields out, fields in, size of an output field, size of an input field."""
    kernels: int
    """Basis kernels of one pair of fields."""
    start: int
    """Where the block's weights begin."""

    @property
    def stop(self) -> int:
        """Where they end."""
        return self.start + self.shape[0] * self.shape[1] * self.kernels


class _SteerableConv(ExpandedConv2d):
    """Weights, bias and their expansion into the filters of a plain convolution."""

    row_order: Tensor | None
    column_order: Tensor | None
    bias_basis: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Whole,
        *,
        groups: int = 1,
        bias: bool = True,
        basis: KernelBasis | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[GridOptions],
    ) -> None:
        check_types((in_type, out_type))
        super().__init__(kernel_size, groups=groups, **options)
        check_kernel_size(self.kernel_size, in_type.group)
        self.in_type, self.out_type, self.basis = in_type, out_type, basis
        place = {"device": device, "dtype": dtype}
        inner = in_type.split(self.groups)
        out_type.split(self.groups)
        self.inner_type = inner
        self._rows: list[list[_Block]] = []  # one list per representation of the output, one block per input's
        rows: list[int] = []
        count = 0
        for a, (outer, row_starts) in enumerate(out_type.distinct):
            rows += [start + p for start in row_starts for p in range(outer.size)]
            self._rows.append([])
            for b, (rep, starts) in enumerate(inner.distinct):
                kernels = (basis or steerable_basis)(rep, outer, self.kernel_size)
                name, shape = f"basis_{a}_{b}", (len(row_starts), len(starts), outer.size, rep.size)
                self.register_constant(name, kernels.reshape(len(kernels), math.prod(kernels.shape[1:])), **place)
                self._rows[-1].append(_Block(name, shape, len(kernels), count))
                count = self._rows[-1][-1].stop
        columns = [start + q for rep, starts in inner.distinct for start in starts for q in range(rep.size)]
        self._reorder("row_order", rows, device)
        self._reorder("column_order", columns, device)
        self.weight = nn.Parameter(torch.empty(count, **place))
        biases = [rep.trivial_basis * math.sqrt(rep.size) for rep in out_type.fields]
        free = sum(b.shape[1] for b in biases)
        if bias and free:
            spread, at = np.zeros((out_type.size, free)), 0
            for start, block in zip(out_type.starts, biases, strict=True):
                spread[start : start + len(block), at : at + block.shape[1]] = block
                at += block.shape[1]
            self.register_constant("bias_basis", spread, **place)
            self.bias = nn.Parameter(torch.zeros(free, **place))
        else:
            self.bias = None
        self.reset_parameters()

    def _reorder(self, name: str, order: list[int], device: torch.device | str | None) -> None:
        """Store the permutation from channels sorted by representation to the type's order, if there is one."""
        if order == sorted(order):
            setattr(self, name, None)
        else:
            self.register_constant(name, np.argsort(order), device=device)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights so that the output has the mean square of the input; set the bias to zero."""
        for row in self._rows:
            sources = sum(block.shape[1] * block.kernels for block in row)
            for block in row:
                self.weight[block.start : block.stop].normal_(0.0, 1 / math.sqrt(max(sources, 1)))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the output."""
        return self.in_type.size, self.out_type.size

    def what_comes(self) -> str:
        """Description of the input's channels, for messages."""
        return str(self.in_type)

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters ``(out, in / groups, k, k)`` and the bias ``(out,)`` of the plain convolution performed."""
        k = self.kernel_size
        rows = []
        for blocks in self._rows:
            row = []
            for block in blocks:
                outs, ins, outer, inner = block.shape
                basis = self.get_buffer(block.name).to(self.weight.dtype)
                weight = self.weight[block.start : block.stop].view(outs * ins, block.kernels)
                turned = (weight @ basis).view(outs, ins, outer, inner, k, k)
                row.append(turned.transpose(1, 2).reshape(outs * outer, ins * inner, k, k))
            rows.append(torch.cat(row, 1) if len(row) > 1 else row[0])
        filters = torch.cat(rows, 0) if len(rows) > 1 else rows[0]
        if self.row_order is not None:
            filters = filters.index_select(0, self.row_order)
        if self.column_order is not None:
            filters = filters.index_select(1, self.column_order)
        bias = None if self.bias is None else self.bias_basis.to(self.bias.dtype) @ self.bias
        return filters, bias

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        basis = "" if self.basis is None else f", basis={self.basis!r}"
        return f"{self.in_type!r}, {self.out_type!r}, {self.kernel_size}{basis}"

    @torch.no_grad()
    def load_filters(self, filters: Tensor, bias: Tensor | None = None) -> float:
        """Set the weights to the best approximation of given plain filters, such as another library's.

        Args:
            filters: expanded filters, ``(out, in / groups, k, k)``.
            bias: expanded bias, ``(out,)``.

        Returns:
            The largest difference that remains, zero up to rounding if the filters are equivariant and band-limited.

        Raises:
            ValueError: if the shapes differ.
        """
        own, _ = self.filters()
        if filters.shape != own.shape:
            raise ValueError(f"filters must have shape {tuple(own.shape)} (got {tuple(filters.shape)})")
        target = filters.to(own.device, torch.float64)
        for blocks, (outer, row_starts) in zip(self._rows, self.out_type.distinct, strict=True):
            rows = [r + p for r in row_starts for p in range(outer.size)]
            for block, (rep, starts) in zip(blocks, self.inner_type.distinct, strict=True):
                columns = [c + q for c in starts for q in range(rep.size)]
                part = target[rows][:, columns].view(len(row_starts), outer.size, len(starts), rep.size, -1)
                part = part.transpose(1, 2).reshape(len(row_starts) * len(starts), -1)
                if block.kernels:
                    basis = torch.from_numpy(self._exact[block.name].copy()).to(target.device)
                    found = torch.linalg.lstsq(basis.T, part.T).solution.T
                    self.weight[block.start : block.stop] = found.reshape(-1).to(self.weight)
        if self.bias is not None and bias is not None:
            spread = torch.from_numpy(self._exact["bias_basis"].copy()).to(target.device)
            self.bias.copy_(torch.linalg.lstsq(spread, bias.to(target)[:, None]).solution[:, 0])
        left = (self.filters()[0].double() - target).abs().max().item()
        if bias is not None:
            own_bias = self.filters()[1]
            reached = torch.zeros_like(bias) if own_bias is None else own_bias
            left = max(left, (reached.to(target) - bias.to(target)).abs().max().item())
        return left


class SteerableConv2d(_SteerableConv):
    r"""Convolution with all kernels that commute with a group, between fields of any representations.

    .. math:: K(g x) = \rho_{out}(g)\, K(x)\, \rho_{in}(g)^{-1} \quad\text{for all } g \in G

    rho_in and rho_out are the representations of ``in_type`` and ``out_type``, G their group and K the kernel of side
    ``kernel_size``. Transforming the input, (g f)(x) = rho_in(g) f(g^-1 x), then transforms the output by rho_out. The
    constraint is solved at construction, by frequency, in exact projectors; the free weights are the coefficients.
    Exact on the pixel grid for the elements that map it to itself; for others the error is that of sampling the image.

    Args:
        in_type: fields of the input.
        out_type: fields of the output, of the same group.
        kernel_size: side of the kernel; even only for C_n and D_n with n dividing 4.
        groups: equal consecutive parts of both types that are connected only to each other.
        bias: whether to add a learned vector that the group leaves unchanged.
        basis: the kernels to combine, such as :class:`RingBasis`; None means one ring per pixel of radius.
        device: where to make the weights.
        dtype: of the weights.
        options: ``stride``, ``padding``, ``dilation`` and ``padding_mode``, as :class:`GroupConv2d` takes them.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H', W')``.

    Raises:
        ValueError: at construction for kernels that cannot be rotated, types of two groups, or types that ``groups``
            does not divide; at the call for a wrong number of channels.

    >>> from equisym.groups import O2, irrep, trivial
    >>> vectors = FieldType.of((2, trivial(O2)), (3, irrep(O2, 1)))
    >>> layer = SteerableConv2d(FieldType.of((1, trivial(O2))), vectors, 5, padding=2)
    >>> layer(torch.zeros(1, 1, 9, 9)).shape, layer.weight.numel()
    (torch.Size([1, 8, 9, 9]), 12)

    Source: Weiler & Cesa, General E(2)-Equivariant Steerable CNNs (2019), equation 3.
    """


class SteerableConvTranspose2d(_SteerableConv):
    r"""Transposed steerable convolution: the output grid is ``stride`` times finer, and the fields transform as before.

    .. math:: (K \star f)(x) = \sum_y K(x - s\,y)\, f(y), \qquad K(g x) = \rho_{out}(g)\, K(x)\, \rho_{in}(g)^{-1}

    Args:
        in_type: fields of the input.
        out_type: fields of the output, of the same group.
        kernel_size: side of the kernel; even only for C_n and D_n with n dividing 4.
        output_padding: as :class:`GroupConvTranspose2d` takes it.
        basis: as :class:`SteerableConv2d` takes it.
        options: ``stride`` (s, the refinement), ``padding`` (what is cut from each side of the full output),
            ``dilation``, ``groups``, ``bias``, ``device`` and ``dtype``.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H', W')`` where
        H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.

    Raises:
        ValueError: at construction for kernels that cannot be rotated or types of two groups; at the call for a wrong
            number of channels.

    >>> from equisym.groups import C
    >>> fields = FieldType.regular(C(4), 2)
    >>> SteerableConvTranspose2d(fields, fields, 3, stride=2, padding=1)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 8, 9, 9])
    """

    transposed = True

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Whole,
        *,
        output_padding: Whole = 0,
        basis: KernelBasis | None = None,
        **options: Unpack[ConvOptions],
    ) -> None:
        super().__init__(in_type, out_type, kernel_size, basis=basis, **options)
        self.output_padding = whole("output_padding", output_padding, 0)
