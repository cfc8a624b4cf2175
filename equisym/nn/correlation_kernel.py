"""Correlation pooling as one GPU kernel each way: every number is read and written once, and nothing but maps is kept.

A lane holds a whole field of one pixel in registers, where moving it by an element of the group is only another name
for each number. A program holds some pixels of one image with all their fields. Its lanes follow the memory: from pixel
to pixel, or in channels_last from field to field. Half-precision input is widened as it is read.
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

from equisym.nn.correlation_forms import Measured
from equisym.nn.field_registers import places, read_side_by_side, write_side_by_side
from equisym.nn.fused import device_of, how_many, power_of_two

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
        sizes = *_numbers(measured, total.shape[2]), fields, eps
        with device_of(x):
            _pool[grid](x, maps, total, *sizes, measured.moved, measured.starts, **_constants(measured, tile, last))
    return maps, total


def pool_gradient(x: Tensor, grad: Tensor, total: Tensor, measured: Measured, eps: float) -> Tensor:
    """The gradient of the fields from that of the maps; the rest as in :func:`pool`."""
    last = _is_channels_last(x)
    form = torch.channels_last if last else torch.contiguous_format
    x, grad = x.contiguous(memory_format=form), grad.contiguous(memory_format=form)
    fields, found = x.shape[1] // measured.order, torch.empty_like(x)
    if found.numel():
        grid, tile = _tile(total, fields, measured.order)
        sizes = *_numbers(measured, total.shape[2]), fields, eps
        tables = measured.moved, measured.back, measured.starts
        with device_of(x):
            _gradient[grid](x, grad, found, total, *sizes, *tables, **_constants(measured, tile, last))
    return found


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _tile(total: Tensor, fields: int, order: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The grid, and the pixels and fields of a program: one or two of a thread, as its registers hold them."""
    wide = power_of_two(fields)
    tall = max(1, min((64 if order <= 12 else 32) * WARPS // wide, power_of_two(total.shape[2])))
    return (len(total), how_many(total.shape[2], tall)), (tall, wide)


def _numbers(measured: Measured, pixels: int) -> tuple[int, int, int]:
    """Pixels, and numbers of a field and of its maps: computed in the kernel these would promise pairs, which cost."""
    return pixels, measured.order * pixels, (1 + len(measured.starts)) * pixels


@lru_cache(maxsize=256)
def _constants(measured: Measured, tile: tuple[int, int], last: bool) -> dict[str, Any]:
    order, classes = measured.order, len(measured.starts) - 1
    room = power_of_two(2 + classes)
    values = order, classes, *tile, last, last and order & (order - 1) == 0, room, places(room)
    names = "order", "classes", "tall", "wide", "last", "packed", "room", "room_places"
    ordered = places(order) if order & (order - 1) == 0 else ()
    return dict(zip(names, values, strict=True)) | {"order_places": ordered, "num_warps": WARPS}


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
def _deviations(
    here,
    step,
    inside,
    tall: tl.constexpr,
    wide: tl.constexpr,
    packed: tl.constexpr,
    order: tl.constexpr,
    order_places: tl.constexpr,
):
    """The mean of each field over the group, and its deviations from it, one of each element."""
    if packed:
        f = read_side_by_side(here, inside, tall, wide, order, order, order_places)
    else:
        f = (tl.load(here, mask=inside, other=0.0).to(tl.float32),)
        for g in tl.static_range(1, order):
            f = f + (tl.load(here + g * step, mask=inside, other=0.0).to(tl.float32),)  # noqa: RUF005 - of Triton's
    mean = f[0]
    for g in tl.static_range(1, order):
        mean += f[g]
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
    pixels,
    x_of_field,
    maps_of_field,
    fields,
    eps,
    moved: tl.constexpr,
    starts: tl.constexpr,
    order: tl.constexpr,
    classes: tl.constexpr,
    tall: tl.constexpr,
    wide: tl.constexpr,
    last: tl.constexpr,
    packed: tl.constexpr,
    room: tl.constexpr,
    room_places: tl.constexpr,
    order_places: tl.constexpr,
):
    image = tl.program_id(0).to(tl.int64)
    over_fields: tl.constexpr = 1 if last else 0  # pyright: ignore[reportAssignmentType]
    pixel, field, inside = _lanes(pixels, fields, tall, wide, last)
    each = tl.program_id(1) * tall + tl.arange(0, tall)  # a pixel of the sums over the fields
    maps_of = fields * (2 + classes) + classes
    x_ptr += image * (fields * order * pixels)
    maps_ptr += image * (maps_of * pixels)
    sums = total_ptr + image * ((1 + starts[classes]) * pixels) + each
    if last:
        step = 1
        here = x_ptr + (pixel * fields + field) * order
        own = maps_ptr + pixel * maps_of + field * (2 + classes)
        together = maps_ptr + each * maps_of + fields * (2 + classes)
    else:
        step = pixels
        here = x_ptr + field * x_of_field + pixel
        own = maps_ptr + field * maps_of_field + pixel
        together = maps_ptr + fields * maps_of_field + each
    kind = maps_ptr.dtype.element_ty

    mean, d = _deviations(here, step, inside, tall, wide, packed, order, order_places)
    c = _correlation(d, moved, 0, order)
    square = tl.sum(c, axis=over_fields)
    tl.store(sums, square, mask=each < pixels)
    deviation = tl.sqrt(c + eps)
    maps = (mean, deviation)
    for k in tl.static_range(classes):
        greatest = _correlation(d, moved, 1 + starts[k], order)
        total = tl.sum(greatest, axis=over_fields)
        tl.store(sums + (1 + starts[k]) * pixels, total, mask=each < pixels)
        for h in tl.static_range(2 + starts[k], 1 + starts[k + 1]):
            c = _correlation(d, moved, h, order)
            summed = tl.sum(c, axis=over_fields)
            tl.store(sums + h * pixels, summed, mask=each < pixels)
            greatest, total = tl.maximum(greatest, c), tl.maximum(total, summed)
        maps = maps + (greatest / deviation,)  # noqa: RUF005
        tl.store(together + k * step, (total / (square + eps)).to(kind), mask=each < pixels)
    if packed:
        write_side_by_side(own, maps, inside, tall, wide, room, 2 + classes, room_places)
    else:
        for k in tl.static_range(2 + classes):
            tl.store(own + k * step, maps[k].to(kind), mask=inside)


@triton.jit
def _gradient(
    x_ptr,
    grad_ptr,
    found_ptr,
    total_ptr,
    pixels,
    x_of_field,
    maps_of_field,
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
    packed: tl.constexpr,
    room: tl.constexpr,
    room_places: tl.constexpr,
    order_places: tl.constexpr,
):
    image = tl.program_id(0).to(tl.int64)
    pixel, field, inside = _lanes(pixels, fields, tall, wide, last)
    maps_of = fields * (2 + classes) + classes
    grad_ptr += image * (maps_of * pixels)
    if last:
        step = 1
        place = image * (fields * order * pixels) + (pixel * fields + field) * order
        own = grad_ptr + pixel * maps_of + field * (2 + classes)
        together = grad_ptr + pixel * maps_of + fields * (2 + classes)
    else:
        step = pixels
        place = image * (fields * order * pixels) + field * x_of_field + pixel
        own = grad_ptr + field * maps_of_field + pixel
        together = grad_ptr + fields * maps_of_field + pixel
    sums = total_ptr + image * ((1 + starts[classes]) * pixels) + pixel
    _, d = _deviations(x_ptr + place, step, inside, tall, wide, packed, order, order_places)
    if packed:
        grads = read_side_by_side(own, inside, tall, wide, room, 2 + classes, room_places)
    else:
        grads = (tl.load(own, mask=inside, other=0.0).to(tl.float32),)
        for k in tl.static_range(1, 2 + classes):
            grads = grads + (tl.load(own + k * step, mask=inside, other=0.0).to(tl.float32),)  # noqa: RUF005
    inverse = tl.rsqrt(_correlation(d, moved, 0, order) + eps)
    square = tl.load(sums, mask=pixel < pixels, other=0.0) + eps
    slope = 0.5 * inverse * grads[1]  # of c(e)
    slopes = (slope,)  # of each c(h), twice where h undoes itself; the first is not used
    for k in tl.static_range(classes):
        to_class = grads[2 + k] * inverse
        joint = tl.load(together + k * step, mask=pixel < pixels, other=0.0).to(tl.float32) / square
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
        slope -= 0.5 * to_class * greatest * inverse * inverse + joint * total / square
        for h in tl.static_range(1 + starts[k], 1 + starts[k + 1]):
            to_c = tl.where(best == h, to_class, 0.0) + tl.where(best_total == h, joint, 0.0)
            if moved[h * order] == back[h * order]:
                to_c += to_c
            slopes = slopes + (to_c,)  # noqa: RUF005
    slope += slope
    found = (grads[0],)
    for g in tl.static_range(order):
        value = grads[0] / order + slope * d[g]
        for h in tl.static_range(1, 1 + starts[classes]):
            if moved[h * order] == back[h * order]:  # h is its own inverse
                value += slopes[h] * d[moved[h * order + g]]
            else:
                value += slopes[h] * (d[moved[h * order + g]] + d[back[h * order + g]])
        found = found + (value,)  # noqa: RUF005
    found = found[1:]
    if packed:
        write_side_by_side(found_ptr + place, found, inside, tall, wide, order, order, order_places)
    else:
        for g in tl.static_range(order):
            tl.store(found_ptr + place + g * step, found[g].to(found_ptr.dtype.element_ty), mask=inside)
