"""Hostile files of every kind that this package reads, made from a seed: images, data sets, models, recipes.

:func:`make_corpus` writes them into four folders. Nothing here is random beyond the seed, so that a run that was
stopped makes the same files again.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import os
import pickle
import socket
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
GOOD = ("p4m", "p6m", "pmm", "p4g")  # images that must be answered whatever stands beside them
SPARSE = 2**33  # bytes that a file claims to have, and the disk does not


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def make_corpus(folder: Path, trace: Path, secret: Path, seed: int) -> None:
    """Write the corpus.

    Args:
        folder: where; its folders are images, sets, models and recipes.
        trace: a file that exists once a program of the corpus has run.
        secret: a file that nothing of the corpus may lead to.
        seed: of the mutations.
    """
    rng = np.random.default_rng(seed)
    images, sets, models, recipes = (folder / name for name in ("images", "sets", "models", "recipes"))
    for place in (images, sets, models, recipes):
        place.mkdir(parents=True)
    good(images)
    for name, data in mutations(whole_files(images), rng):
        (images / name).write_bytes(data)
    bombs(images)
    links(images, secret)
    pickles(images, trace)
    thin(images, rng)
    arrays(images, rng)
    odd_names(images)
    sparse(images)
    make_sets(sets, secret, trace)
    make_models(models, secret, trace)
    make_recipes(recipes, trace)


def good(folder: Path) -> None:
    """Images with an answer, which neighbours must not cost."""
    from equisym.data import render

    for k, group in enumerate(GOOD):
        np.save(folder / f"good-{k}-{group}.npy", render(group, "atom", seed=3 + k, size=128)[0].numpy())


def whole_files(folder: Path) -> dict[str, bytes]:
    """A whole file of every format, by name."""
    writers = _instrument_files()
    names = {
        "png": "png", "jpg": "jpg", "npz": "npz", "npy": "npy", "plain_hdf5": "h5", "hyperspy": "hspy", "velox": "emd",
        "berkeley": "emd", "mrc": "mrc", "mrc_extended": "mrc", "imagej": "tif", "imagej_hyperstack": "tif",
        "ome": "tif", "fei": "tif", "zeiss": "tif", "digital_micrograph_tif": "tif", "tvips": "tif", "olympus": "tif",
        "palette": "tif", "dm4": "dm4", "dm4_stack": "dm4", "tia": "ser", "nanonis": "sxm", "gwyddion": "gwy",
        "igor": "ibw", "rhk": "sm4", "blockfile": "blo",
    }  # fmt: skip
    made = {}
    for name, suffix in names.items():
        writer = getattr(writers, name, None)
        if writer is None:
            continue
        path = folder / f"{name}.{suffix}"
        writer(path)
        made[path.name] = path.read_bytes()
        path.unlink()
    return made


def _instrument_files() -> ModuleType:
    """The writers of the tests."""
    spec = importlib.util.spec_from_file_location("instrument_files", ROOT / "tests" / "data" / "instrument_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def bombs(folder: Path) -> None:
    """Small files that declare, unpack to, or take as long as, very large images."""
    _picture_bombs(folder)
    _tif_bombs(folder)
    _numpy_bombs(folder)
    _hdf5_bombs(folder)
    _instrument_bombs(folder)


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


def _picture_bombs(folder: Path) -> None:
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


def _page(width: int, height: int, *, bits: int = 8, packing: int = 1, rows: int | None = None, size: int = 64) -> list:
    entries: list[tuple[int, ...]] = [(256, width), (257, height), (258, bits), (259, packing), (262, 1), (273, 8)]
    return [*entries, (278, rows or height), (279, size)]


def _described(text: bytes, page: list) -> bytes:
    """A page with a description."""
    text += b"\0"
    where = 8 + 64
    entries = sorted([*page, (270, 2, len(text), where)])
    return tiff([(entries, 0)], bytes(64) + text)


def _tif_bombs(folder: Path) -> None:
    zeros = zlib.compress(bytes(2**28), 9)
    laughs = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "ha">' + b"".join(
        f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 12}">'.encode() for k in range(9)
    )
    outside = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    pixels = b'<Pixels SizeX="8" SizeY="8" SizeZ="%s" SizeC="1" SizeT="1" Type="uint8" DimensionOrder="XYZCT">'
    files = {
        "declared": tiff([(_page(100_000, 100_000, rows=1), 0)]),
        "deflate": tiff([(_page(60_000, 60_000, bits=16, packing=8), 0)]),
        "rows": tiff([(_page(2**31 - 1, 2, rows=1, size=1), 0)]),
        "strip": tiff([(_page(64, 64, packing=8, size=len(zeros)), 0)], zeros),
        "lzw": tiff([(_page(30_000, 30_000, packing=5), 0)], b"\x80" * 64),
        "packbits": tiff([(_page(30_000, 30_000, packing=32773), 0)], b"\x81\0" * 32),
        "jpeg": tiff([(_page(30_000, 30_000, packing=7), 0)], b"\xff\xd8" * 32),
        "samples": tiff([(sorted([*_page(2000, 2000), (277, 3, 1, 65535)]), 0)]),
        "strips": tiff([([e for e in _page(64, 2**20, rows=1) if e[0] not in (273, 279)]
                         + [(273, 4, 2**28, 8), (279, 4, 2**28, 8)], 0)]),
        "tag": tiff([(sorted([*_page(8, 8), (270, 2, 2**31, 8)]), 0)]),
        "tags": tiff([([(k, 1) for k in range(60_000)], 0)]),
        "bits": tiff([(_page(8, 8, bits=2**31), 0)]),
        "nothing": tiff([(_page(0, 0), 0)]),
        "tile": tiff([(sorted([*[e for e in _page(64, 64) if e[0] not in (273, 278, 279)], (322, 2**30), (323, 2**30),
                               (324, 8), (325, 64)]), 0)]),
        "imagej": _described(b"ImageJ=1.53\nimages=1000000000\nframes=1000000000\nhyperstack=true\n", _page(8, 8)),
        "ome": _described(b"<OME><Image>" + pixels % b"1000000000" + b"</Pixels></Image></OME>", _page(8, 8)),
        "laughs": _described(laughs + b"]><OME>&j;</OME>", _page(8, 8)),
        "entity": _described(outside + b"<OME>&x;</OME>", _page(8, 8)),
        "other-file": _described(b"<OME><Image>" + pixels % b"2" + b'<TiffData><UUID FileName="/etc/passwd">urn:uuid:0'
                                 b"</UUID></TiffData></Pixels></Image></OME>", _page(8, 8)),
        "deep-xml": _described(b"<OME>" + b"<a>" * 100_000, _page(8, 8)),
        "shaped": _described(b'{"shape": [1000000000, 8, 8]}', _page(8, 8)),
        "big": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63) + bytes(64),
    }  # fmt: skip
    for name, data in files.items():
        (folder / f"bomb-{name}.tif").write_bytes(data)


def _npy_head(text: str, *, version: int = 1, length: int | None = None) -> bytes:
    data = (text + " " * (64 - (len(text) + 11) % 64) + "\n").encode()
    size = len(data) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size) + data


def _numpy_bombs(folder: Path) -> None:
    for name, shape in {
        "shape": "(1000000, 1000000)",
        "negative": "(-1, 4)",
        "overflow": "(4611686018427387904, 4)",
        "call": "(__import__('os').getpid(), 4)",
        "zero": "(0, 100000000000)",
        "float": "(3.5, 4)",
        "many": "(" + "1, " * 70 + ")",
    }.items():
        text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
        (folder / f"bomb-{name}.npy").write_bytes(_npy_head(text) + bytes(64))
    (folder / "bomb-deep.npy").write_bytes(_npy_head("{'descr': " + "(" * 3000 + ", 'shape': (2, 2), }"))
    (folder / "bomb-unary.npy").write_bytes(_npy_head("-" * 60_000 + "1"))
    (folder / "bomb-record.npy").write_bytes(_npy_head("{'descr': [('a', '<f8', (999999999,))], 'shape': (2,)}"))
    (folder / "bomb-head.npy").write_bytes(_npy_head("{", version=2, length=2**32 - 1))
    (folder / "bomb-version.npy").write_bytes(_npy_head("{", version=9))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (23_000, 23_000)})
    starts = {"zeros": head.getvalue(), "head": _npy_head("{", version=2, length=2**32 - 1)}
    starts["lying"] = _npy_head("{'descr': '<f8', 'fortran_order': False, 'shape': (8, 8), }")
    for name, start in starts.items():
        archive = zipfile.ZipFile(folder / f"bomb-{name}.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        with archive, archive.open("image.npy", "w", force_zip64=True) as entry:
            entry.write(start)
            for _ in range(9 if name == "lying" else 260):
                entry.write(bytes(2**24))
    for name, packing in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        with zipfile.ZipFile(folder / f"bomb-{name}.npz", "w", packing) as archive:
            archive.writestr("image.npy", starts["lying"] + bytes(2**26))
    with zipfile.ZipFile(folder / "bomb-many.npz", "w") as archive:
        for k in range(20_000):
            archive.writestr(f"a{k}.npy", b"")
    with zipfile.ZipFile(folder / "bomb-size.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pixel_size.npy", starts["lying"] + bytes(2**28))
        archive.writestr("image.npy", starts["lying"] + bytes(512))


def _hdf5_bombs(folder: Path) -> None:
    import h5py

    def made(name: str, **options: Any) -> h5py.File:
        return h5py.File(folder / f"bomb-{name}.h5", "w", **options)

    with made("declared") as file:
        file.create_dataset("image", (150_000, 150_000), "u1", chunks=(1000, 1000))
    with made("fill") as file:
        file.create_dataset("image", (60_000, 60_000), "f8", chunks=(100, 100), fillvalue=3.0, compression="gzip")
    with made("chunk") as file:
        file.create_dataset("image", (64, 64), "u1", chunks=(60_000, 60_000), maxshape=(None, None), compression="gzip")
    with made("stack") as file:
        file.create_dataset("image", (10**9, 64, 64), "u1", chunks=(1, 64, 64))
    with made("axes") as file:
        file.create_dataset("image", (2,) * 30, "u1", chunks=(1,) * 30)
    with made("groups") as file:
        for k in range(3000):
            file.create_group(f"g{k}/h/i/j")
    with made("deep") as file:
        file.create_group("/".join("d" * 2000))
    with made("words") as file:
        file.create_dataset("image", (64, 64), "S1000000000", chunks=(1, 1))
        file.create_dataset("other", (64, 64), h5py.string_dtype())
        file.create_dataset("opaque", (64, 64), np.dtype("V100000000"), chunks=(1, 1))
    with made("attribute", libver="latest", track_order=True) as file:
        image = file.create_dataset("image", data=np.eye(64))
        image.attrs["pixel_size"] = np.zeros(10**6)
        image.attrs["pixel_unit"] = "\x1b[31m" + "n" * 10**6
    with made("unit") as file:
        image = file.create_dataset("image", data=np.eye(64))
        image.attrs["pixel_size"], image.attrs["pixel_unit"] = "a\nword", np.zeros(3)
    with made("names") as file:
        for name in ("<script>alert(1)<!--", "line\nbreak", "\x1b[2Jred", "x" * 60_000):
            file.create_dataset(name, data=np.eye(16))
    with made("references") as file:
        file.create_dataset("image", (64, 64), h5py.ref_dtype)
        file.create_dataset("image2", (64, 64), np.dtype([("a", "f4", (1000, 1000))]), chunks=(1, 1))
    with made("float16", userblock_size=512) as file:
        file.create_dataset("image", data=np.eye(64).astype(np.longdouble))
    for name, layout in (("velox", "Data/Image/a/"), ("berkeley", "a/b/"), ("hyperspy", "Experiments/a/")):
        with h5py.File(folder / f"bomb-{name}.emd", "w") as file:
            group = file.create_group(layout)
            group.create_dataset("Data" if name == "velox" else "data", (90_000, 90_000, 3), "f8", chunks=(9, 9, 1))
            group.create_dataset("Metadata", (2**22, 1), "u1", chunks=(2**20, 1), compression="gzip")
            group.attrs["emd_group_type"] = 1
            for k in range(1, 4):
                group.create_dataset(f"dim{k}", (10**10,), "f8", chunks=(100,))
                group.create_group(f"axis-{k - 1}").attrs["scale"] = np.nan


def _instrument_bombs(folder: Path) -> None:
    writers, path = _instrument_files(), folder / "made"
    group = b"\x14" + struct.pack(">H", 0) + struct.pack(">Q", 0) + b"\1\0" + struct.pack(">Q", 1)
    head = struct.pack(">IQI", 4, 10**6, 1)
    (folder / "bomb-deep.dm4").write_bytes(head + b"\1\0" + struct.pack(">Q", 1) + group * 50_000)
    (folder / "bomb-tags.dm4").write_bytes(head + b"\1\0" + struct.pack(">Q", 2**62) + group * 10)
    writers.dm4(path)
    data = path.read_bytes()
    for k, place in enumerate(range(20, min(len(data), 1200), 97)):
        (folder / f"bomb-length-{k}.dm4").write_bytes(data[:place] + b"\x7f" + b"\xff" * 7 + data[place + 8 :])
    (folder / "bomb.mrc").write_bytes(struct.pack("<4i", 2**30, 2**30, 4, 2).ljust(1024, b"\0") + bytes(64))
    (folder / "bomb-extended.mrc").write_bytes(
        struct.pack("<4i", 64, 64, 1, 2).ljust(92, b"\0") + struct.pack("<i", 2**31 - 1).ljust(932, b"\0") + bytes(9999)
    )
    text = ":NANONIS_VERSION:\n2\n"
    (folder / "bomb-lines.sxm").write_text(text + ":A:\n" + "b\n" * 2_000_000)
    (folder / "bomb-line.sxm").write_bytes(text.encode() + b":A:\n" + b"b" * 50_000_000)
    pixels = ":SCAN_PIXELS:\n%s\n:SCAN_RANGE:\n1E-8 1E-8\n:DATA_INFO:\nChannel\tName\tDirection\n1\tZ\tboth\n"
    for name, sides in {
        "huge": "900000 900000",
        "digits": "9" * 6000 + " 2",
        "negative": "-5 -5",
        "zero": "0 0",
    }.items():
        (folder / f"bomb-{name}.sxm").write_bytes((text + pixels % sides + ":SCANIT_END:\n").encode() + b"\n\x1a\x04")
    (folder / "bomb-deep.gwy").write_bytes(b"GWYP" + (b"G\0" + struct.pack("<I", 2**31) + b"c\0o") * 50_000)
    (folder / "bomb-count.gwy").write_bytes(b"GWYPG\0" + struct.pack("<I", 99) + b"c\0S" + struct.pack("<I", 2**32 - 1))
    (folder / "bomb-text.gwy").write_bytes(b"GWYP" + b"G" * 30_000_000)
    series = struct.pack("<2sHH4i", b"II", 0x0197, 0x0220, 0x4122, 0x4152, 2**20 - 1, 2**20 - 1)
    (folder / "bomb-count.ser").write_bytes(series + struct.pack("<q", 34) + bytes(4096))
    writers.rhk(path)
    data = path.read_bytes()
    for k, place in enumerate(range(0, min(len(data), 600), 53)):
        (folder / f"bomb-length-{k}.sm4").write_bytes(data[:place] + b"\xff\x0f\0\0" + data[place + 4 :])
    writers.igor(path)
    data = path.read_bytes()
    for k, value in enumerate((-1, 2**31 - 1, -(2**31))):
        (folder / f"bomb-sides-{k}.ibw").write_bytes(data[:132] + struct.pack("<4i", *[value] * 4) + data[148:])
        (folder / f"bomb-after-{k}.ibw").write_bytes(data[:8] + struct.pack("<11i", *[value] * 11) + data[52:])
    blocks = struct.pack("<6sH3I5H2d", b"IMGBLO", 0, 64, 64, 0, 65535, 1, 65535, 65535, 0, 1.0, 1.0)
    (folder / "bomb.blo").write_bytes(blocks + bytes(999))
    path.unlink()


def links(folder: Path, secret: Path) -> None:
    """Links, cycles, pipes, sockets and devices."""
    import h5py

    page = _page(8, 8)
    (folder / "cycle-self.tif").write_bytes(tiff([(page, 1)]))
    (folder / "cycle-two.tif").write_bytes(tiff([(page, 2), (page, 1)]))
    (folder / "cycle-late.tif").write_bytes(tiff([(page, 2), (page, 3), (page, 2)]))
    (folder / "cycle-subifd.tif").write_bytes(tiff([(sorted([*page, (330, 72)]), 0)]))
    (folder / "many-pages.tif").write_bytes(tiff([(page, k + 2) for k in range(4999)] + [(page, 0)]))
    for suffix in ("png", "h5", "tif", "npy", "npz", "dm4", "gwy", "sxm"):
        os.mkfifo(folder / f"pipe.{suffix}")
    for name, target in {
        "link-secret.png": secret,
        "link-zero.npy": Path("/dev/zero"),
        "link-random.tif": Path("/dev/urandom"),
        "link-full.h5": Path("/dev/full"),
        "link-memory.npy": Path("/proc/self/mem"),
        "link-pages.npy": Path("/proc/self/pagemap"),
        "link-dangling.png": folder / "nowhere",
        "link-self.png": folder / "link-self.png",
        "link-folder.png": folder,
        "link-stdin.npy": Path("/dev/stdin"),
        "loop": folder,
    }.items():
        (folder / name).symlink_to(target)
    (folder / "a-folder.png").mkdir()
    server, where = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(folder)
    server.bind("socket.png")
    os.chdir(where)
    shape, pipe = (32, 32), folder / "pipe.png"
    with h5py.File(folder / "inner.h5", "w") as file:
        file["image"] = np.zeros(shape, np.uint8)
    for name, target in {"secret": secret, "pipe": pipe, "device": Path("/dev/zero"), "many": secret}.items():
        with h5py.File(folder / f"external-{name}.h5", "w") as file:
            pieces = [(str(target), k, 1) for k in range(1024)] if name == "many" else [(str(target), 0, 1024)]
            file.create_dataset("image", shape, "u1", external=pieces)
    for name, target in {"": "inner.h5", "-pipe": "pipe.h5", "-device": "/dev/zero"}.items():
        with h5py.File(folder / f"external-link{name}.h5", "w") as file:
            file["image"] = h5py.ExternalLink(str(folder / target), "/image")
        with h5py.File(folder / f"virtual{name}.h5", "w") as file:
            layout = h5py.VirtualLayout(shape, "u1")
            layout[:] = h5py.VirtualSource(str(folder / target), "image", shape)
            file.create_virtual_dataset("image", layout)
    with h5py.File(folder / "external-velox.emd", "w") as file:
        group = file.create_group("Data/Image/a")
        group.create_dataset("Data", shape, "u1", external=[(str(secret), 0, 1024)])
        group.create_dataset("Metadata", (1024, 1), "u1", external=[(str(pipe), 0, 1024)])
    with h5py.File(folder / "external-dims.emd", "w") as file:
        group = file.create_group("a")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.eye(32)
        for k in (1, 2):
            group.create_dataset(f"dim{k}", (32,), "u1", external=[(str(pipe), 0, 32)])
    with h5py.File(folder / "cycle-group.h5", "w") as file:
        group = file.create_group("a")
        group["b"] = file["a"]
        file["c"] = h5py.SoftLink("/c")
        file["d"] = h5py.SoftLink("/a/b/b/b")
    server.close()


def pickles(folder: Path, trace: Path) -> None:
    """Programs in the place of arrays."""
    program = pickle.dumps(Evil(trace))
    for suffix in ("npy", "npz", "png", "h5", "dm4", "gwy", "tif", "mrc"):
        (folder / f"program.{suffix}").write_bytes(program)
    np.save(folder / "objects.npy", np.array([Evil(trace)] * 4, dtype=object), allow_pickle=True)
    np.savez(folder / "objects.npz", image=np.array([[Evil(trace)] * 8] * 8, dtype=object))
    np.savez(folder / "objects-size.npz", image=np.eye(64), pixel_size=np.array([Evil(trace)], dtype=object))
    inner = np.zeros((8, 8), [("a", "O"), ("b", "f4")])
    np.save(folder / "objects-record.npy", inner, allow_pickle=True)
    with zipfile.ZipFile(folder / "program-inside.npz", "w") as archive:
        archive.writestr("image.npy", program)
        archive.writestr("../../escape.npy", program)
    (folder / "script.png").write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    (folder / "script.svg.png").write_text(f"<svg><script>fetch('file://{trace}')</script></svg>")
    (folder / "postscript.jpg").write_text(f"%!PS\n(%pipe%touch {trace}) (w) file\n")
    (folder / "archive.tif").write_bytes(b"PK\x05\x06" + bytes(18))
    (folder / "program-elf.tif").write_bytes(Path(sys.executable).resolve().read_bytes()[:4096])


def thin(folder: Path, rng: np.random.Generator) -> None:
    """Strips: lines of a few pixels, and 286 shapes of 16 to 80 by 1,025 to 70,000 pixels."""
    few = itertools.product((1, 2, 3, 5, 8), (33, 1025, 4097, 20_000, 70_000))
    many = itertools.product(
        np.linspace(16, 80, 13).round().astype(int), np.geomspace(1025, 70_000, 22).round().astype(int)
    )
    for number, (short, long) in enumerate([*few, *many]):
        shape = (short, long) if number % 2 else (long, short)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        tiled = rng.normal(size=(short // 3 + 1, 9))  # a cell that repeats thrice across
        image = (
            np.sin(x / 2) + np.cos(y / 1.7),
            np.sin(x / 2),
            tiled[y.astype(int) % tiled.shape[0], x.astype(int) % tiled.shape[1]],
            np.sin(x / 3) * np.cos(x / 3 + y / 2.3),
            0,
        )[number // 2 % 5]
        noisy = image + 0.1 * rng.normal(size=shape)
        np.save(folder / f"thin-{shape[0]}x{shape[1]}.npy", noisy.astype(np.float16))


def arrays(folder: Path, rng: np.random.Generator) -> None:
    """Odd values."""
    square = rng.normal(size=(48, 48))
    odd = {
        "nan": np.where(square > 1, np.nan, square),
        "all-nan": np.full((48, 48), np.nan),
        "infinite": np.where(square > 1, np.inf, square),
        "huge": square * 1e300,
        "largest": np.where(square > 0, 1.7e308, -1.7e308),
        "tiny": square * 1e-310,
        "constant": np.ones((48, 48)),
        "one-bright": np.eye(1, 48 * 48, 1000).reshape(48, 48),
        "one-pixel": np.ones((1, 1)),
        "empty": np.ones((0, 48)),
        "point": np.array(3.0),
        "line": np.arange(100.0),
        "bool": square > 0,
        "int64": (square * 2**60).astype(np.int64),
        "uint64": np.full((48, 48), 2**64 - 1, np.uint64),
        "half": square.astype(np.float16),
        "long": square.astype(np.longdouble),
        "big-endian": square.astype(">f4"),
        "fortran": np.asfortranarray(square),
        "complex": square + 1j,
        "words": np.array([["a", "b"]]),
        "bytes": np.array([[b"a", b"b"]]),
        "dates": np.zeros((48, 48), "M8[s]"),
        "spans": np.zeros((48, 48), "m8[s]"),
        "records": np.zeros((48, 48), [("a", "f4"), ("b", "i2")]),
        "void": np.zeros((48, 48), "V7"),
        "two-channels": rng.normal(size=(48, 48, 2)),
        "seven-channels": rng.normal(size=(48, 48, 7)),
        "no-channels": np.ones((48, 48, 0)),
        "five-axes": rng.normal(size=(2, 2, 2, 48, 48)),
        "twelve-axes": np.ones((1,) * 10 + (48, 48)),
        "stack": rng.normal(size=(30, 48, 48)),
    }
    for name, array in odd.items():
        np.save(folder / f"odd-{name}.npy", array)
    np.savez(folder / "odd-none.npz")
    np.savez(folder / "odd-two.npz", a=square, b=square)


def odd_names(folder: Path) -> None:
    """Names that a terminal, a table or a page could read as more than a name."""
    data = io.BytesIO()
    np.save(data, np.ones((8, 8)))
    for name in (
        "<img src=x onerror=alert(1)>.npy",
        "a|b|c.npy",
        "[a](javascript:alert(1)).npy",
        "line\nbreak.npy",
        "return\r.npy",
        "bell\a\x1b[31m.npy",
        "-rf.npy",
        "--json.npy",
        "sp ace.npy",
        "quote'\".npy",
        "hash#3.npy",
        "=1+1.npy",
        "$HOME.npy",
        "uni-\u202ecod\u00e9.npy",
        "dots...npy",
        "x" * 200 + ".npy",
        "UPPER.NPY",
        "not-utf8-\udcff.npy",
    ):
        (folder / name).write_bytes(data.getvalue())


def sparse(folder: Path) -> None:
    """Files of eight gigabytes that take no room: a beginning of each kind, and zeros."""
    from equisym.data.readers import FORMATS

    for form in FORMATS:
        path = folder / f"sparse.{form.suffixes[0]}"
        path.write_bytes(form.begins[0] if form.begins else b"")
        os.truncate(path, SPARSE)


def make_sets(folder: Path, secret: Path, trace: Path) -> None:
    """Data sets as ``--data`` takes them."""
    import h5py

    from equisym.data import render

    picture, small = _encoded(render("p4", "noise", seed=1, size=33)[0].numpy()), np.zeros((4, 33, 33, 3), np.uint8)

    def tar(name: str, *members: tuple[tarfile.TarInfo | str, bytes], tail: bytes = b"") -> None:
        with tarfile.open(folder / name, "w", format=tarfile.GNU_FORMAT) as file:
            for info, data in members:
                entry = tarfile.TarInfo(info) if isinstance(info, str) else info
                entry.size = entry.size or len(data)
                file.addfile(entry, io.BytesIO(data))
        if tail:
            (folder / name).write_bytes((folder / name).read_bytes() + tail)

    def linked(name: str, kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        return entry, b""

    def in_folder(name: str) -> str:
        (folder / name).mkdir()
        return f"{name}/0.tar"

    two = [("a.png", picture), ("a.cls", b"3"), ("b.png", picture), ("b.cls", b"4")]
    tar(in_folder("good"), *two)
    for name, label in {
        "huge": b"9" * 19,
        "negative": b"-7",
        "word": b"cat",
        "float": b"1.5",
        "empty": b"",
        "digits": "٣".encode(),
        "underscore": b"1_0",
        "zeros": b"\0" * 8,
        "million": b"999999999",
    }.items():
        tar(in_folder(f"label-{name}"), *two, ("c.png", picture), ("c.cls", label))
    tar(in_folder("names"), *two, ("../../escape.png", picture), ("../../escape.cls", b"1"), ("/etc/x.png", picture))
    types = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    tar(in_folder("links"), *two, *(linked(f"l{k}.png", t, str(secret)) for k, t in enumerate(types)))
    for name, data in {
        "bomb-13000": black_png(13_000),
        "bomb-60000": black_png(60_000),
        "bomb-9000": black_png(9_000, bits=8),
        "no-picture": b"nothing",
        "cut-picture": picture[:60],
        "empty-picture": b"",
        "gif": b"GIF89a" + bytes(99),
    }.items():
        tar(in_folder(name), *two, ("c.png", data), ("c.cls", b"5"))
    (folder / in_folder("packed")).write_bytes(zlib.compress(bytes(9999)))
    (folder / in_folder("empty-tar")).write_bytes(b"")
    (folder / in_folder("cut-tar")).write_bytes((folder / "good/0.tar").read_bytes()[:2000])
    flipped = bytearray((folder / "good/0.tar").read_bytes())
    flipped[130] ^= 1
    (folder / in_folder("flipped-tar")).write_bytes(flipped)
    (folder / in_folder("pax")).write_bytes(_tar_head(b"././@PaxHeader", 2**33 - 1, b"x") + bytes(9999))
    (folder / in_folder("size")).write_bytes(_tar_head(b"a.png", 2**33 - 1, b"0") + bytes(9999))
    os.mkfifo(folder / in_folder("pipe"))
    (folder / in_folder("device")).symlink_to("/dev/zero")

    def h5(name: str, data: Any, labels: Any, **attributes: Any) -> None:
        with h5py.File(folder / f"{name}.h5", "w", libver="latest") as file:
            group = file.create_group("all")
            for key, value in (("data", data), ("labels", labels)):
                if callable(value):
                    value(group)
                elif value is not None:
                    group[key] = value
            for key, value in attributes.items():
                group.attrs[key] = value

    numbers = np.arange(4)
    outside = {"external": [(str(secret), 0, 999)]}
    h5("set-good", small, numbers)
    h5("set-external", lambda g: g.create_dataset("data", (4, 9, 9), "u1", **outside), numbers)
    h5("set-external-labels", small, lambda g: g.create_dataset("labels", (4,), "u1", **outside))
    h5("set-link", lambda g: g.__setitem__("data", h5py.ExternalLink(str(folder / "set-good.h5"), "all/data")), numbers)
    h5("set-soft", lambda g: g.__setitem__("data", h5py.SoftLink("/all/data")), numbers)
    h5("set-huge", lambda g: g.create_dataset("data", (4, 60_000, 60_000), "f8", chunks=(1, 99, 99)), numbers)
    h5(
        "set-many",
        lambda g: g.create_dataset("data", (2**40, 9, 9), "u1", chunks=(1, 9, 9)),
        lambda g: g.create_dataset("labels", (2**40,), "i8", chunks=(9999,)),
    )
    h5(
        "set-chunk",
        lambda g: g.create_dataset("data", (4, 33, 33), "u1", chunks=(999, 1999, 1999), maxshape=(None,) * 3),
        numbers,
    )
    h5("set-negative", small, numbers - 9)
    h5("set-float-labels", small, numbers + 0.5)
    h5("set-other-length", small, np.arange(9))
    h5("set-flat", np.zeros((4, 9)), numbers)
    h5("set-words", np.array([b"a"] * 4), numbers)
    h5("set-nan", np.full((4, 33, 33), np.nan), numbers)
    h5("set-largest", np.full((4, 33, 33), 1.7e308), numbers)
    h5("set-channels", np.zeros((4, 33, 33, 7), np.uint8), numbers)
    h5("set-no-channels", np.zeros((4, 33, 33, 0), np.uint8), numbers)
    h5("set-no-pixels", np.zeros((4, 0, 33), np.uint8), numbers)
    h5("set-none", np.zeros((0, 33, 33), np.uint8), np.zeros(0, int))
    h5("set-no-labels", small, None)
    h5("set-names", small, numbers, label_names=["<b>", "a|b", "line\nbreak", "\x1b[2J"])
    h5("set-name-numbers", small, numbers, label_names=np.zeros(10**7))
    h5("set-name-bytes", small, numbers, label_names=np.array([b"a", b"\xff", b"c", b"d"]))
    with h5py.File(folder / "set-group-link.h5", "w") as file:
        file["all"] = h5py.ExternalLink(str(folder / "set-good.h5"), "/all")
        file["own"] = h5py.SoftLink("/own")
    (folder / "set-text.h5").write_text("no HDF5")
    whole = (folder / "set-good.h5").read_bytes()
    for k, share in enumerate((0.05, 0.2, 0.4, 0.6, 0.8)):
        changed = bytearray(whole)
        changed[int(share * len(whole)) : int(share * len(whole)) + 40] = b"\xff" * 40
        (folder / f"set-damaged-{k}.h5").write_bytes(changed)
    (folder / "set-cut.h5").write_bytes(whole[: len(whole) // 2])

    (folder / "a.png").write_bytes(picture)
    tables = {
        "good": "file,label\na.png,x\na.png,y\n",
        "secret": f"file,label\n{secret},x\na.png,y\n",
        "empty": "",
        "head": "file,label\n",
        "columns": "a,b\n1,2\n",
        "pipe": "file,label\n../images/pipe.png,x\na.png,y\n",
        "device": "file,label\n/dev/zero,x\na.png,y\n",
        "missing": "file,label\nnone.png,x\na.png,y\n",
        "short": "file,label\na.png\na.png,y\n",
        "split": "file,label,split\na.png,x,other\n",
        "nul": "file,label\na\0.png,x\na.png,y\n",
        "long": "file,label\na.png," + "x" * 200_000 + "\na.png,y\n",
        "address": "file,label\nhttp://localhost:9/a.png,x\na.png,y\n",
        "quote": 'file,label\n"a.png,x\na.png,y\n',
        "html": "file,label\na.png,<script>alert(1)</script>\na.png,\x1b[2J\n",
        "bomb": "file,label\n../images/bomb-16bit.png,x\na.png,y\n",
    }
    for name, text in tables.items():
        (folder / f"table-{name}.csv").write_text(text)
    (folder / "table-bytes.csv").write_bytes(b"file,label\n\xff\xfe,x\n")
    for name in ("classes", "classes-loop", "classes-names", "classes-damaged", "classes-one", "classes-program"):
        for kind in ("x", "y"):
            (folder / name / kind).mkdir(parents=True)
            (folder / name / kind / "0.png").write_bytes(picture)
            (folder / name / kind / "1.png").write_bytes(picture)
    (folder / "classes-loop/x/loop").symlink_to(folder / "classes-loop")
    (folder / "classes-loop/z").symlink_to("/proc")
    (folder / "classes-names/<b>|\x1b[2J\n").mkdir()
    (folder / "classes-names/<b>|\x1b[2J\n/0.png").write_bytes(picture)
    (folder / "classes-damaged/x/0.png").write_bytes(picture[:50])
    (folder / "classes-one/y/0.png").unlink()
    (folder / "classes-one/y/1.png").unlink()
    (folder / "classes-program/x/0.npy").write_bytes(pickle.dumps(Evil(trace)))
    os.mkfifo(folder / "classes-program/y/2.png")


def _encoded(pixels: np.ndarray) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray((255 * pixels).astype(np.uint8)).save(made, "PNG")
    return made.getvalue()


def _tar_head(name: bytes, size: int, kind: bytes) -> bytes:
    """The header of a tar entry, with a valid checksum."""
    head = bytearray(name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0")
    head += b" " * 8 + kind
    head = head.ljust(257, b"\0") + b"ustar\x0000"
    head = bytearray(head.ljust(512, b"\0"))
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


ABOUT = {"arch": "e2resnet", "arch_options": {"width": 2}, "num_classes": 17, "in_channels": 1, "size": 33}
EXTREME = {"none": None, "zero": 0, "minus": -1, "half": 0.5, "many": 60_000, "word": "../../x", "list": [60_000] * 64}


def make_models(folder: Path, secret: Path, trace: Path) -> None:
    """Model files: headers, descriptions, and every option of every architecture at its extremes."""
    from equisym.models import build, save_model

    program = pickle.dumps(Evil(trace))
    (folder / "evil.pth").write_bytes(program)
    save_model(build("e2resnet", width=2), folder / "good.safetensors", ABOUT)
    whole = (folder / "good.safetensors").read_bytes()
    body = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"equisym":"{}"}}'

    def raw(name: str, header: bytes, data: bytes = bytes(8), length: int | None = None) -> None:
        size = struct.pack("<Q", len(header) if length is None else length)
        (folder / f"{name}.safetensors").write_bytes(size + header + data)

    for k, length in enumerate((2**63, 2**64 - 1, 2**40, 10**8 + 1, 0, 1)):
        raw(f"head-length-{k}", body, length=length)
    raw("head-deep", b"[" * 1_000_000)
    raw("head-no-json", b"\xff" * 999)
    raw("head-twice", b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' + body[1:])
    for name, entry in {
        "shape": '"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]',
        "offset": '"F32","shape":[2],"data_offsets":[0,99999999]',
        "behind": '"F32","shape":[2],"data_offsets":[8,0]',
        "negative": '"F32","shape":[-2],"data_offsets":[0,8]',
        "kind": '"PICKLE","shape":[2],"data_offsets":[0,8]',
        "gap": '"F32","shape":[1],"data_offsets":[4,8]',
    }.items():
        raw(f"head-{name}", f'{{"x":{{"dtype":{entry}}},"__metadata__":{{"equisym":"{{}}"}}}}'.encode())
    for k in range(8):
        changed = bytearray(whole)
        changed[int((k + 0.5) / 8 * len(whole))] ^= 4
        (folder / f"flip-{k}.safetensors").write_bytes(changed)
        (folder / f"cut-{k}.safetensors").write_bytes(whole[: k * len(whole) // 8])
    (folder / "program.safetensors").write_bytes(program)
    with zipfile.ZipFile(folder / "archive.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", program)
    os.mkfifo(folder / "pipe.safetensors")
    (folder / "device.safetensors").symlink_to("/dev/zero")
    (folder / "folder.safetensors").mkdir()
    (folder / "a-folder").mkdir()
    (folder / "a-folder/model.safetensors").symlink_to(folder / "a-folder/model.safetensors")
    raw(
        "sparse",
        b'{"x":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]},"__metadata__":{"equisym":"{}"}}'
        % (SPARSE // 4, SPARSE),
        b"",
    )
    os.truncate(folder / "sparse.safetensors", (folder / "sparse.safetensors").stat().st_size + SPARSE)
    for name, about in _descriptions(folder / "evil.pth", secret):
        _described_model(folder / f"{name}.safetensors", about)


def _described_model(path: Path, about: Any) -> None:
    import torch
    from safetensors.torch import save_file

    text = about if isinstance(about, str) else json.dumps(about)
    save_file({"x": torch.zeros(2)}, path, metadata={"equisym": text})


def _descriptions(evil: Path, secret: Path) -> Iterator[tuple[str, Any]]:
    """Descriptions of networks by name."""
    for k, text in enumerate(
        ("{", "[" * 100_000, "null", "3", '"a"', "[]", '{"arch":' * 5000, "NaN", "\0", "9" * 10_000)
    ):
        yield f"text-{k}", text
    for k, (key, value) in enumerate(
        [
            ("num_classes", 10**9),
            ("num_classes", True),
            ("num_classes", -1),
            ("num_classes", 65_536),
            ("in_channels", 0),
            ("in_channels", 65_536),
            ("size", 10**9),
            ("size", None),
            ("inputs", "image,secret"),
            ("inputs", "radon," * 9999),
            ("inputs", ["image"]),
            ("arch", "os.system"),
            ("arch", "timm/hf-hub:someone/evil"),
            ("arch", "timm/../../x"),
            ("arch", f"timm/local-dir:{evil.parent}"),
            ("arch", "hf-hub:someone/evil"),
            ("arch", "\x1b[2J<b>\n"),
            ("arch", ""),
            ("arch", "timm/"),
            ("arch", "x" * 10**6),
            ("arch_options", []),
            ("package", "os"),
            ("package", "../evil"),
            ("classes", "a"),
            ("classes", [1] * 9),
            ("classes", ["<script>"] * 17),
        ]
    ):
        yield f"about-{k}-{key}", ABOUT | {key: value}
    for option in (
        "checkpoint_path",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "cache_dir",
        "file",
        "url",
        "features_only",
        "scriptable",
        "weights",
        "custom_load",
        "hf_hub_id",
        "exportable",
    ):
        for arch in ("timm/resnet18", "resnet50", "fpn_resnet50", "e2resnet"):
            value = True if option in ("pretrained", "features_only") else str(evil)
            yield f"timm-{option}-{arch.replace('/', '-')}", ABOUT | {"arch": arch, "arch_options": {option: value}}
    yield (
        "timm-overlay",
        ABOUT | {"arch": "timm/resnet18", "arch_options": {"pretrained_cfg_overlay": {"file": str(evil)}}},
    )
    for k, value in enumerate(
        ("hf-hub:someone/evil", f"local-dir:{evil.parent}", str(secret), "resnet18.evil", "vit_huge_patch14_224")
    ):
        yield f"backbone-{k}", ABOUT | {"arch": "fpn_resnet50", "arch_options": {"backbone": value}}
    for arch, option in _options():
        for name, value in EXTREME.items():
            about = ABOUT | {"arch": arch, "arch_options": {option: value}}
            yield f"option-{arch.replace('/', '-')}-{option}-{name}", about


def _options() -> Iterator[tuple[str, str]]:
    """Options of the architectures that take time or room: depths, widths, kernels, names of layers."""
    from equisym.models.baselines import TIMM_OPTIONS

    ours = {
        "e2resnet": ("group", "width", "blocks", "stem_kernel", "conv", "pool", "exact_at", "dropout"),
        "e2wideresnet": ("depth", "width"),
        "e2densenet": ("layers", "growth"),
        "e2vit": ("depth", "heads", "width"),
        "e2convnext": ("depths", "width"),
        "rkcnn": ("kernel_size", "width"),
        "msrnet": ("kernel_size",),
        "filternet": ("kernel_size", "filters"),
        "orbitnet": ("stages", "group", "width"),
        "symnet": ("filters", "hidden"),
        "fpn_resnet50": ("channels", "backbone"),
    }
    for arch, options in ours.items():
        yield from ((arch, option) for option in options)
    for k, option in enumerate(TIMM_OPTIONS):
        yield ("timm/resnet18", "timm/vit_tiny_patch16_224", "timm/densenet121")[k % 3], option


def make_recipes(folder: Path, trace: Path) -> None:
    """YAML files for ``equisym-train --config``."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
    )
    texts = {
        "good": "arch: e2resnet\nepochs: 2\n",
        "apply": f"arch: !!python/object/apply:os.system ['touch {trace}']\n",
        "new": f"arch: !!python/object/new:os.system ['touch {trace}']\n",
        "name": "arch: !!python/name:os.system\n",
        "module": "arch: !!python/module:os\n",
        "tuple": "arch: !!python/tuple [a, b]\n",
        "laughs": laughs + "arch_options: {a: *j}\n",
        "laughs-callbacks": laughs + "callbacks: *j\n",
        "laughs-alone": laughs,
        "laughs-options": "arch_options:\n" + "".join(f"  {line}\n" for line in laughs.splitlines()),
        "cycle": "arch_options: &a {a: *a}\n",
        "cycle-list": "callbacks: &a [*a]\n",
        "deep": "arch_options: " + "[" * 20_000,
        "deep-map": "arch_options: " + "{a: " * 3000 + "1" + "}" * 3000,
        "digits": "epochs: " + "9" * 10_000 + "\n",
        "sixty": "epochs: 1" + ":59" * 3000 + "\n",
        "nan": "lr: .nan\n",
        "infinite": "lr: .inf\n",
        "dates": "seed: 2001-01-01\n",
        "binary": "arch: !!binary aGVsbG8=\n",
        "keys": "? [a, b]\n: c\n",
        "many": "arch: a\n---\narch: b\n",
        "list": "- a\n- b\n",
        "word": "hello\n",
        "empty": "",
        "unknown": "no_such: 1\n",
        "escape": 'arch: "\\x1b[2J\\n<b>"\n',
        "config": "config: /etc/passwd\n",
        "config-self": "config: config-self.yaml\n",
        "merge": "x: &x {arch: e2resnet}\n<<: *x\n",
        "interpolation": "arch: ${oc.env:HOME}\nout: ${arch}\n",
        "class": "class_path: os.system\ninit_args: {command: 'touch x'}\n",
        "tab": "arch:\te2resnet\n\tx: 1\n",
        "colons": "a: b: c\n",
        "long": "arch: " + "x" * 10**7 + "\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "nul.yaml").write_bytes(b"arch: a\0b\n")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "folder.yaml").mkdir()
    (folder / "sparse.yaml").write_bytes(b"arch: ")
    os.truncate(folder / "sparse.yaml", SPARSE)
