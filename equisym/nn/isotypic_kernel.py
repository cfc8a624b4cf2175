"""Transform, pointwise function, transform back: one GPU kernel that reads and writes each number once."""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false
from __future__ import annotations

import math
from typing import Any

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor

# In a sum over products the field's factor stands first: with the basis first, Triton makes a matrix product of it from
# 16 components on, whose TensorFloat-32 keeps three digits.
FUNCTIONS = {"gelu": 0, "relu": 1, "silu": 2}
BLOCK = 64


def fused_pointwise(x: Tensor, basis: Tensor, function: str) -> Tensor:
    r"""``Q^T phi(Q x)`` for features ``(..., order * fields)``.

    Args:
        x: features in irreps, the component slowest.
        basis: Q, ``(order, order)``.
        function: one of ``FUNCTIONS``.
    """
    return _Fused.apply(x, basis, FUNCTIONS[function])


def fused_transform(x: Tensor, basis: Tensor, inverse: bool) -> Tensor:
    """Regular fields, the element fastest, to irreps, the component slowest, or back.

    Args:
        x: ``(..., fields * order)``.
        basis: Q, ``(order, order)``, elements by components.
        inverse: whether to go from irreps to regular fields.
    """
    return _Transform.apply(x, basis, inverse)


class _Transform(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, basis: Tensor, inverse: bool) -> Tensor:
        basis = basis.float().contiguous()
        ctx.save_for_backward(basis)
        ctx.inverse = inverse
        return _turn(x.contiguous(), basis, inverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _turn(grads[0].contiguous(), ctx.saved_tensors[0], not ctx.inverse), None, None  # Q is orthogonal


def _turn(x: Tensor, basis: Tensor, inverse: bool) -> Tensor:
    order, y = len(basis), torch.empty_like(x)
    fields, count = x.shape[-1] // order, x.numel() // order
    padded = 2 ** math.ceil(math.log2(order))
    with torch.cuda.device_of(x):
        _change_of_basis[(triton.cdiv(count, BLOCK),)](x, y, basis, count, fields, order, padded, inverse, BLOCK)
    return y


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, basis: Tensor, function: int) -> Tensor:
        x, basis = x.contiguous(), basis.float().contiguous()
        ctx.save_for_backward(x, basis)
        ctx.function = function
        return _launch(x, x, basis, function, backward=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, basis = ctx.saved_tensors
        return _launch(x, grads[0].contiguous(), basis, ctx.function, backward=True), None, None


def _launch(x: Tensor, grad: Tensor, basis: Tensor, function: int, *, backward: bool) -> Tensor:
    order = len(basis)
    y = torch.empty_like(x)
    fields = x.shape[-1] // order
    rows = x.numel() // x.shape[-1]
    padded = 2 ** math.ceil(math.log2(order))
    grid = (triton.cdiv(rows * fields, BLOCK),)
    with torch.cuda.device_of(x):
        _pointwise[grid](x, grad, y, basis, rows * fields, fields, order, padded, function, backward, BLOCK)
    return y


@triton.jit
def _pointwise(
    x_ptr,
    grad_ptr,
    y_ptr,
    basis_ptr,
    count,
    fields,
    order: tl.constexpr,
    padded: tl.constexpr,
    function: tl.constexpr,
    backward: tl.constexpr,
    block: tl.constexpr,
):
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    component = tl.arange(0, padded)
    inside = component < order
    offset = (at // fields)[None, :] * (order * fields) + component[:, None] * fields + (at % fields)[None, :]
    mask = inside[:, None] & (at < count)[None, :]
    square = component[:, None] * order + component[None, :]
    basis = tl.load(basis_ptr + square, mask=inside[:, None] & inside[None, :], other=0.0)  # [g, c]
    x = tl.load(x_ptr + offset, mask=mask, other=0.0).to(tl.float32)
    v = tl.sum(x[None, :, :] * basis[:, :, None], axis=1)  # [g, fields]
    if function == 0:
        phi = 0.5 * (1.0 + tl.erf(v * 0.7071067811865476))
        if backward:
            v = phi + v * tl.exp(-0.5 * v * v) * 0.3989422804014327
        else:
            v = v * phi
    elif function == 1:
        if backward:
            v = tl.where(v > 0, 1.0, 0.0)
        else:
            v = tl.where(v > 0, v, 0.0)
    else:
        s = 1.0 / (1.0 + tl.exp(-v))
        if backward:
            v = s * (1.0 + v * (1.0 - s))
        else:
            v = v * s
    if backward:
        grad = tl.load(grad_ptr + offset, mask=mask, other=0.0).to(tl.float32)
        v = v * tl.sum(grad[None, :, :] * basis[:, :, None], axis=1)
    y = tl.sum(v[:, None, :] * basis[:, :, None], axis=0)  # [c, fields]
    tl.store(y_ptr + offset, y.to(y_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _change_of_basis(
    x_ptr,
    y_ptr,
    basis_ptr,
    count,
    fields,
    order: tl.constexpr,
    padded: tl.constexpr,
    inverse: tl.constexpr,
    block: tl.constexpr,
):
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    component = tl.arange(0, padded)
    inside = component < order
    row, field = (at // fields)[None, :] * (order * fields), (at % fields)[None, :]
    in_irreps = row + component[:, None] * fields + field
    in_fields = row + component[:, None] + field * order
    mask = inside[:, None] & (at < count)[None, :]
    square = component[:, None] * order + component[None, :]
    basis = tl.load(basis_ptr + square, mask=inside[:, None] & inside[None, :], other=0.0)  # [g, c]
    if inverse:
        x = tl.load(x_ptr + in_irreps, mask=mask, other=0.0).to(tl.float32)
        y = tl.sum(x[None, :, :] * basis[:, :, None], axis=1)
        tl.store(y_ptr + in_fields, y.to(y_ptr.dtype.element_ty), mask=mask)
    else:
        x = tl.load(x_ptr + in_fields, mask=mask, other=0.0).to(tl.float32)
        y = tl.sum(x[:, None, :] * basis[:, :, None], axis=0)
        tl.store(y_ptr + in_irreps, y.to(y_ptr.dtype.element_ty), mask=mask)
