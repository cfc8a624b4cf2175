"""Small png, bmp and jpg files that unpack to very large pictures, or take very long."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def black_png(
    side: int, *, bits: int = 1, interlaced: bool = False, before: tuple[bytes, bytes] | None = None
) -> bytes:
    """A black picture of a side, packed."""
    packer = zlib.compressobj(9)
    rows = 2 * side if interlaced else side  # more bytes than its seven passes need
    packed = b"".join(packer.compress(bytes(1 + side * bits // 8)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, interlaced)
    others = [before] if before else []
    return _png((b"IHDR", head), *others, (b"IDAT", packed), (b"IEND", b""))


def picture_bombs(folder: Path) -> None:
    """Pictures that declare, or unpack to, far more than their size."""
    from PIL import Image

    for side in (13_000, 60_000):
        (folder / f"bomb-{side}.png").write_bytes(black_png(side))
    (folder / "bomb-16bit.png").write_bytes(black_png(20_000, bits=16))
    (folder / "bomb-interlaced.png").write_bytes(black_png(9_000, bits=8, interlaced=True))
    text = b"comment\0\0" + zlib.compress(bytes(2**28), 9)
    (folder / "bomb-text.png").write_bytes(black_png(64, bits=8, before=(b"zTXt", text)))
    profile = b"icc\0\0" + zlib.compress(bytes(2**28), 9)
    (folder / "bomb-profile.png").write_bytes(black_png(64, bits=8, before=(b"iCCP", profile)))
    (folder / "bomb-chunk.png").write_bytes(_png((b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)))[:-12])
    many = [(b"tEXt", b"a\0b")] * 200_000
    (folder / "bomb-chunks.png").write_bytes(_png((b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0)), *many))
    head = struct.pack("<2sIHHI", b"BM", 60, 0, 0, 54)
    for name, width, height, bits, packed in (("", 90_000, 90_000, 24, 0), ("-rle", 30_000, 30_000, 8, 1)):
        about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packed, 0, 0, 0, 0, 0)
        (folder / f"bomb{name}.bmp").write_bytes(head + about + bytes(60))
    jpeg = b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 65_500, 65_500) + b"\x01\x01\x11\0\xff\xd9"
    (folder / "bomb.jpg").write_bytes(jpeg)
    made = io.BytesIO()
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(made, "JPEG", progressive=True, quality=90)
    data = made.getvalue()
    scan = data.rfind(b"\xff\xda")
    (folder / "bomb-scans.jpg").write_bytes(data[:-2] + data[scan:-2] * 300 + b"\xff\xd9")
