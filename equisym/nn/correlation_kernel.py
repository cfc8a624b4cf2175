"""Correlation pooling as one GPU kernel each way: every number is read from memory once, and nothing but maps is kept.

Each program holds some pixels of one image. It goes through the fields; the field moved by an element is read again,
from the cache. Half-precision input is widened as it is read.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

import math

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
BLOCK = 128


def pool(x: Tensor, moved: Tensor, classes: Tensor, count: int, eps: float) -> tuple[Tensor, Tensor]:
    """The maps, and each c(h) summed over the fields, which the gradient needs.

    Args:
        x: fields, (B, fields * order, H, W).
        moved: for each measured element h, the identity first, where each hg lies, and then where each h^-1 g lies,
            (2, measured, order).
        classes: of each measured element, -1 for the identity, (measured,).
        count: classes.
        eps: added to c(e).

    Returns:
        ``(B, fields * (2 + classes) + classes, H, W)`` in x's dtype and memory format, and
        ``(B, measured, H * W)`` in float32.
    """
    fields, last = x.shape[1] // moved.shape[2], x.is_contiguous(memory_format=torch.channels_last)
    form = torch.channels_last if last and not x.is_contiguous() else torch.contiguous_format
    size = (len(x), fields * (2 + count) + count, *x.shape[2:])
    maps = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=form)
    x = x.contiguous()  # so that a thread holds a whole field of its pixel
    total = torch.empty(len(x), len(classes), x[0, 0].numel(), device=x.device)
    if maps.numel():
        grid = (len(x), triton.cdiv(total.shape[2], BLOCK))
        shape = _shape(moved, count)
        places = (*_strides(x), *_strides(maps), total.shape[2], fields, eps)
        with torch.cuda.device_of(x):
            _pool[grid](x, maps, total, moved, classes, *places, **shape)
    return maps, total


def pool_gradient(x: Tensor, grad: Tensor, total: Tensor, moved: Tensor, classes: Tensor, eps: float) -> Tensor:
    """The gradient of the fields from that of the maps; the rest as in :func:`pool`."""
    x, grad = _evenly_strided(x), _evenly_strided(grad)
    fields, found, x = x.shape[1] // moved.shape[2], torch.empty_like(x), x.contiguous()
    count = (grad.shape[1] - 2 * fields) // (fields + 1)
    if found.numel():
        grid = (len(x), triton.cdiv(total.shape[2], BLOCK), fields)
        places = (*_strides(x), *_strides(grad), *_strides(found), total.shape[2], fields, eps)
        with torch.cuda.device_of(x):
            _gradient[grid](x, grad, found, total, moved, classes, *places, **_shape(moved, count))
    return found


def _shape(moved: Tensor, classes: int) -> dict[str, int]:
    measured, order = moved.shape[1:]
    wide, tall = (2 ** math.ceil(math.log2(n)) for n in (order, measured))
    return {"order": order, "wide": wide, "measured": measured, "tall": tall, "classes": classes, "block": BLOCK}


def _evenly_strided(x: Tensor) -> Tensor:
    """With one step in memory from each pixel to the next."""
    even = x.shape[2] == 1 or x.shape[3] == 1 or x.stride(2) == x.shape[3] * x.stride(3)
    return x if even else x.contiguous()


def _strides(x: Tensor) -> tuple[int, int, int]:
    """From image to image, channel to channel, pixel to pixel."""
    return x.stride(0), x.stride(1), x.stride(3) if x.shape[3] > 1 else x.stride(2)


@triton.jit
def _field(here, moved_ptr, element, valid, step, order: tl.constexpr, wide: tl.constexpr):
    """A field at some pixels, moved by an element: (block, wide), zero behind the order."""
    g = tl.arange(0, wide)
    row = tl.load(moved_ptr + element * order + g, mask=g < order, other=0)
    mask = valid[:, None] & (g < order)[None, :]
    return tl.load(here[:, None] + row[None, :] * step, mask=mask, other=0.0).to(tl.float32), mask


@triton.jit
def _correlations(
    here, moved_ptr, valid, step, order: tl.constexpr, wide: tl.constexpr, measured: tl.constexpr, tall: tl.constexpr
):
    """Mean of a field over the group (block,), and its c(h), (block, tall)."""
    column = tl.arange(0, tall)[None, :]
    f, mask = _field(here, moved_ptr, 0, valid, step, order, wide)
    mean = tl.sum(f, axis=1) / order
    d = tl.where(mask, f - mean[:, None], 0.0)
    c = tl.where(column == 0, tl.sum(d * d, axis=1)[:, None], 0.0)
    for h in range(1, measured):
        other, _ = _field(here, moved_ptr, h, valid, step, order, wide)
        c = tl.where(column == h, tl.sum(d * (other - mean[:, None]), axis=1)[:, None], c)
    return mean, c


@triton.jit
def _pool(
    x_ptr,
    maps_ptr,
    total_ptr,
    moved_ptr,
    classes_ptr,
    x_image,
    x_channel,
    x_pixel,
    maps_image,
    maps_channel,
    maps_pixel,
    pixels,
    fields,
    eps,
    order: tl.constexpr,
    wide: tl.constexpr,
    measured: tl.constexpr,
    tall: tl.constexpr,
    classes: tl.constexpr,
    block: tl.constexpr,
):
    image = tl.program_id(0).to(tl.int64)
    pixel = tl.program_id(1) * block + tl.arange(0, block)
    valid = pixel < pixels
    here = x_ptr + image * x_image + pixel * x_pixel
    there = maps_ptr + image * maps_image + pixel * maps_pixel
    kind = maps_ptr.dtype.element_ty
    column = tl.arange(0, tall)
    class_of = tl.load(classes_ptr + column, mask=column < measured, other=-1)[None, :]
    total = tl.zeros((block, tall), tl.float32)
    for _ in range(fields):
        mean, c = _correlations(here, moved_ptr, valid, x_channel, order, wide, measured, tall)
        total += c
        deviation = tl.sqrt(tl.sum(tl.where(column[None, :] == 0, c, 0.0), axis=1) + eps)
        tl.store(there, mean.to(kind), mask=valid)
        tl.store(there + maps_channel, deviation.to(kind), mask=valid)
        for k in range(classes):
            greatest = tl.max(tl.where(class_of == k, c, float("-inf")), axis=1)
            tl.store(there + (2 + k) * maps_channel, (greatest / deviation).to(kind), mask=valid)
        here += order * x_channel
        there += (2 + classes) * maps_channel
    sums = total_ptr + (image * measured + column[None, :]) * pixels + pixel[:, None]
    tl.store(sums, total, mask=valid[:, None] & (column < measured)[None, :])
    square = tl.sum(tl.where(column[None, :] == 0, total, 0.0), axis=1) + eps
    for k in range(classes):
        greatest = tl.max(tl.where(class_of == k, total, float("-inf")), axis=1)
        tl.store(there + k * maps_channel, (greatest / square).to(kind), mask=valid)


@triton.jit
def _to_greatest(c, members, column, grad):
    """The greatest c of a class, and the gradient of each: all of it goes to the last of equal ones."""
    greatest = tl.max(tl.where(members, c, float("-inf")), axis=1)
    last = tl.max(tl.where(members & (c == greatest[:, None]), column[None, :], -1), axis=1)
    return greatest, tl.where(column[None, :] == last[:, None], grad[:, None], 0.0)


@triton.jit
def _gradient(
    x_ptr,
    grad_ptr,
    found_ptr,
    total_ptr,
    moved_ptr,
    classes_ptr,
    x_image,
    x_channel,
    x_pixel,
    grad_image,
    grad_channel,
    grad_pixel,
    found_image,
    found_channel,
    found_pixel,
    pixels,
    fields,
    eps,
    order: tl.constexpr,
    wide: tl.constexpr,
    measured: tl.constexpr,
    tall: tl.constexpr,
    classes: tl.constexpr,
    block: tl.constexpr,
):
    image, field = tl.program_id(0).to(tl.int64), tl.program_id(2)
    pixel = tl.program_id(1) * block + tl.arange(0, block)
    valid = pixel < pixels
    here = x_ptr + image * x_image + pixel * x_pixel + field * order * x_channel
    all_grads = grad_ptr + image * grad_image + pixel * grad_pixel
    grads = all_grads + field * (2 + classes) * grad_channel
    together = all_grads + fields * (2 + classes) * grad_channel
    column = tl.arange(0, tall)
    first = column[None, :] == 0
    class_of = tl.load(classes_ptr + column, mask=column < measured, other=-1)[None, :]

    mean, c = _correlations(here, moved_ptr, valid, x_channel, order, wide, measured, tall)
    inverse = tl.rsqrt(tl.sum(tl.where(first, c, 0.0), axis=1) + eps)
    sums = total_ptr + (image * measured + column[None, :]) * pixels + pixel[:, None]
    total = tl.load(sums, mask=valid[:, None] & (column < measured)[None, :], other=0.0)
    square = tl.sum(tl.where(first, total, 0.0), axis=1) + eps
    to_mean = tl.load(grads, mask=valid, other=0.0).to(tl.float32)
    to_first = 0.5 * inverse * tl.load(grads + grad_channel, mask=valid, other=0.0).to(tl.float32)
    to_c = tl.zeros((block, tall), tl.float32)
    for k in range(classes):
        own = tl.load(grads + (2 + k) * grad_channel, mask=valid, other=0.0).to(tl.float32) * inverse
        greatest, to_members = _to_greatest(c, class_of == k, column, own)
        to_c += to_members
        to_first -= 0.5 * own * greatest * inverse * inverse
        joint = tl.load(together + k * grad_channel, mask=valid, other=0.0).to(tl.float32) / square
        greatest, to_members = _to_greatest(total, class_of == k, column, joint)
        to_c += to_members
        to_first -= joint * greatest / square
    to_c = tl.where(first, to_first[:, None], to_c)

    found = tl.zeros((block, wide), tl.float32) + (to_mean / order)[:, None]
    for h in range(measured):
        forth, _ = _field(here, moved_ptr, h, valid, x_channel, order, wide)
        back, _ = _field(here, moved_ptr, measured + h, valid, x_channel, order, wide)
        slope = tl.sum(tl.where(column[None, :] == h, to_c, 0.0), axis=1)
        found += slope[:, None] * (forth + back - 2.0 * mean[:, None])
    g = tl.arange(0, wide)
    place = found_ptr + image * found_image + pixel * found_pixel + field * order * found_channel
    mask = valid[:, None] & (g < order)[None, :]
    tl.store(place[:, None] + g[None, :] * found_channel, found.to(found_ptr.dtype.element_ty), mask=mask)
