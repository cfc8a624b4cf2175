"""NanoMEGAS blockfiles (blo): a bright-field image of a scan, and a diffraction pattern at each of its points."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import Signal, from_array
from equisym.data.readers.units import nanometres, pixel_size

_PATTERN_HEAD = 6  # bytes before each pattern


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """``scan``, the image, and ``patterns``, a stack over its lines and columns."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    if cursor.bytes(6) != b"IMGBLO":
        raise ValueError("it does not begin like one")
    _, scan_at, patterns_at, _, side, _, width, height, _ = cursor.values("H3I5H")
    dx, dy = cursor.values("2d")
    size = pixel_size(nanometres(dy, "nm"), nanometres(dx, "nm"))
    found = []
    if min(width, height) > 1:
        found.append(from_array("scan", map_pixels(file, scan_at, (height, width), "u1"), "yx", size))
    patterns = map_pixels(file, patterns_at, (height, width, _PATTERN_HEAD + side * side), "u1")
    pixels = patterns[..., _PATTERN_HEAD:].reshape(height, width, side, side) if side else None
    if pixels is not None:
        found.append(from_array("patterns", pixels, "vuyx"))
    return found
