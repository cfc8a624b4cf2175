"""For GPU kernels that hold a whole field in each lane: its numbers read and written as one, and taken apart.

Numbers that lie side by side in memory go as one vector for each lane, so that every transaction is whole. Triton
halves and joins a last axis of a power of two; the halves come in the order of reversed bits, which ``places`` puts
right.
"""

# Triton's kernels are no Python to a type checker.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportPossiblyUnboundVariable=false
from __future__ import annotations

import triton  # comes with torch where there is a GPU; imported only there
import triton.language as tl


def places(size: int) -> tuple[int, ...]:
    """Where each of a power of two of numbers comes when they are halved again and again."""
    bits = size.bit_length() - 1
    return tuple(sum((n >> b & 1) << (bits - 1 - b) for b in range(bits)) for n in range(size))


@triton.jit
def read_side_by_side(
    here, inside, tall: tl.constexpr, wide: tl.constexpr, size: tl.constexpr, count: tl.constexpr, order: tl.constexpr
):
    """The count numbers from each place of ``here`` on, (tall, wide) each; size is a power of two, order its places."""
    k = tl.arange(0, size)[None, None, :]
    x = tl.load(here[:, :, None] + k, mask=inside[:, :, None] & (k < count), other=0.0).to(tl.float32)
    parts = (x,)
    for _ in tl.static_range(len(order) - 1):
        if len(parts) < size:
            halves = (parts[0],)
            for i in tl.static_range(len(parts)):
                a, b = tl.split(tl.reshape(parts[i], (tall, wide, size // len(parts) // 2, 2)))
                halves = halves + (a, b)  # noqa: RUF005 - a tuple of Triton's
            parts = halves[1:]
    found = (tl.reshape(parts[order[0]], (tall, wide)),)
    for i in tl.static_range(1, count):
        found = found + (tl.reshape(parts[order[i]], (tall, wide)),)  # noqa: RUF005
    return found


@triton.jit
def write_side_by_side(
    there,
    values,
    inside,
    tall: tl.constexpr,
    wide: tl.constexpr,
    size: tl.constexpr,
    count: tl.constexpr,
    order: tl.constexpr,
):
    """Write the count values to each place of ``there`` and those behind it; the rest as in reading."""
    parts = (tl.reshape(values[order[0] if order[0] < count else 0], (tall, wide, 1)),)
    for i in tl.static_range(1, size):
        parts = parts + (tl.reshape(values[order[i] if order[i] < count else 0], (tall, wide, 1)),)  # noqa: RUF005
    for _ in tl.static_range(len(order) - 1):
        if len(parts) > 1:
            joined = (parts[0],)
            for i in tl.static_range(len(parts) // 2):
                both = tl.join(parts[2 * i], parts[2 * i + 1])
                joined = joined + (tl.reshape(both, (tall, wide, 2 * (size // len(parts)))),)  # noqa: RUF005
            parts = joined[1:]
    k = tl.arange(0, size)[None, None, :]
    mask = inside[:, :, None] & (k < count)
    tl.store(there[:, :, None] + k, parts[0].to(there.dtype.element_ty), mask=mask)
