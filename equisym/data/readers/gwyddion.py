"""Gwyddion's own files (gwy): nested objects of named components, images among them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import Signal, from_array
from equisym.data.readers.units import is_reciprocal, nanometres, pixel_size

_NUMBERS = {"b": "?", "i": "i", "q": "q", "d": "d"}
_ITEM_BYTES = {"C": 1, "I": 4, "Q": 8, "D": 8}
_DEEPEST = 16


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """Every channel of a file, by its title."""
    cursor = Cursor(stack.enter_context(file.open("rb")))
    if cursor.bytes(4) != b"GWYP":
        raise ValueError("it does not begin like one")
    kind, content = _object(cursor, 0)
    if kind != "GwyContainer":
        raise ValueError(f"it holds a {kind}")
    found = []
    for key in sorted(content):
        field = content[key]
        if isinstance(field, tuple) and field[0] == "GwyDataField" and key.endswith("/data"):
            title = content.get(f"{key}/title") or key.strip("/").removesuffix("/data")
            found.append(_image(file, str(title), field[1], {s.name for s in found}))
    return found


def _image(file: Path, title: str, field: dict[str, Any], taken: set[str]) -> Signal:
    width, height = field["xres"], field["yres"]
    unit = field.get("si_unit_xy", ("", {}))[1].get("unitstr", "")
    sides = [nanometres(field.get(k, 1.0) / n, unit) for k, n in (("yreal", height), ("xreal", width))]
    name, number = title, 1
    while name in taken:
        number += 1
        name = f"{title} {number}"
    count, offset = field["data"]
    if count != width * height:
        raise ValueError(f"{count} values for {width} x {height} pixels")
    pixels = map_pixels(file, offset, (height, width), "<f8")
    return from_array(name, pixels, "yx", pixel_size(*sides), reciprocal=is_reciprocal(unit))


def _object(cursor: Cursor, depth: int) -> tuple[str, dict[str, Any]]:
    """An object's type and its components; arrays as their length and place."""
    if depth > _DEEPEST:
        raise ValueError("objects within objects without end")
    kind, size = cursor.text(), cursor.value("I")
    end = cursor.handle.tell() + size
    parts: dict[str, Any] = {}
    while cursor.handle.tell() < end:
        name, code = cursor.text(), cursor.bytes(1).decode("latin-1")
        if code == "c":
            parts[name] = cursor.bytes(1).decode("latin-1")
        elif code in _NUMBERS:
            parts[name] = cursor.value(_NUMBERS[code])
        elif code == "s":
            parts[name] = cursor.text()
        elif code == "o":
            parts[name] = _object(cursor, depth + 1)
        elif code in _ITEM_BYTES:
            count = cursor.value("I")
            parts[name] = (count, cursor.handle.tell())
            cursor.seek(cursor.handle.tell() + count * _ITEM_BYTES[code])
        elif code in "SO":
            parts[name] = [cursor.text() if code == "S" else _object(cursor, depth + 1) for _ in _counted(cursor)]
        else:
            raise ValueError(f"a component of type {code!r}")
    return kind, parts


def _counted(cursor: Cursor) -> range:
    return range(cursor.value("I"))
