"""Filters from weights as one GPU kernel each way: every number is written once, in the layout that is wanted.

A filter holds each weight once for every element of the group, so forwards there is nothing to compute. The gradient of
a weight is the sum of those of its copies, which are read where they lie.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false
from __future__ import annotations

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor

from equisym.nn.fused import device_of, how_many, power_of_two

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
BLOCK = 512
"""Numbers that a program reads or writes at once."""


def expand(weight: Tensor, index: Tensor, side: int, dtype: torch.dtype, channels_last: bool) -> Tensor:
    """The filters ``[o, g, i, s] = weight[o, i, index[g, s]]`` as ``(out * order, in * inner, side, side)``.

    Args:
        weight: ``(out, in, size)``, size numbers for each pair of fields.
        index: for each element a permutation of them, ``(order, size)``.
        side: of the kernel; s counts its pixels fastest.
        dtype: of the filters.
        channels_last: whether they are written pixel by pixel.
    """
    (out, fields, size), order, pixels = weight.shape, len(index), side**2
    shape = (out * order, fields * (size // pixels), side, side)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    filters = torch.empty(shape, dtype=dtype, device=weight.device, memory_format=layout)
    count = shape[1] if channels_last else fields * size
    block = min(BLOCK, power_of_two(count))
    if filters.numel():
        with device_of(weight):
            _expand[out * order, how_many(count, block)](
                weight.contiguous(), index, filters, order, count, size, pixels, channels_last, block
            )
    return filters


def summed(grad: Tensor, back: Tensor, weight_shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """The gradient of the weights from that of the filters, in any layout, (out, in, size).

    Args:
        grad: ``(out * order, in * inner, side, side)``.
        back: the inverse permutations, ``(order, size)``.
        weight_shape: (out, in, size).
        dtype: of the weights; sums are in float32.
    """
    found = torch.empty(weight_shape, dtype=dtype, device=grad.device)
    (out, fields, size), (order, _), side = weight_shape, back.shape, grad.shape[-1]
    if found.numel():
        with device_of(grad):
            _summed[out, how_many(fields * size, BLOCK)](
                grad, back, found, *grad.stride(), fields * size, size, side, order, BLOCK
            )
    return found


@triton.jit
def _expand(
    weight_ptr,
    index_ptr,
    filters_ptr,
    order,
    count,
    size,
    pixels: tl.constexpr,
    channels_last: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0)  # an element's filter of an output field
    element = row % order
    place = tl.program_id(1) * block + tl.arange(0, block)
    valid = place < count
    kind = filters_ptr.dtype.element_ty
    if channels_last:  # all pixels of some channels, whose weights lie together
        inner = size // pixels
        pair, first = place // inner, (place % inner) * pixels
        weights = weight_ptr + (row // order).to(tl.int64) * (count * pixels) + pair * size
        filters = filters_ptr + row.to(tl.int64) * (count * pixels) + place
        for pixel in tl.static_range(pixels):
            source = tl.load(index_ptr + element * size + first + pixel, mask=valid, other=0)
            value = tl.load(weights + source, mask=valid, other=0.0)
            tl.store(filters + pixel * count, value.to(kind), mask=valid)
    else:
        pair, slot = place // size, place % size
        source = tl.load(index_ptr + element * size + slot, mask=valid, other=0)
        value = tl.load(weight_ptr + (row // order).to(tl.int64) * count + pair * size + source, mask=valid, other=0.0)
        tl.store(filters_ptr + row.to(tl.int64) * count + place, value.to(kind), mask=valid)


@triton.jit
def _summed(
    grad_ptr,
    back_ptr,
    found_ptr,
    grad_out,
    grad_in,
    grad_y,
    grad_x,
    count,
    size,
    side,
    order: tl.constexpr,
    block: tl.constexpr,
):
    field = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * block + tl.arange(0, block)
    valid = place < count
    pair, slot = place // size, place % size
    pixels = side * side
    inner = size // pixels
    total = tl.zeros((block,), tl.float32)
    for g in tl.static_range(order):  # so that all loads are under way at once
        at = tl.load(back_ptr + g * size + slot, mask=valid, other=0)
        channel, pixel = pair * inner + at // pixels, at % pixels
        here = (field * order + g) * grad_out + channel * grad_in + (pixel // side) * grad_y + (pixel % side) * grad_x
        total += tl.load(grad_ptr + here, mask=valid, other=0.0).to(tl.float32)
    tl.store(found_ptr + field * count + place, total.to(found_ptr.dtype.element_ty), mask=valid)
