"""Programs in the place of images and arrays, which leave a trace when one runs."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


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
