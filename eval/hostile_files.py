"""Files that would break or abuse a program which reads them, made from seeds, and what happens to each.

    python eval/hostile_files.py --out eval/results/hostile_files

makes some hundred files in a temporary folder: headers of every format mutated, cut off files, decompression bombs,
links and cycles, pickles, thin shapes, odd arrays and odd names. Each is given to the classifier in a process that is
watched: 20 s of processor time (or ten times as long of waiting), 3 GiB, a trace that executed code would leave. Then
``equisym-predict`` is given the whole folder, in which good files stand as well. ``hostile_files.csv`` has a row for
each file, ``hostile_files.md`` the counts. Exit 1 if a promise of SECURITY.md is broken.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import multiprocessing
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from equisym.document import Bullets, Code, Heading, Table, Text, render_markdown

ROOT = Path(__file__).parents[1]
SECONDS, GIBIBYTES = 20.0, 3.0
FINE = ("answered", "refused", "error")
GOOD = 4  # files that must be answered whatever stands beside them


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def good(folder: Path) -> None:
    """Images with an answer, which neighbours must not cost."""
    from equisym.data import render

    for k, group in enumerate(("p4m", "p6m", "pmm", "p4g")):
        np.save(folder / f"good-{k}-{group}.npy", render(group, "atom", seed=3 + k, size=128)[0].numpy())


def seeds(folder: Path) -> dict[str, bytes]:
    """A whole file of every format, by name."""
    spec = importlib.util.spec_from_file_location("instrument_files", ROOT / "tests" / "data" / "instrument_files.py")
    assert spec is not None
    assert spec.loader is not None
    writers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writers)
    names = {
        "png": "png", "jpg": "jpg", "npz": "npz", "npy": "npy", "plain_hdf5": "h5", "hyperspy": "hspy", "velox": "emd",
        "berkeley": "emd", "mrc": "mrc", "mrc_extended": "mrc", "imagej": "tif", "imagej_hyperstack": "tif",
        "ome": "tif", "fei": "tif", "zeiss": "tif", "digital_micrograph_tif": "tif", "tvips": "tif", "olympus": "tif",
        "dm4": "dm4", "tia": "ser", "nanonis": "sxm", "gwyddion": "gwy", "igor": "ibw", "rhk": "sm4",
        "blockfile": "blo",
    }  # fmt: skip
    made = {}
    for name, suffix in names.items():
        path = folder / f"{name}.{suffix}"
        writer = getattr(writers, name, None)
        if writer is None:
            continue
        writer(path)
        made[path.name] = path.read_bytes()
        path.unlink()
    return made


def mutations(whole: dict[str, bytes], rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Each file cut off, and with bits of its header flipped, set and repeated."""
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
        middle = bytearray(data)
        place = int(rng.integers(len(data) // 2, len(data)))
        middle[place : place + 64] = rng.bytes(len(middle[place : place + 64]))
        yield f"noise-{stem}.{suffix}", bytes(middle)


def bombs(folder: Path) -> None:
    """Small files that declare or unpack to very large images."""
    import h5py

    for side in (13_000, 60_000):
        row = zlib.compressobj(9)
        packed = b"".join(row.compress(bytes(1 + side // 8)) for _ in range(side)) + row.flush()
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
        body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
        (folder / f"bomb-{side}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    for name, entries in {
        "bomb-declared.tif": [
            (256, 100_000),
            (257, 100_000),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (278, 1),
            (279, 64),
        ],
        "bomb-deflate.tif": [
            (256, 60_000),
            (257, 60_000),
            (258, 16),
            (259, 8),
            (262, 1),
            (273, 8),
            (278, 60_000),
            (279, 64),
        ],
        "bomb-rows.tif": [(256, 2**31 - 1), (257, 2), (258, 8), (259, 1), (262, 1), (273, 8), (278, 1), (279, 1)],
    }.items():
        (folder / name).write_bytes(tiff([(entries, 0)]))
    for name, head in {
        "bomb-shape.npy": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }",
        "bomb-negative.npy": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }",
        "bomb-overflow.npy": "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        "bomb-call.npy": "{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os').getpid(), 4), }",
        "bomb-deep.npy": "{'descr': " + "(" * 3000 + ", 'shape': (2, 2), }",
    }.items():
        text = (head + " " * (64 - (len(head) + 11) % 64) + "\n").encode()
        (folder / name).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64))
    with zipfile.ZipFile(folder / "bomb-zeros.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (23_000, 23_000)})
        with archive.open("image.npy", "w", force_zip64=True) as entry:
            entry.write(head.getvalue())
            for _ in range(4 * 1035):
                entry.write(bytes(2**20))
    with zipfile.ZipFile(folder / "bomb-many.npz", "w") as archive:
        for k in range(20_000):
            archive.writestr(f"a{k}.npy", b"")
    with h5py.File(folder / "bomb-declared.h5", "w") as file:
        file.create_dataset("image", (150_000, 150_000), "u1", chunks=(1000, 1000))
    with h5py.File(folder / "bomb-fill.h5", "w") as file:
        file.create_dataset("image", (60_000, 60_000), "f8", chunks=(100, 100), fillvalue=3.0, compression="gzip")
    with h5py.File(folder / "bomb-groups.h5", "w") as file:
        for k in range(3000):
            file.create_group(f"g{k}/h/i/j")
    bmp = struct.pack("<2sIHHI", b"BM", 60, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, 90_000, 90_000, 1, 24, 0, 0, 0, 0, 0, 0
    )
    (folder / "bomb.bmp").write_bytes(bmp + bytes(60))
    jpeg = b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 65_500, 65_500) + b"\x01\x01\x11\0\xff\xd9"
    (folder / "bomb.jpg").write_bytes(jpeg)
    (folder / "bomb.mrc").write_bytes(struct.pack("<4i", 2**30, 2**30, 4, 2).ljust(1024, b"\0") + bytes(64))


def tiff(pages: list[tuple[list[tuple[int, int]], int | None]]) -> bytes:
    """A tif of one directory for each page, with the number of the page that follows it (0 for none)."""
    out, starts = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(64)), []
    for entries, _ in pages:
        starts.append(len(out))
        out += (
            struct.pack("<H", len(entries))
            + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in entries)
            + bytes(4)
        )
    for start, (entries, after) in zip(starts, pages, strict=True):
        place = start + 2 + 12 * len(entries)
        out[place : place + 4] = struct.pack("<I", 0 if after is None or not after else starts[after - 1])
    return bytes(out)


