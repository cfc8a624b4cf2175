"""Data sets as ``--data`` takes them: shards, HDF5 files, tables, folders of classes."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hostile.pictures import black_png
from hostile.programs import Evil


def make_sets(folder: Path, secret: Path, trace: Path) -> None:
    """Data sets of each kind."""
    from equisym.data import render

    picture = _encoded(render("p4", "noise", seed=1, size=33)[0].numpy())
    _shards(folder, picture, secret)
    _hdf5(folder, secret)
    _tables(folder, picture, secret)
    _class_folders(folder, picture, trace)


def _shards(folder: Path, picture: bytes, secret: Path) -> None:
    """Folders of one tar with hostile labels, names, links, pictures and headers."""

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


def _hdf5(folder: Path, secret: Path) -> None:
    """HDF5 files with hostile links, shapes, labels and names."""

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

    small, numbers = np.zeros((4, 33, 33, 3), np.uint8), np.arange(4)
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


def _tables(folder: Path, picture: bytes, secret: Path) -> None:
    """Tables of files and labels."""
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


def _class_folders(folder: Path, picture: bytes, trace: Path) -> None:
    """A folder for each class, with cycles, odd names, damage, pipes and programs."""
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
