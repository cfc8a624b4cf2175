"""Tif files made directory by directory, and small ones that declare very large images."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def tiff(pages: list[tuple[list[tuple[int, ...]], int | None]], tail: bytes = b"") -> bytes:
    """A tif of one directory for each page, with the number of the page that follows it (0 for none).

    Entries are (tag, value) of type LONG, or (tag, type, count, value). ``tail`` stands at byte 8.
    """
    start = 8 + max(64, len(tail) + len(tail) % 2)
    out, starts = bytearray(b"II*\0" + struct.pack("<I", start) + tail.ljust(start - 8, b"\0")), []
    for entries, _ in pages:
        starts.append(len(out))
        full = [e if len(e) == 4 else (e[0], 4, 1, e[1]) for e in entries]
        out += struct.pack("<H", len(full)) + b"".join(struct.pack("<HHII", *e) for e in full) + bytes(4)
    for start, (entries, after) in zip(starts, pages, strict=True):
        place = start + 2 + 12 * len(entries)
        out[place : place + 4] = struct.pack("<I", 0 if after is None or not after else starts[after - 1])
    return bytes(out)


def page(width: int, height: int, *, bits: int = 8, packing: int = 1, rows: int | None = None, size: int = 64) -> list:
    """The entries of a page of one strip."""
    entries: list[tuple[int, ...]] = [(256, width), (257, height), (258, bits), (259, packing), (262, 1), (273, 8)]
    return [*entries, (278, rows or height), (279, size)]


def _described(text: bytes, entries: list) -> bytes:
    """A page with a description."""
    text += b"\0"
    where = 8 + 64
    whole = sorted([*entries, (270, 2, len(text), where)])
    return tiff([(whole, 0)], bytes(64) + text)


def tif_bombs(folder: Path) -> None:
    """Tif files that declare, or unpack to, far more than their size."""
    zeros = zlib.compress(bytes(2**28), 9)
    laughs = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "ha">' + b"".join(
        f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 12}">'.encode() for k in range(9)
    )
    outside = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    pixels = b'<Pixels SizeX="8" SizeY="8" SizeZ="%s" SizeC="1" SizeT="1" Type="uint8" DimensionOrder="XYZCT">'
    files = {
        "declared": tiff([(page(100_000, 100_000, rows=1), 0)]),
        "deflate": tiff([(page(60_000, 60_000, bits=16, packing=8), 0)]),
        "rows": tiff([(page(2**31 - 1, 2, rows=1, size=1), 0)]),
        "strip": tiff([(page(64, 64, packing=8, size=len(zeros)), 0)], zeros),
        "lzw": tiff([(page(30_000, 30_000, packing=5), 0)], b"\x80" * 64),
        "packbits": tiff([(page(30_000, 30_000, packing=32773), 0)], b"\x81\0" * 32),
        "jpeg": tiff([(page(30_000, 30_000, packing=7), 0)], b"\xff\xd8" * 32),
        "samples": tiff([(sorted([*page(2000, 2000), (277, 3, 1, 65535)]), 0)]),
        "strips": tiff([([e for e in page(64, 2**20, rows=1) if e[0] not in (273, 279)]
                         + [(273, 4, 2**28, 8), (279, 4, 2**28, 8)], 0)]),
        "tag": tiff([(sorted([*page(8, 8), (270, 2, 2**31, 8)]), 0)]),
        "tags": tiff([([(k, 1) for k in range(60_000)], 0)]),
        "bits": tiff([(page(8, 8, bits=2**31), 0)]),
        "nothing": tiff([(page(0, 0), 0)]),
        "tile": tiff([(sorted([*[e for e in page(64, 64) if e[0] not in (273, 278, 279)], (322, 2**30), (323, 2**30),
                               (324, 8), (325, 64)]), 0)]),
        "imagej": _described(b"ImageJ=1.53\nimages=1000000000\nframes=1000000000\nhyperstack=true\n", page(8, 8)),
        "ome": _described(b"<OME><Image>" + pixels % b"1000000000" + b"</Pixels></Image></OME>", page(8, 8)),
        "laughs": _described(laughs + b"]><OME>&j;</OME>", page(8, 8)),
        "entity": _described(outside + b"<OME>&x;</OME>", page(8, 8)),
        "other-file": _described(b"<OME><Image>" + pixels % b"2" + b'<TiffData><UUID FileName="/etc/passwd">urn:uuid:0'
                                 b"</UUID></TiffData></Pixels></Image></OME>", page(8, 8)),
        "deep-xml": _described(b"<OME>" + b"<a>" * 100_000, page(8, 8)),
        "shaped": _described(b'{"shape": [1000000000, 8, 8]}', page(8, 8)),
        "big": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63) + bytes(64),
    }  # fmt: skip
    for name, data in files.items():
        (folder / f"bomb-{name}.tif").write_bytes(data)
