"""DigitalMicrograph's dm3 and dm4: a tree of tags; pixels are read only when an image is chosen."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from equisym.data.readers.binary import Cursor, map_pixels
from equisym.data.readers.signal import NotReadableError, Signal, from_array
from equisym.data.readers.units import PixelSize, is_reciprocal, nanometres, pixel_size

_NUMBERS = {2: "h", 3: "i", 4: "H", 5: "I", 6: "f", 7: "d", 8: "?", 9: "b", 10: "b", 11: "q", 12: "Q"}
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_TYPES = {1: "i2", 2: "f4", 3: "c8", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 13: "c16", 14: "u1"}
_TYPES |= {39: "i8", 40: "u8"}
_PACKED_COMPLEX, _COLOURS = (5, 27, 28), (8, 23)
_DEEPEST, _LONG = 40, 256  # levels of groups; entries of an array that is kept as text


@dataclass(frozen=True)
class _Place:
    """Position of an array in the file."""

    offset: int
    bytes: int


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The images of a file, by their names, without its thumbnail."""
    root = _Tags(stack.enter_context(file.open("rb"))).read()
    thumbnails = {t.get("ImageIndex") for t in _children(root.get("Thumbnails"))}
    images = list(enumerate(_children(root.get("ImageList"))))
    kept = [image for i, image in images if i not in thumbnails or len(images) == 1]
    found = [_image(file, image) for image in kept if "Data" in image.get("ImageData", {})]
    names = [s.name for s in found]
    return [s if names.count(s.name) == 1 else _renamed(s, i) for i, s in enumerate(found)]


def _renamed(signal: Signal, number: int) -> Signal:
    return replace(signal, name=str(number))


def _image(file: Path, image: dict[str, Any]) -> Signal:
    data, name = image["ImageData"], image.get("Name", "")
    sides = [int(n) for n in _children(data["Dimensions"], plain=True)]
    kind, place = data["DataType"], data["Data"]
    shape = tuple(sides[::-1])
    axes = "tzcuv"[: len(shape) - 2] + "yx" if len(shape) > 1 else "t"
    size, reciprocal = _size(data) if len(shape) > 1 else (None, False)
    if kind in _PACKED_COMPLEX or kind in (3, 13):
        return Signal(name, axes, shape, "c8", _no_pixels, size)
    if kind in _COLOURS:
        pixels = map_pixels(file, place.offset, (*shape, 4), "u1")
        return from_array(name, pixels[..., 2::-1], axes + "s", size)
    if kind not in _TYPES:
        raise NotReadableError(f"holds data of type {kind}, which is not read")
    return from_array(
        name, map_pixels(file, place.offset, shape, "<" + _TYPES[kind]), axes, size, reciprocal=reciprocal
    )


def _no_pixels(index: tuple[int, ...]) -> NDArray:
    del index
    raise NotReadableError("holds complex numbers, such as a Fourier transform; images hold real numbers")


def _size(data: dict[str, Any]) -> tuple[PixelSize | None, bool]:
    """Sides of a pixel, and whether the axes are reciprocal."""
    dimensions = _children(data.get("Calibrations", {}).get("Dimension"))[:2]
    sides = [nanometres(abs(d.get("Scale", 0.0)), d.get("Units", "")) for d in dimensions]
    reciprocal = any(is_reciprocal(d.get("Units", "")) for d in dimensions)
    return (pixel_size(sides[1], sides[0]) if len(sides) == 2 else None), reciprocal


def _children(group: Any, *, plain: bool = False) -> list[Any]:
    """The entries of a group without names, in order."""
    values = list(group.values()) if isinstance(group, dict) else []
    return [v for v in values if plain or isinstance(v, dict)]


class _Tags:
    """Reads the tree; entries without a name are numbered."""

    def __init__(self, handle: BinaryIO) -> None:
        head = Cursor(handle, ">")
        version = head.value("I")
        if version not in (3, 4):
            raise ValueError("it does not begin like one")
        self.count = "Q" if version == 4 else "I"
        self.wide = version == 4
        head.value(self.count)
        self.tree = head
        self.data = Cursor(handle, "<" if head.value("I") else ">")

    def read(self) -> dict[str, Any]:
        return self._group(0)

    def _group(self, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise ValueError("groups within groups without end")
        self.tree.bytes(2)
        count = self.tree.value(self.count)
        found: dict[str, Any] = {}
        for i in range(count):
            kind, length = self.tree.values("BH")
            name = self.tree.bytes(length).decode("latin-1") or str(i)
            if self.wide:
                self.tree.value("Q")
            if kind == 20:
                found[name] = self._group(depth + 1)
            elif kind == 21:
                found[name] = self._tag()
            else:
                raise ValueError(f"an entry of kind {kind}")
        return found

    def _tag(self) -> Any:
        if self.tree.bytes(4) != b"%%%%":
            raise ValueError("a tag without its mark")
        n = self.tree.value(self.count)
        if not 0 < n < 4096:
            raise ValueError(f"a tag of {n} fields")
        types = self.tree.values(f"{n}{self.count}")
        if types[0] in _NUMBERS:
            return self.data.value(_NUMBERS[types[0]])
        if types[0] == _STRING:
            return self.data.bytes(types[1]).decode("utf-16-le", "replace")
        if types[0] == _STRUCT:
            return self.data.values("".join(_NUMBERS[t] for t in types[4::2]))
        if types[0] != _ARRAY:
            raise ValueError(f"a tag of type {types[0]}")
        return self._array(types)

    def _array(self, types: tuple[int, ...]) -> Any:
        if types[1] == _STRUCT:
            item = "".join(_NUMBERS[t] for t in types[5:-1:2])
        else:
            item = _NUMBERS[types[1]]
        count = types[-1]
        size = struct.calcsize("<" + item) * count
        if types[1] == 4 and count <= _LONG:
            return self.data.bytes(size).decode("utf-16-le", "replace").strip("\0")
        place = _Place(self.data.handle.tell(), size)
        self.data.seek(place.offset + size)
        return place
