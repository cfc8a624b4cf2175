"""Nanonis scans (sxm): a header in text, then one float image for each channel and direction."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from equisym.data.readers.binary import map_pixels
from equisym.data.readers.signal import Signal, from_array
from equisym.data.readers.units import nanometres, pixel_size

_LONGEST = 2**20  # bytes of a header


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """Every channel, as it lies on the sample: ``Z`` of the forward scan and ``Z backward``."""
    handle = stack.enter_context(file.open("rb"))
    head = _header(handle)
    width, height = map(int, head["SCAN_PIXELS"].split())
    dx, dy = (float(v) for v in head["SCAN_RANGE"].split())
    size = pixel_size(nanometres(dy / height, "m"), nanometres(dx / width, "m"))
    up = head.get("SCAN_DIR", "down").strip().lower() == "up"
    rows = [line.split("\t") for line in head["DATA_INFO"].splitlines() if line.strip()]
    columns = [name.strip().lower() for name in rows[0] if name.strip()]
    found, offset = [], handle.tell()
    for row in rows[1:]:
        channel = dict(zip(columns, [v.strip() for v in row if v.strip()], strict=False))
        both = channel.get("direction", "both").lower() == "both"
        for backward in (False, True) if both else (channel["direction"].lower() == "backward",):
            pixels = map_pixels(file, offset, (height, width), ">f4")
            offset += 4 * width * height
            pixels = pixels[:: -1 if up else 1, :: -1 if backward else 1]
            found.append(from_array(channel["name"] + (" backward" if backward else ""), pixels, "yx", size))
    return found


def _header(handle: BinaryIO) -> dict[str, str]:
    """Entries by name; afterwards the file is at its first pixel."""
    lines: dict[str, list[str]] = {}
    key = ""
    while handle.tell() < _LONGEST:
        line = handle.readline(_LONGEST)
        if not line:
            break
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith(":") and text.endswith(":") and len(text) > 2:
            key = text.strip(":")
            if key == "SCANIT_END":
                head = {name: "".join(f"{text}\n" for text in inside) for name, inside in lines.items()}
                if not head.get("SCANIT_TYPE", "FLOAT MSBFIRST").split() == ["FLOAT", "MSBFIRST"]:
                    raise ValueError(f"values of type {head['SCANIT_TYPE']}")
                start = handle.tell()
                mark = handle.read(64).find(b"\x1a\x04")
                if mark < 0:
                    break
                handle.seek(start + mark + 2)
                return head
        elif key:
            lines.setdefault(key, []).append(text)
    raise ValueError("its header has no end")
