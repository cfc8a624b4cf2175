"""Whole files with bytes missing, flipped, repeated, or replaced by huge numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def mutations(whole: dict[str, bytes], rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Each file cut off, with bits of its header flipped, set and repeated, with huge numbers where numbers stand."""
    for name, data in whole.items():
        stem, _, suffix = name.rpartition(".")
        for share in (0.02, 0.3, 0.7, 0.99):
            yield f"cut-{stem}-{int(100 * share)}.{suffix}", data[: int(share * len(data))]
        for k in range(5):
            changed = bytearray(data)
            for place in rng.integers(4, min(len(data), 400), 3):
                changed[place] ^= 1 << int(rng.integers(8))
            yield f"flip-{stem}-{k}.{suffix}", bytes(changed)
        for k, value in enumerate((0x00, 0xFF, 0x7F)):
            changed, first = bytearray(data), 8 + 16 * k
            changed[first : first + 24] = bytes([value]) * len(changed[first : first + 24])
            yield f"set-{stem}-{k}.{suffix}", bytes(changed)
        for k, value in enumerate((b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x40", b"\x40\0\0\0")):
            changed, place = bytearray(data), 4 * int(rng.integers(2, max(3, min(len(data), 256) // 4)))
            changed[place : place + 4] = value
            yield f"number-{stem}-{k}.{suffix}", bytes(changed)
        middle = bytearray(data)
        place = int(rng.integers(len(data) // 2, len(data)))
        middle[place : place + 64] = rng.bytes(len(middle[place : place + 64]))
        yield f"noise-{stem}.{suffix}", bytes(middle)
