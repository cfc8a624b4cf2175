"""Steerable convolutions between fields of any representations of C_n, D_n, SO(2) and O(2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types
from equisym.nn.steerable_kernel import steerable_basis


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


class _SteerableConv(ConstantModule):
    """Weights, bias and their expansion into the filters of a plain convolution."""

    row_order: Tensor | None
    column_order: Tensor | None
    bias_basis: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
        bias: bool,
    ) -> None:
        super().__init__()
        check_types((in_type, out_type))
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd and positive (got {kernel_size}): an even kernel has no centre pixel to "
                f"rotate about; use {max(kernel_size - 1, 1)} or {kernel_size + 1}"
            )
        for name, value, least in (("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least} (got {value})")
        self.in_type, self.out_type, self.kernel_size = in_type, out_type, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        inner = in_type.split(groups)
        out_type.split(groups)
        self.inner_type = inner
        self._rows: list[list[_Block]] = []  # one list per representation of the output, one block per input's
        rows: list[int] = []
        count = 0
        for a, (outer, row_starts) in enumerate(out_type.distinct):
            rows += [start + p for start in row_starts for p in range(outer.size)]
            self._rows.append([])
            for b, (rep, starts) in enumerate(inner.distinct):
                basis = steerable_basis(rep, outer, kernel_size)
                name, shape = f"basis_{a}_{b}", (len(row_starts), len(starts), outer.size, rep.size)
                self.register_constant(name, basis.reshape(len(basis), math.prod(basis.shape[1:])))
                self._rows[-1].append(_Block(name, shape, len(basis), count))
                count = self._rows[-1][-1].stop
        columns = [start + q for rep, starts in inner.distinct for start in starts for q in range(rep.size)]
        self._reorder("row_order", rows)
        self._reorder("column_order", columns)
        self.weight = nn.Parameter(torch.empty(count))
        biases = [rep.trivial_basis * math.sqrt(rep.size) for rep in out_type.fields]
        free = sum(b.shape[1] for b in biases)
        if bias and free:
            spread, at = np.zeros((out_type.size, free)), 0
            for start, block in zip(out_type.starts, biases, strict=True):
                spread[start : start + len(block), at : at + block.shape[1]] = block
                at += block.shape[1]
            self.register_constant("bias_basis", spread)
            self.bias = nn.Parameter(torch.zeros(free))
        else:
            self.bias = None
        self.reset_parameters()

    def _reorder(self, name: str, order: list[int]) -> None:
        """Keep the gather that brings channels sorted by representation back to the type's order, if it is one."""
        if order == sorted(order):
            setattr(self, name, None)
        else:
            self.register_buffer(name, torch.argsort(torch.tensor(order)), persistent=False)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights so that the output has the mean square of the input; set the bias to zero."""
        for row in self._rows:
            sources = sum(block.shape[1] * block.kernels for block in row)
            for block in row:
                self.weight[block.start : block.stop].normal_(0.0, 1 / math.sqrt(max(sources, 1)))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

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

    def extra_repr(self) -> str:
        text = f"{self.in_type!r}, {self.out_type!r}, {self.kernel_size}"
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        return text + (", bias=False" if self.bias is None else "")


class SteerableConv2d(_SteerableConv):
    r"""Convolution with all kernels that commute with a group, between fields of any representations.

    .. math:: K(g x) = \rho_{out}(g)\, K(x)\, \rho_{in}(g)^{-1} \quad\text{for all } g \in G

    rho_in and rho_out are the representations of ``in_type`` and ``out_type``, G their group and K the kernel of side
    ``kernel_size``. Turning the input, (g f)(x) = rho_in(g) f(g^-1 x), then turns the output by rho_out. The constraint
    is solved at construction, by frequency, in exact projectors; the free weights are the coefficients. Exact on the
    pixel grid for the elements that map it to itself; for others the error is that of sampling the image.

    Args:
        in_type: fields of the input.
        out_type: fields of the output, of the same group.
        kernel_size: side of the kernel, odd.
        stride: step; 2 keeps the symmetry when the padded size minus the kernel is even.
        padding: zeros added on each side.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts of both types that are connected only to each other.
        bias: whether to add a learned vector that the group leaves unchanged.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H', W')``.

    Raises:
        ValueError: at construction for even kernels, types of two groups, or types that ``groups`` does not divide;
            at the call for a wrong number of channels.

    >>> from equisym.groups import O2, irrep, trivial
    >>> vectors = FieldType.of((2, trivial(O2)), (3, irrep(O2, 1)))
    >>> layer = SteerableConv2d(FieldType.of((1, trivial(O2))), vectors, 5, padding=2)
    >>> layer(torch.zeros(1, 1, 9, 9)).shape, layer.weight.numel()
    (torch.Size([1, 8, 9, 9]), 12)

    Source: Weiler & Cesa, General E(2)-Equivariant Steerable CNNs (2019), equation 3.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_type,
            out_type,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        weight, bias = self.filters()
        return functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    @torch.no_grad()
    def to_plain(self) -> nn.Conv2d:
        """The same function as an ordinary :class:`torch.nn.Conv2d`."""
        weight, bias = self.filters()
        plain = nn.Conv2d(
            self.in_type.size,
            self.out_type.size,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias=bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        plain.weight.copy_(weight)
        if plain.bias is not None and bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)

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
            left = max(left, (reached.double() - bias.double()).abs().max().item())
        return left


class SteerableConvTranspose2d(_SteerableConv):
    r"""Transposed steerable convolution: the output grid is ``stride`` times finer, and the fields turn as before.

    .. math:: (K \star f)(x) = \sum_y K(x - s\,y)\, f(y), \qquad K(g x) = \rho_{out}(g)\, K(x)\, \rho_{in}(g)^{-1}

    Args:
        in_type: fields of the input.
        out_type: fields of the output, of the same group.
        kernel_size: side of the kernel, odd.
        stride: s, the refinement.
        padding: rows and columns cut from each side of the full output.
        bias: whether to add a learned vector that the group leaves unchanged.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H', W')`` where
        H' = (H - 1) stride - 2 padding + kernel_size.

    Raises:
        ValueError: at construction for even kernels or types of two groups; at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> fields = FieldType.regular(C(4), 2)
    >>> SteerableConvTranspose2d(fields, fields, 3, stride=2, padding=1)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 8, 9, 9])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_type, out_type, kernel_size, stride=stride, padding=padding, dilation=1, groups=1, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        weight, bias = self.filters()
        return functional.conv_transpose2d(x, weight.transpose(0, 1), bias, self.stride, self.padding)

    @torch.no_grad()
    def to_plain(self) -> nn.ConvTranspose2d:
        """The same function as an ordinary :class:`torch.nn.ConvTranspose2d`."""
        weight, bias = self.filters()
        plain = nn.ConvTranspose2d(
            self.in_type.size,
            self.out_type.size,
            self.kernel_size,
            self.stride,
            self.padding,
            bias=bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        plain.weight.copy_(weight.transpose(0, 1))
        if plain.bias is not None and bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)
