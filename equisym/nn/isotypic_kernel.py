"""Transform, pointwise function, transform back: one GPU kernel that reads and writes each number once.

A lane holds a whole field in registers, and the entries of the basis are constants of the program, so that zeros cost
nothing.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false
from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from equisym.nn.field_registers import places, read_side_by_side, write_side_by_side
from equisym.nn.fused import device_of, how_many, power_of_two

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
FUNCTIONS = {"gelu": 0, "relu": 1, "silu": 2}
LANES = 4096
"""Numbers that a program holds: with four warps 32 of a thread."""
LARGEST = 24
"""Order of the largest group: beyond, the programs take long to compile."""

Basis = tuple[tuple[float, ...], ...]
"""Elements by components."""


def fused_pointwise(x: Tensor, basis: Basis, function: str) -> Tensor:
    r"""``Q^T phi(Q x)`` for features ``(..., order * fields)``.

    Args:
        x: features in irreps, the component slowest.
        basis: Q.
        function: one of ``FUNCTIONS``.
    """
    return _Fused.apply(x, basis, FUNCTIONS[function])


def fused_transform(x: Tensor, basis: Basis, inverse: bool) -> Tensor:
    """Regular fields, the element fastest, to irreps, the component slowest, or back.

    Args:
        x: ``(..., fields * order)``.
        basis: Q.
        inverse: whether to go from irreps to regular fields.
    """
    return _Transform.apply(x, basis, inverse)


class _Transform(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, basis: Basis, inverse: bool) -> Tensor:
        ctx.basis, ctx.inverse = basis, inverse
        return _turn(x.contiguous(), basis, inverse)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Transform.apply(grads[0], ctx.basis, not ctx.inverse), None, None  # Q is orthogonal


def _turn(x: Tensor, basis: Basis, inverse: bool) -> Tensor:
    y, order = torch.empty_like(x), len(basis)
    grid, sizes, constants = _launch_of(x, basis)
    if x.numel():
        with device_of(x):
            ordered = places(order) if order & (order - 1) == 0 else ()
            _change_of_basis[grid](x, y, *sizes, inverse=inverse, **constants, order_places=ordered)
    return y


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, basis: Basis, function: int) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x)
        ctx.basis, ctx.function = basis, function
        return _applied(x, x, basis, function, backward=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        return _applied(x, grads[0].contiguous(), ctx.basis, ctx.function, backward=True), None, None


def _applied(x: Tensor, grad: Tensor, basis: Basis, function: int, *, backward: bool) -> Tensor:
    y = torch.empty_like(x)
    grid, sizes, constants = _launch_of(x, basis)
    if x.numel():
        with device_of(x):
            _pointwise[grid](x, grad, y, *sizes, function=function, backward=backward, **constants)
    return y


def _launch_of(x: Tensor, basis: Basis) -> tuple[tuple[int], tuple[int, int], dict[str, Any]]:
    """Grid; fields of all vectors and of one; constants."""
    order = len(basis)
    fields, count = x.shape[-1] // order, x.numel() // order
    if count >= 2**31:
        raise ValueError(f"features must hold less than 2 ** 31 fields (got {count}): give fewer at once")
    constants = _constants(basis)
    return (how_many(count, constants["lanes"]),), (count, fields), constants


@lru_cache(maxsize=64)
def _constants(basis: Basis) -> dict[str, Any]:
    flat = tuple(0.0 if abs(q) < 1e-12 else float(q) for row in basis for q in row)
    return {"basis": flat, "order": len(basis), "lanes": max(32, LANES // power_of_two(len(basis)))}


@triton.jit
def _product(x, basis: tl.constexpr, start: tl.constexpr, step: tl.constexpr, order: tl.constexpr):
    """The sum of the numbers of a field times every step-th entry of the basis from start on."""
    y = x[0] * basis[start]
    for i in tl.static_range(1, order):
        if basis[start + i * step] != 0.0:
            y += x[i] * basis[start + i * step]
    return y


@triton.jit
def _lanes(count, fields, lanes: tl.constexpr, order: tl.constexpr):
    """Where each lane's field lies in features and among fields, and which lanes have one, (1, lanes) each."""
    lane = (tl.program_id(0) * lanes + tl.arange(0, lanes))[None, :]
    features = (lane // fields).to(tl.int64) * (order * fields) + lane % fields
    return features, lane.to(tl.int64) * order, lane < count


@triton.jit
def _read(here, step, inside, order: tl.constexpr):
    x = (tl.load(here, mask=inside, other=0.0).to(tl.float32),)
    for i in tl.static_range(1, order):
        x = x + (tl.load(here + i * step, mask=inside, other=0.0).to(tl.float32),)  # noqa: RUF005 - of Triton's
    return x


@triton.jit
def _pointwise(
    x_ptr,
    grad_ptr,
    y_ptr,
    count,
    fields,
    basis: tl.constexpr,
    order: tl.constexpr,
    lanes: tl.constexpr,
    function: tl.constexpr,
    backward: tl.constexpr,
):
    place, _, inside = _lanes(count, fields, lanes, order)
    x = _read(x_ptr + place, fields, inside, order)
    if backward:
        grad = _read(grad_ptr + place, fields, inside, order)
    values = (x[0],)
    for g in tl.static_range(order):
        v = _product(x, basis, g * order, 1, order)
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
            v = v * _product(grad, basis, g * order, 1, order)
        values = values + (v,)  # noqa: RUF005
    values = values[1:]
    for c in tl.static_range(order):
        y = _product(values, basis, c, order, order)
        tl.store(y_ptr + place + c * fields, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["fields"])  # vectors on both sides would lie differently: each would pass shared memory
def _change_of_basis(
    x_ptr,
    y_ptr,
    count,
    fields,
    inverse: tl.constexpr,
    basis: tl.constexpr,
    order: tl.constexpr,
    lanes: tl.constexpr,
    order_places: tl.constexpr,
):
    features, regular, inside = _lanes(count, fields, lanes, order)
    if inverse:
        x = _read(x_ptr + features, fields, inside, order)
    elif len(order_places) > 0:
        x = read_side_by_side(x_ptr + regular, inside, 1, lanes, order, order, order_places)
    else:
        x = _read(x_ptr + regular, 1, inside, order)
    y = (x[0],)
    for i in tl.static_range(order):
        if inverse:
            y = y + (_product(x, basis, i * order, 1, order),)  # noqa: RUF005
        else:
            y = y + (_product(x, basis, i, order, order),)  # noqa: RUF005
    y = y[1:]
    if inverse and len(order_places) > 0:
        write_side_by_side(y_ptr + regular, y, inside, 1, lanes, order, order, order_places)
    else:
        for i in tl.static_range(order):
            if inverse:
                there = y_ptr + regular + i
            else:
                there = y_ptr + features + i * fields
            tl.store(there, y[i].to(y_ptr.dtype.element_ty), mask=inside)
