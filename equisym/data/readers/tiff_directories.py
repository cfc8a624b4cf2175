"""The chain of directories of a tif, followed once before anything is decoded."""

from __future__ import annotations

from pathlib import Path

from equisym.data.readers.binary import Cursor
from equisym.data.readers.signal import ReadError

_MOST = 1_000_000


def check_directories(file: Path) -> None:
    """Whether the chain has an end.

    Raises:
        ReadError: if it leads back into itself, out of the file, or on and on.
        ValueError: if it is no tif.
    """
    size = file.stat().st_size
    with file.open("rb") as handle:
        cursor = Cursor(handle, {b"II": "<", b"MM": ">"}.get(handle.read(2), ""))
        if not cursor.order:
            raise ValueError("it does not begin like one")
        version = cursor.value("H")
        if version not in (42, 43):
            raise ValueError(f"version {version}")
        big = version == 43
        if big:
            cursor.value("I")
        place, seen = cursor.value("Q" if big else "I"), set()
        if not place:
            raise ValueError("it has no directory")
        while place:
            if place in seen:
                raise ReadError("damaged: its directories lead in a circle")
            if place >= size or len(seen) >= _MOST:
                raise ReadError("damaged: its directories lead out of the file")
            seen.add(place)
            cursor.seek(place)
            count = cursor.value("Q" if big else "H")
            cursor.seek(place + (8 + 20 * count if big else 2 + 12 * count))
            place = cursor.value("Q" if big else "I")
