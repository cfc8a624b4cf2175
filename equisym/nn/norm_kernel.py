"""Training-mode batch norm of fields as three GPU kernels each way: moments, their merging, the pass over the maps.

Both layouts are read and written as they are. Moments are taken about a value of the part itself and merged by count,
so that a large mean costs no digits, and in a fixed order, so that every run gives the same numbers. Sums are in
float32. The floor is eight passes over the maps, three forwards and five backwards, and these make eight.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl
from torch import Tensor

from equisym.nn.fused import device_of, how_many, power_of_two

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
SPAN = 2048
"""Numbers that a program reads at once: along the pixels, in channels_last some places of up to 64 channels."""
PROGRAMS, PARTS = 1024, 256
"""Programs that a sum aims at, and the most parts that a channel is cut into."""


def normalise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
    order: int,
    channels_last: bool,
) -> tuple[Tensor, Tensor]:
    """The maps normalised, and mean and inverse deviation of each field, (2, fields); running figures are updated.

    Args:
        x: ``(B, fields * order, H, W)``, dense in its layout.
        weight: scale of each field.
        bias: shift of each field.
        running_mean: running average of the means.
        running_var: running average of the variances.
        momentum: weight of this batch in both.
        eps: added to the variance.
        order: channels of a field.
        channels_last: the layout of x.
    """
    plan = _plan(x.shape, order, channels_last)
    y, fields = torch.empty_like(x), plan.channels // order
    figures = torch.empty(2, fields, device=x.device)
    found = torch.empty(2, plan.parts, plan.channels, device=x.device)
    with device_of(x):
        _moments[plan.grid](x, found, *plan.sizes, channels_last, *plan.tile)
        averages, rest = (running_mean, running_var, momentum, eps), (plan.parts, fields, order, *plan.members)
        _merge_moments[(fields,)](found, figures, *averages, plan.places, plan.channels, plan.length, *rest)
        _normalise[plan.all_grid](x, y, figures, weight, bias, *plan.all_sizes, order, channels_last, *plan.all_tile)
    return y, figures


def gradients(
    x: Tensor, grad: Tensor, weight: Tensor, figures: Tensor, order: int, channels_last: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, weight and bias from that of the answer, which is dense in the layout of x."""
    plan = _plan(x.shape, order, channels_last)
    dx, fields = torch.empty_like(x), plan.channels // order
    to_weight, to_bias = torch.empty_like(weight), torch.empty_like(weight)
    found = torch.empty(2, plan.parts, plan.channels, device=x.device)
    slopes = torch.empty(3, fields, device=x.device)
    with device_of(x):
        _sums[plan.grid](x, grad, figures, found, *plan.sizes, order, channels_last, *plan.tile)
        answers, rest = (slopes, to_weight, to_bias), (plan.parts, fields, order, *plan.members)
        _merge_sums[(fields,)](found, figures, weight, *answers, plan.places, plan.channels, *rest)
        _gradient[plan.all_grid](x, grad, dx, figures, slopes, *plan.all_sizes, order, channels_last, *plan.all_tile)
    return dx, to_weight, to_bias


class _Plan(NamedTuple):
    """How the maps are cut up.

    Attributes:
        places: of a channel.
        channels: of the maps.
        parts: that a channel is cut into for a sum.
        length: places of a part.
        grid: of a sum.
        sizes: what a sum is told: places, channels, pixels, length.
        tile: places and channels that it reads at once.
        members: parts, and channels of a field, that a program of a merging reads at once.
        all_grid: of a pass over all numbers.
        all_sizes: what it is told: numbers, or places in channels_last; fields, channels, pixels.
        all_tile: places and channels that it writes at once, or numbers and 1.
    """

    places: int
    channels: int
    parts: int
    length: int
    grid: tuple[int, int]
    sizes: tuple[int, int, int, int]
    tile: tuple[int, int]
    members: tuple[int, int]
    all_grid: tuple[int, ...]
    all_sizes: tuple[int, int, int, int]
    all_tile: tuple[int, int]


