"""Arrays of thin shapes and odd values, files of odd names, and files that claim gigabytes."""

from __future__ import annotations

import io
import itertools
import os
from pathlib import Path

import numpy as np

SPARSE = 2**33  # bytes that a file claims to have, and the disk does not


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
