"""Correlation pooling as one GPU kernel each way: every number is read and written once, and nothing but maps is kept.

A lane holds a whole field of one pixel in registers, where moving it by an element of the group is only another name
for each number. A program holds some pixels of one image with all their fields. Its lanes follow the memory: from pixel
to pixel, or in channels_last from field to field. Half-precision input is widened as it is read.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from typing import Any

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor

from equisym.nn.correlation_forms import Measured

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
WARPS = 8
"""Warps of a program."""
LARGEST = 24
"""Order of the largest group: Triton takes a second to compile the kernels for D4, 15 for D12, and then far more."""


def pool(x: Tensor, measured: Measured, eps: float) -> tuple[Tensor, Tensor]:
    """The maps, and each c(h) summed over the fields, which the gradient needs.

    Args:
        x: fields, (B, fields * order, H, W).
        measured: the elements of the group that are measured.
        eps: added to c(e).

    Returns:
        ``(B, fields * (2 + classes) + classes, H, W)`` in x's dtype and memory format, and
        ``(B, measured, H * W)`` in float32.
    """
    fields, classes = x.shape[1] // measured.order, len(measured.starts) - 1
    last = _is_channels_last(x)
    form = torch.channels_last if last else torch.contiguous_format
    x = x.contiguous(memory_format=form)
    size = (len(x), fields * (2 + classes) + classes, *x.shape[2:])
    maps = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=form)
    total = torch.empty(len(x), 1 + measured.starts[-1], x[0, 0].numel(), device=x.device)
    if maps.numel():
        grid, tile = _tile(total, fields, measured.order)
        places = (*_strides(x), *_strides(maps), total.shape[2], fields, eps)
        with torch.cuda.device_of(x):
            _pool[grid](x, maps, total, *places, measured.moved, measured.starts, **_constants(measured, tile, last))
    return maps, total


def pool_gradient(x: Tensor, grad: Tensor, total: Tensor, measured: Measured, eps: float) -> Tensor:
    """The gradient of the fields from that of the maps; the rest as in :func:`pool`."""
    last = _is_channels_last(x)
    form = torch.channels_last if last else torch.contiguous_format
    x, grad = x.contiguous(memory_format=form), grad.contiguous(memory_format=form)
    fields, found = x.shape[1] // measured.order, torch.empty_like(x)
    if found.numel():
        grid, tile = _tile(total, fields, measured.order)
        places = (*_strides(x), *_strides(grad), total.shape[2], fields, eps)
        tables = measured.moved, measured.back, measured.starts
        with torch.cuda.device_of(x):
            _gradient[grid](x, grad, found, total, *places, *tables, **_constants(measured, tile, last))
    return found


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _tile(total: Tensor, fields: int, order: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The grid, and the pixels and fields of a program: one or two of a thread, as its registers hold them."""
    wide = triton.next_power_of_2(fields)
    tall = max(1, min((64 if order <= 12 else 32) * WARPS // wide, triton.next_power_of_2(total.shape[2])))
    return (len(total), triton.cdiv(total.shape[2], tall)), (tall, wide)


def _constants(measured: Measured, tile: tuple[int, int], last: bool) -> dict[str, Any]:
    names = "order", "classes", "tall", "wide", "last", "num_warps"
    return dict(zip(names, (measured.order, len(measured.starts) - 1, *tile, last, WARPS), strict=True))


def _strides(x: Tensor) -> tuple[int, int, int]:
    """From image to image, channel to channel, pixel to pixel."""
    return x.stride(0), x.stride(1), x.stride(3) if x.shape[3] > 1 else x.stride(2)


@triton.jit
def _lanes(pixels, fields, tall: tl.constexpr, wide: tl.constexpr, last: tl.constexpr):
    """Pixel and field of each lane, the neighbour in memory along the last axis, and which lanes there are."""
    pixel, field = tl.program_id(1) * tall + tl.arange(0, tall), tl.arange(0, wide)
    if last:
        pixel, field = pixel[:, None], field[None, :]
    else:
        pixel, field = pixel[None, :], field[:, None]
    return pixel, field, (pixel < pixels) & (field < fields)


@triton.jit
def _deviations(here, step, inside, order: tl.constexpr):
    """The mean of each field over the group, and its deviations from it, one of each element."""
    mean = tl.load(here, mask=inside, other=0.0).to(tl.float32)
    f = (mean,)
    for g in tl.static_range(1, order):
        value = tl.load(here + g * step, mask=inside, other=0.0).to(tl.float32)
        f = f + (value,)  # noqa: RUF005 - a tuple of Triton's
        mean += value
    mean = mean / order
    d = (f[0] - mean,)
    for g in tl.static_range(1, order):
        d = d + (f[g] - mean,)  # noqa: RUF005
    return mean, d


@triton.jit
def _correlation(d, moved: tl.constexpr, h: tl.constexpr, order: tl.constexpr):
    """c(h) of each field."""
    c = d[0] * d[moved[h * order]]
    for g in tl.static_range(1, order):
        c += d[g] * d[moved[h * order + g]]
    return c


@triton.jit
def _pool(
    x_ptr,
    maps_ptr,
    total_ptr,
    x_image,
    x_channel,
    x_pixel,
    maps_image,
    maps_channel,
    maps_pixel,
    pixels,
    fields,
    eps,
    moved: tl.constexpr,
    starts: tl.constexpr,
    order: tl.constexpr,
    classes: tl.constexpr,
    tall: tl.constexpr,
    wide: tl.constexpr,
    last: tl.constexpr,
):
    image = tl.program_id(0).to(tl.int64)
    over_fields: tl.constexpr = 1 if last else 0
    pixel, field, inside = _lanes(pixels, fields, tall, wide, last)
    here = x_ptr + image * x_image + pixel * x_pixel + field * (order * x_channel)
    there = maps_ptr + image * maps_image + pixel * maps_pixel
    own = there + field * ((2 + classes) * maps_channel)
    kind = maps_ptr.dtype.element_ty
    each = tl.program_id(1) * tall + tl.arange(0, tall)  # a pixel of the sums over the fields
    sums = total_ptr + image * ((1 + starts[classes]) * pixels) + each
    together = maps_ptr + image * maps_image + each * maps_pixel + fields * ((2 + classes) * maps_channel)

    mean, d = _deviations(here, x_channel, inside, order)
    c = _correlation(d, moved, 0, order)
    square = tl.sum(c, axis=over_fields)
    tl.store(sums, square, mask=each < pixels)
    deviation = tl.sqrt(c + eps)
    tl.store(own, mean.to(kind), mask=inside)
    tl.store(own + maps_channel, deviation.to(kind), mask=inside)
    for k in tl.static_range(classes):
        greatest = _correlation(d, moved, 1 + starts[k], order)
        total = tl.sum(greatest, axis=over_fields)
        tl.store(sums + (1 + starts[k]) * pixels, total, mask=each < pixels)
        for h in tl.static_range(2 + starts[k], 1 + starts[k + 1]):
            c = _correlation(d, moved, h, order)
            summed = tl.sum(c, axis=over_fields)
            tl.store(sums + h * pixels, summed, mask=each < pixels)
            greatest, total = tl.maximum(greatest, c), tl.maximum(total, summed)
        tl.store(own + (2 + k) * maps_channel, (greatest / deviation).to(kind), mask=inside)
        tl.store(together + k * maps_channel, (total / (square + eps)).to(kind), mask=each < pixels)


@triton.jit
def _gradient(
    x_ptr,
    grad_ptr,
    found_ptr,
    total_ptr,
    x_image,
    x_channel,
    x_pixel,
    grad_image,
    grad_channel,
    grad_pixel,
    pixels,
    fields,
    eps,
    moved: tl.constexpr,
    back: tl.constexpr,
    starts: tl.constexpr,
    order: tl.constexpr,
    classes: tl.constexpr,
    tall: tl.constexpr,
    wide: tl.constexpr,
    last: tl.constexpr,
):
    image = tl.program_id(0).to(tl.int64)
    pixel, field, inside = _lanes(pixels, fields, tall, wide, last)
    place = image * x_image + pixel * x_pixel + field * (order * x_channel)
    all_grads = grad_ptr + image * grad_image + pixel * grad_pixel
    grads = all_grads + field * ((2 + classes) * grad_channel)
    together = all_grads + fields * ((2 + classes) * grad_channel)
    sums = total_ptr + image * ((1 + starts[classes]) * pixels) + pixel
    _, d = _deviations(x_ptr + place, x_channel, inside, order)
    inverse = tl.rsqrt(_correlation(d, moved, 0, order) + eps)
    square = tl.load(sums, mask=pixel < pixels, other=0.0) + eps
    to_mean = tl.load(grads, mask=inside, other=0.0).to(tl.float32) / order
    slope = 0.5 * inverse * tl.load(grads + grad_channel, mask=inside, other=0.0).to(tl.float32)  # of c(e)
    slopes = (slope,)  # of each c(h), twice where h undoes itself; the first is not used
    for k in tl.static_range(classes):
        own = tl.load(grads + (2 + k) * grad_channel, mask=inside, other=0.0).to(tl.float32) * inverse
        joint = tl.load(together + k * grad_channel, mask=pixel < pixels, other=0.0).to(tl.float32) / square
        # the greatest of the class, of the field and of all; the last of equal ones
        greatest = _correlation(d, moved, 1 + starts[k], order)
        best = tl.zeros_like(greatest) + (1 + starts[k])
        total = tl.load(sums + (1 + starts[k]) * pixels, mask=pixel < pixels, other=0.0)
        best_total = tl.zeros_like(total) + (1 + starts[k])
        for h in tl.static_range(2 + starts[k], 1 + starts[k + 1]):
            c = _correlation(d, moved, h, order)
            best, greatest = tl.where(c >= greatest, h, best), tl.maximum(greatest, c)
            summed = tl.load(sums + h * pixels, mask=pixel < pixels, other=0.0)
            best_total, total = tl.where(summed >= total, h, best_total), tl.maximum(total, summed)
        slope -= 0.5 * own * greatest * inverse * inverse + joint * total / square
        for h in tl.static_range(1 + starts[k], 1 + starts[k + 1]):
            to_c = tl.where(best == h, own, 0.0) + tl.where(best_total == h, joint, 0.0)
            if moved[h * order] == back[h * order]:
                to_c += to_c
            slopes = slopes + (to_c,)  # noqa: RUF005
    slope += slope
    for g in tl.static_range(order):
        value = to_mean + slope * d[g]
        for h in tl.static_range(1, 1 + starts[classes]):
            if moved[h * order] == back[h * order]:  # h is its own inverse
                value += slopes[h] * d[moved[h * order + g]]
            else:
                value += slopes[h] * (d[moved[h * order + g]] + d[back[h * order + g]])
        tl.store(found_ptr + place + g * x_channel, value.to(found_ptr.dtype.element_ty), mask=inside)