@lru_cache(maxsize=1024)
def _plan(shape: torch.Size, order: int, channels_last: bool) -> _Plan:
    channels, pixels = shape[1], shape[2] * shape[3]
    count, columns = shape[0] * pixels, min(64, power_of_two(channels)) if channels_last else 1
    rows, across = SPAN // columns, how_many(channels, columns)
    length = rows * how_many(count, rows * min(PARTS, max(1, PROGRAMS // across)))
    parts, wide = how_many(count, length), power_of_two(order)
    if channels_last:
        all_grid, numbers, all_tile = (how_many(count, rows), across), count, (rows, columns)
    else:
        all_grid, numbers, all_tile = (how_many(count * channels, rows // 2),), count * channels, (rows // 2, 1)
    return _Plan(
        count,
        channels,
        parts,
        length,
        (across, parts),
        (count, channels, pixels, length),
        (rows, columns),
        (max(1, 1024 // wide), wide),
        all_grid,
        (numbers, channels // order, channels, pixels),
        all_tile,
    )


@triton.jit
def _place(j, c, channels, pixels, channels_last: tl.constexpr):
    """Where the places j of the channels c lie, (j, c)."""
    if channels_last:
        return j.to(tl.int64)[:, None] * channels + c[None, :]
    return (j // pixels).to(tl.int64)[:, None] * channels * pixels + c[None, :] * pixels + (j % pixels)[:, None]


@triton.jit
def _moments(
    x_ptr,
    found_ptr,
    count,
    channels,
    pixels,
    length,
    channels_last: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    c = tl.program_id(0) * columns + tl.arange(0, columns)
    start = tl.program_id(1) * length
    end = tl.minimum(start + length, count)
    first = _place(start + tl.zeros((1,), tl.int32), c, channels, pixels, channels_last)
    about = tl.load(x_ptr + first, mask=(c < channels)[None, :], other=0.0).to(tl.float32)  # (1, columns)
    total = tl.zeros((rows, columns), tl.float32)
    squares = tl.zeros((rows, columns), tl.float32)
    for at in range(0, length, rows):
        j = start + at + tl.arange(0, rows)
        mask = (j < end)[:, None] & (c < channels)[None, :]
        x = tl.load(x_ptr + _place(j, c, channels, pixels, channels_last), mask=mask, other=0.0).to(tl.float32)
        d = tl.where(mask, x - about, 0.0)
        total += d
        squares += d * d
    n = (end - start).to(tl.float32)
    total, squares = tl.sum(total, axis=0), tl.sum(squares, axis=0)
    place = found_ptr + tl.program_id(1) * channels + c
    tl.store(place, tl.sum(about, axis=0) + total / n, mask=c < channels)
    tl.store(place + tl.num_programs(1) * channels, squares - total * total / n, mask=c < channels)


@triton.jit
def _merge_moments(
    found_ptr,
    figures_ptr,
    running_mean_ptr,
    running_var_ptr,
    momentum,
    eps,
    count,
    channels,
    length,
    parts,
    fields,
    order: tl.constexpr,
    tall: tl.constexpr,
    wide: tl.constexpr,
):
    field, g = tl.program_id(0), tl.arange(0, wide)
    all_places = (count * 1.0) * order
    total = tl.zeros((tall, wide), tl.float32)
    for at in range(0, parts, tall):
        part = at + tl.arange(0, tall)
        mask = (part < parts)[:, None] & (g < order)[None, :]
        n = tl.minimum(length, count - part * length).to(tl.float32)[:, None]
        place = found_ptr + part[:, None] * channels + field * order + g[None, :]
        total += tl.where(mask, n * tl.load(place, mask=mask, other=0.0), 0.0)
    mean = tl.sum(total) / all_places
    squares = tl.zeros((tall, wide), tl.float32)
    for at in range(0, parts, tall):
        part = at + tl.arange(0, tall)
        mask = (part < parts)[:, None] & (g < order)[None, :]
        n = tl.minimum(length, count - part * length).to(tl.float32)[:, None]
        place = found_ptr + part[:, None] * channels + field * order + g[None, :]
        rest = tl.load(place, mask=mask, other=0.0) - mean
        within = tl.load(place + parts * channels, mask=mask, other=0.0)
        squares += tl.where(mask, within + n * rest * rest, 0.0)
    variance = tl.sum(squares) / all_places
    tl.store(figures_ptr + field, mean)
    tl.store(figures_ptr + fields + field, 1.0 / tl.sqrt(variance + eps))
    unbiased = variance * (all_places / tl.maximum(all_places - 1.0, 1.0))
    kind = running_mean_ptr.dtype.element_ty
    before = tl.load(running_mean_ptr + field).to(tl.float32)
    tl.store(running_mean_ptr + field, (before + momentum * (mean - before)).to(kind))
    before = tl.load(running_var_ptr + field).to(tl.float32)
    tl.store(running_var_ptr + field, (before + momentum * (unbiased - before)).to(kind))


@triton.jit
def _numbers(
    size,
    channels,
    pixels,
    order: tl.constexpr,
    channels_last: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    """Numbers of the maps, their fields, and which there are.

    In channels_last a program has a tile of places and channels, so that a field's figures are read once for all its
    places; else numbers in a row.
    """
    if channels_last:
        c = (tl.program_id(1) * columns + tl.arange(0, columns))[None, :]
        j = (tl.program_id(0) * rows + tl.arange(0, rows))[:, None]
        at, field, inside = j.to(tl.int64) * channels + c, c // order, (c < channels) & (j < size)
    else:
        start = tl.program_id(0).to(tl.int64) * (rows * columns)
        at = tl.arange(0, rows * columns)
        plane = ((start // pixels) % channels).to(tl.int32)
        field = (plane + ((start % pixels).to(tl.int32) + at) // pixels) % channels // order
        at += start
        inside = at < size
    return at, field, inside


@triton.jit
def _figure(figures_ptr, field, fields):
    return tl.load(figures_ptr + field, mask=field < fields, other=0.0).to(tl.float32)


@triton.jit
def _normalise(
    x_ptr,
    y_ptr,
    figures_ptr,
    weight_ptr,
    bias_ptr,
    size,
    fields,
    channels,
    pixels,
    order: tl.constexpr,
    channels_last: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    at, field, inside = _numbers(size, channels, pixels, order, channels_last, rows, columns)
    mean, invstd = _figure(figures_ptr, field, fields), _figure(figures_ptr + fields, field, fields)
    scale = _figure(weight_ptr, field, fields) * invstd
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    y = (x - mean) * scale + _figure(bias_ptr, field, fields)
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _sums(
    x_ptr,
    grad_ptr,
    figures_ptr,
    found_ptr,
    count,
    channels,
    pixels,
    length,
    order: tl.constexpr,
    channels_last: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    c = tl.program_id(0) * columns + tl.arange(0, columns)
    start = tl.program_id(1) * length
    end = tl.minimum(start + length, count)
    mean = tl.load(figures_ptr + c // order, mask=c < channels, other=0.0)[None, :]
    total = tl.zeros((rows, columns), tl.float32)
    products = tl.zeros((rows, columns), tl.float32)
    for at in range(0, length, rows):
        j = start + at + tl.arange(0, rows)
        mask = (j < end)[:, None] & (c < channels)[None, :]
        place = _place(j, c, channels, pixels, channels_last)
        grad = tl.load(grad_ptr + place, mask=mask, other=0.0).to(tl.float32)
        x = tl.load(x_ptr + place, mask=mask, other=0.0).to(tl.float32)
        total += grad
        products += grad * (x - mean)
    place = found_ptr + tl.program_id(1) * channels + c
    tl.store(place, tl.sum(total, axis=0), mask=c < channels)
    tl.store(place + tl.num_programs(1) * channels, tl.sum(products, axis=0), mask=c < channels)


@triton.jit
def _merge_sums(
    found_ptr,
    figures_ptr,
    weight_ptr,
    slopes_ptr,
    to_weight_ptr,
    to_bias_ptr,
    count,
    channels,
    parts,
    fields,
    order: tl.constexpr,
    tall: tl.constexpr,
    wide: tl.constexpr,
):
    field, g = tl.program_id(0), tl.arange(0, wide)
    total = tl.zeros((tall, wide), tl.float32)
    products = tl.zeros((tall, wide), tl.float32)
    for at in range(0, parts, tall):
        part = at + tl.arange(0, tall)
        mask = (part < parts)[:, None] & (g < order)[None, :]
        place = found_ptr + part[:, None] * channels + field * order + g[None, :]
        total += tl.load(place, mask=mask, other=0.0)
        products += tl.load(place + parts * channels, mask=mask, other=0.0)
    to_bias, products = tl.sum(total), tl.sum(products)
    invstd = tl.load(figures_ptr + fields + field)
    scale = tl.load(weight_ptr + field).to(tl.float32) * invstd
    all_places = (count * 1.0) * order
    tl.store(slopes_ptr + field, scale)  # of the gradient, of x less its mean, and what is added
    tl.store(slopes_ptr + fields + field, -scale * invstd * invstd * products / all_places)
    tl.store(slopes_ptr + 2 * fields + field, -scale * to_bias / all_places)
    kind = to_weight_ptr.dtype.element_ty
    tl.store(to_weight_ptr + field, (products * invstd).to(kind))
    tl.store(to_bias_ptr + field, to_bias.to(kind))


@triton.jit
def _gradient(
    x_ptr,
    grad_ptr,
    dx_ptr,
    figures_ptr,
    slopes_ptr,
    size,
    fields,
    channels,
    pixels,
    order: tl.constexpr,
    channels_last: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
):
    at, field, inside = _numbers(size, channels, pixels, order, channels_last, rows, columns)
    grad = tl.load(grad_ptr + at, mask=inside, other=0.0).to(tl.float32)
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32) - _figure(figures_ptr, field, fields)
    dx = grad * _figure(slopes_ptr, field, fields) + x * _figure(slopes_ptr + fields, field, fields)
    dx += _figure(slopes_ptr + 2 * fields, field, fields)
    tl.store(dx_ptr + at, dx.to(dx_ptr.dtype.element_ty), mask=inside)
