"""Small arrays, HDF5 files and instruments' files that declare, or unpack to, very large images."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hostile.pictures import picture_bombs
from hostile.tifs import tif_bombs
from hostile.whole_files import instrument_files


def bombs(folder: Path) -> None:
    """Small files that declare, unpack to, or take as long as, very large images."""
    picture_bombs(folder)
    tif_bombs(folder)
    _numpy_bombs(folder)
    _hdf5_bombs(folder)
    _instrument_bombs(folder)


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
    writers, path = instrument_files(), folder / "made"
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