def links(folder: Path, secret: Path, stop: list[Callable[[], None]]) -> None:
    """Links, cycles, pipes and devices."""
    import h5py

    page = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (278, 8), (279, 64)]
    (folder / "cycle-self.tif").write_bytes(tiff([(page, 1)]))
    (folder / "cycle-two.tif").write_bytes(tiff([(page, 2), (page, 1)]))
    (folder / "cycle-late.tif").write_bytes(tiff([(page, 2), (page, 3), (page, 2)]))
    (folder / "cycle-subifd.tif").write_bytes(tiff([([*page[:-1], (330, 72), page[-1]], 0)]))
    (folder / "many-pages.tif").write_bytes(tiff([(page, k + 2) for k in range(4999)] + [(page, 0)]))
    pipe = folder / "pipe.png"
    os.mkfifo(pipe)
    os.mkfifo(folder / "pipe.h5")
    for name, target in {
        "link-secret.png": secret,
        "link-zero.npy": Path("/dev/zero"),
        "link-random.tif": Path("/dev/urandom"),
        "link-dangling.png": folder / "nowhere",
        "link-self.png": folder / "link-self.png",
        "link-folder.png": folder,
        "link-stdin.npy": Path("/dev/stdin"),
    }.items():
        (folder / name).symlink_to(target)
    (folder / "a-folder.png").mkdir()
    server = socket.socket(socket.AF_UNIX)
    where = Path.cwd()
    os.chdir(folder)
    server.bind("socket.png")
    os.chdir(where)
    stop.append(server.close)
    shape = (32, 32)
    with h5py.File(folder / "external-secret.h5", "w") as file:
        file.create_dataset("image", shape, "u1", external=[(str(secret), 0, 1024)])
    with h5py.File(folder / "external-pipe.h5", "w") as file:
        file.create_dataset("image", shape, "u1", external=[(str(pipe), 0, 1024)])
    with h5py.File(folder / "external-link.h5", "w") as file:
        file["image"] = h5py.ExternalLink(str(folder / "good.h5"), "/image")
    with h5py.File(folder / "external-link-pipe.h5", "w") as file:
        file["image"] = h5py.ExternalLink(str(folder / "pipe.h5"), "/image")
    with h5py.File(folder / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(shape, "u1")
        layout[:] = h5py.VirtualSource(str(folder / "good.h5"), "image", shape)
        file.create_virtual_dataset("image", layout)
    with h5py.File(folder / "virtual-pipe.h5", "w") as file:
        layout = h5py.VirtualLayout(shape, "u1")
        layout[:] = h5py.VirtualSource(str(folder / "pipe.h5"), "image", shape)
        file.create_virtual_dataset("image", layout)
    with h5py.File(folder / "cycle-group.h5", "w") as file:
        group = file.create_group("a")
        group["b"] = file["a"]
        file["c"] = h5py.SoftLink("/c")
    with h5py.File(folder / "good.h5", "w") as file:
        file["image"] = np.zeros(shape, np.uint8)


def pickles(folder: Path, trace: Path) -> None:
    """Programs in the place of arrays."""
    program = pickle.dumps(Evil(trace))
    for name in ("program.npy", "program.npz", "program.png", "program.h5", "program.dm4", "program.gwy"):
        (folder / name).write_bytes(program)
    np.save(folder / "objects.npy", np.array([Evil(trace)] * 4, dtype=object), allow_pickle=True)
    np.savez(folder / "objects.npz", image=np.array([[Evil(trace)] * 8] * 8, dtype=object))
    with zipfile.ZipFile(folder / "program-inside.npz", "w") as archive:
        archive.writestr("image.npy", program)
        archive.writestr("../../escape.npy", program)
    (folder / "script.png").write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    (folder / "script.svg.png").write_text(f"<svg><script>fetch('file://{trace}')</script></svg>")
    (folder / "archive.tif").write_bytes(b"PK\x05\x06" + bytes(18))
    (folder / "program.tif").write_bytes(Path(sys.executable).resolve().read_bytes()[:4096])


def arrays(folder: Path, rng: np.random.Generator) -> None:
    """Thin shapes and odd values."""
    for short in (1, 2, 3, 5, 8, 16, 17, 24, 33, 48, 80):
        for long in (33, 1025, 4097, 20_000, 70_000):
            shape = (short, long) if (short + long) % 2 else (long, short)
            stripes = np.sin(np.arange(long) * 2 * np.pi / 12.5)
            image = (stripes if shape[1] == long else stripes[:, None]) + 0.1 * rng.normal(size=shape)
            np.save(folder / f"thin-{shape[0]}x{shape[1]}.npy", image.astype(np.float32))
    square = rng.normal(size=(48, 48))
    odd = {
        "nan": np.where(square > 1, np.nan, square),
        "all-nan": np.full((48, 48), np.nan),
        "infinite": np.where(square > 1, np.inf, square),
        "huge": square * 1e300,
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
        "records": np.zeros((48, 48), [("a", "f4"), ("b", "i2")]),
        "void": np.zeros((48, 48), "V7"),
        "two-channels": rng.normal(size=(48, 48, 2)),
        "seven-channels": rng.normal(size=(48, 48, 7)),
        "five-axes": rng.normal(size=(2, 2, 2, 48, 48)),
        "stack": rng.normal(size=(30, 48, 48)),
    }
    for name, array in odd.items():
        np.save(folder / f"odd-{name}.npy", array)
    np.savez(folder / "odd-none.npz")
    np.savez(folder / "odd-two.npz", a=square, b=square)


def names(folder: Path) -> None:
    """Names that a terminal, a table or a page could read as more than a name."""
    data = io.BytesIO()
    np.save(data, np.ones((8, 8)))
    for name in (
        "<script>alert(1)</script>.npy",
        "a|b|c.npy",
        "line\nbreak.npy",
        "bell\a\x1b[31m.npy",
        "-rf.npy",
        "--json.npy",
        "sp ace.npy",
        "quote'\".npy",
        "hash#3.npy",
        "$HOME.npy",
        "uni-\u202ecod\u00e9.npy",
        "dots...npy",
        "x" * 200 + ".npy",
        "UPPER.NPY",
        "not-utf8-\udcff.npy",
    ):
        (folder / name).write_bytes(data.getvalue())


def _worker(pipe: Connection) -> None:
    """Answer for files until there are no more."""
    import torch

    from equisym import SymmetryClassifier

    torch.set_num_threads(1)
    classifier = SymmetryClassifier.from_pretrained()
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        try:
            result = classifier.predict(path)
            pipe.send(("answered" if result.refused is None else "refused", result.refused or result.group))
        except (ValueError, OSError) as error:
            pipe.send(("error" if "\n" not in str(error) else "error of many lines", str(error)))
        except BaseException as error:  # what should not happen is what is counted
            pipe.send(("crash", f"{type(error).__name__}: {error}"))


class Watched:
    """A process that answers for one file after the other, and is ended when it takes too long or too much."""

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None

    def start(self) -> None:
        """Begin, or begin again."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_worker, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        assert self.pipe.recv() == "ready"

    def ask(self, path: Path, seconds: float) -> tuple[str, str, float, float]:
        """What happens to a file, in what words, after how many seconds of the processor and at how many GiB."""
        if self.process is None or not self.process.is_alive():
            self.start()
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}")
        (status / "clear_refs").write_text("5")  # the peak begins anew
        begin, before, most = time.perf_counter(), _processor(status), 0.0
        self.pipe.send(str(path))
        try:
            while not self.pipe.poll(0.1):
                most = max(most, _peak(status))
                spent = _processor(status) - before
                if spent > seconds or time.perf_counter() - begin > 10 * seconds or most > GIBIBYTES:
                    kind = "memory" if most > GIBIBYTES else "hang"
                    self.process.kill()
                    self.process.join()
                    return kind, "", spent, most
            kind, words = self.pipe.recv()
        except EOFError:
            self.process.join()
            return "died", f"exit {self.process.exitcode}", 0.0, most
        most = max(most, _peak(status))
        return ("memory" if most > GIBIBYTES else kind), words, _processor(status) - before, most


def _processor(status: Path) -> float:
    """Seconds of processor time of a process."""
    fields = (status / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(status: Path) -> float:
    line = next(
        (text for text in (status / "status").read_text().splitlines() if text.startswith("VmHWM")), "VmHWM: 0 kB"
    )
    return int(line.split()[1]) / 2**20


def together(folder: Path, limit: float) -> list[str]:
    """What is wrong with ``equisym-predict FOLDER``: it should answer the good files and say one line on each other."""
    command = [sys.executable, "-c", "from equisym.predict.command import main; main()", str(folder), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return [f"equisym-predict on the whole folder took more than {limit:.0f} s"]
    said, problems = done.stderr.decode(errors="replace"), []
    if "Traceback" in said:
        problems.append(f"equisym-predict printed a traceback: {said[said.index('Traceback') :][:300]}")
    if done.returncode != 2:
        problems.append(f"equisym-predict ended with {done.returncode} instead of 2")
    answers = [json.loads(line) for line in done.stdout.decode(errors="replace").splitlines()]
    right = sum(Path(a["file"]).stem.split("-")[-1] == a["group"] for a in answers if "good-" in a["file"])
    if right != GOOD:
        problems.append(f"{right} of {GOOD} good files were answered rightly among hostile neighbours")
    return problems


def main() -> None:
    """Make the files, watch what happens, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "eval" / "results" / "hostile_files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose names begin so")
    parser.add_argument("--keep", type=Path, help="make the files here and leave them")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of the processor, after which a file counts as a hang"
    )
    parser.add_argument("--no-together", action="store_true", help="leave out equisym-predict on the whole folder")
    options = parser.parse_args()
    rng, stop = np.random.default_rng(options.seed), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary) / "files").absolute()
        folder.mkdir(parents=True)
        trace, secret = Path(temporary) / "executed", Path(temporary) / "secret"
        secret.write_bytes(bytes(range(256)) * 16)
        good(folder)
        for name, data in mutations(seeds(folder), rng):
            (folder / name).write_bytes(data)
        bombs(folder)
        links(folder, secret, stop)
        pickles(folder, trace)
        arrays(folder, rng)
        names(folder)
        watched, rows = Watched(), []
        for path in tqdm(sorted(p for p in folder.iterdir() if p.name.startswith(options.only)), unit="file"):
            kind, words, seconds, most = watched.ask(path, options.seconds)
            if trace.exists():
                kind = "executed"
                trace.unlink()
            name = path.name.encode(errors="backslashreplace").decode()
            rows.append(
                {"file": name, "reaction": kind, "seconds": round(seconds, 1), "gib": round(most, 2), "words": words}
            )
        problems = [] if options.no_together or options.only else together(folder, 40 * len(rows))
        if trace.exists():
            problems.append("equisym-predict executed a program of a file")
        for close in stop:
            close()
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    broken = [
        row for row in rows if row["reaction"] not in FINE or ("good-" in row["file"] and row["reaction"] != "answered")
    ]
    _write(options.out, rows, broken, problems)
    for row in broken:
        print(f"{row['reaction']}: {row['file']}: {' '.join(row['words'].split())[:200]}")
    print(*problems, sep="\n")
    sys.exit(1 if broken or problems else 0)


def _write(out: Path, rows: list[dict], broken: list[dict], problems: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "hostile_files.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {**row, "words": " ".join(row["words"].split())[:160].replace(str(tempfile.gettempdir()), "")}
            for row in rows
        )
    kinds = Counter((row["file"].split("-")[0].split(".")[0], row["reaction"]) for row in rows)
    counts = [[group, kind, str(number)] for (group, kind), number in sorted(kinds.items())]
    slowest, largest = max(row["seconds"] for row in rows), max(row["gib"] for row in rows)
    blocks = [
        Code("python eval/hostile_files.py", "sh"),
        Text(f"{len(rows)} files; the slowest took {slowest:.1f} s, the largest {largest:.2f} GiB of memory."),
        Heading("Broken promises"),
        Bullets([f"{row['reaction']}: {row['file']}" for row in broken] + problems or ["None."]),
        Heading("Reactions"),
        Table(["files", "reaction", "number"], counts),
    ]
    (out / "hostile_files.md").write_text(render_markdown("What hostile files do", blocks, out))


if __name__ == "__main__":
    main()
