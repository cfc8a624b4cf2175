"""RHK's sm4 files: an index of pages, each with a header that gives its size and scale in metres."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import Signal, from_array
from equisym.data.readers.units import nanometres, pixel_size

_INDEX, _PAGES, _HEADER, _DATA, _STRINGS = 1, 2, 3, 4, 10  # kinds of object
_IMAGE = 0  # kind of page
_MOST = 4096  # pages or objects in a list


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The image pages of a file: the label, and ``backward`` for the way back."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    length = cursor.value("H")
    if not cursor.bytes(36).decode("utf-16-le", "replace").startswith("STiMage"):
        raise ValueError("it does not begin like one")
    _, objects, _, _, _ = cursor.values("5I")
    cursor.seek(length + 2)
    cursor.seek(_objects(cursor, objects)[_INDEX])
    pages, objects, _, _ = cursor.values("4I")
    cursor.seek(_objects(cursor, objects)[_PAGES])
    index = []
    for _ in range(_limited(pages)):
        cursor.bytes(16)  # the page's identity
        kind, _, objects, _ = cursor.values("4I")
        index.append((kind, _objects(cursor, objects)))
    found: list[Signal] = []
    for kind, places in index:
        if kind == _IMAGE:
            found.append(_page(file, cursor, places, [s.name for s in found]))
    return found


def _page(file: Path, cursor: Cursor, places: dict[int, int], taken: list[str]) -> Signal:
    cursor.seek(places[_HEADER])
    cursor.values("HH3I2I")
    width, height, _, scan, _, _ = cursor.values("6I")
    cursor.values("2I")
    dx, dy = cursor.values("2f")
    cursor.values("9f3I")
    objects = cursor.value("I")
    cursor.bytes(64)
    inner = _objects(cursor, objects)
    label = ""
    if inner.get(_STRINGS):
        cursor.seek(inner[_STRINGS])
        label = cursor.bytes(2 * cursor.value("H")).decode("utf-16-le", "replace").strip("\0 ")
    name = (label or "image") + (" backward" if scan == 1 else "")
    name += f" {taken.count(name) + 1}" if name in taken else ""
    pixels = map_pixels(file, places[_DATA], (height, width), "<i4")
    pixels = pixels[:: -1 if dy > 0 else 1, :: -1 if dx < 0 else 1]
    return from_array(name, pixels, "yx", pixel_size(nanometres(np.abs(dy), "m"), nanometres(np.abs(dx), "m")))


def _objects(cursor: Cursor, count: int) -> dict[int, int]:
    """Places by the kind of object, the first of each."""
    found: dict[int, int] = {}
    for _ in range(_limited(count)):
        kind, place, _ = cursor.values("3I")
        found.setdefault(kind, place)
    return found


def _limited(count: int) -> int:
    if count > _MOST:
        raise ValueError(f"a list of {count} entries")
    return count
