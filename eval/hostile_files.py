"""Hostile files of every kind, and what happens to each.

    python eval/hostile_files.py

makes the corpus of ``hostile_corpus.py`` in a temporary folder: images of every format with mutated headers, cut off
files, decompression bombs, links, pipes and cycles, pickles, thin shapes, odd arrays and odd names, and hostile data
sets, model files and recipes. Each is read in a process that is watched: 20 s of processor time (or ten times as long
of waiting), 3 GiB, a trace that executed code would leave, a network that may not be asked. Then ``equisym-predict``
is given the whole folder of images, in which good ones stand as well. ``hostile_files.csv`` has a row for each file,
written as it comes (a run that was stopped goes on), ``hostile_files.md`` the counts. Exit 1 if a promise of
SECURITY.md is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hostile_corpus import GOOD, ROOT, make_corpus
from tqdm.auto import tqdm

from equisym.document import Bullets, Code, Heading, Table, Text, render_markdown

SECONDS, GIBIBYTES = 20.0, 3.0
FINE = ("answered", "refused", "error")
COLUMNS = ("file", "reaction", "seconds", "gib", "words")


def read_image_of(path: str) -> tuple[str, str]:
    """What the classifier says of an image."""
    result = _classifier().predict(path)
    return ("answered", str(result.group)) if result.refused is None else ("refused", result.refused)


def _classifier(made: list[Any] = []) -> Any:  # noqa: B006 - made once in each process
    if not made:
        from equisym import SymmetryClassifier

        made.append(SymmetryClassifier.from_pretrained())
    return made[0]


def read_set(path: str) -> tuple[str, str]:
    """Open a data set as ``--data`` does, and read its first images."""
    from equisym.data import fingerprint, open_labelled

    sets = open_labelled(path, size=33, progress=False)
    for images in sets.values():
        fingerprint(images)
        for k in range(min(len(images), 20)):
            assert images[k][0].shape == (1, 33, 33)
    return "answered", ", ".join(f"{len(images)} {split}" for split, images in sets.items())


def read_model(path: str) -> tuple[str, str]:
    """Load a model as equisym-eval and as equisym-predict do; what the first says is what counts."""
    from equisym.predict.pretrained import load_classifier
    from equisym.train.artifacts import load_model

    with contextlib.suppress(ValueError, OSError):
        load_classifier(path)
    return "answered", load_model(path)[1]["arch"]


def read_recipe(path: str) -> tuple[str, str]:
    """Parse a recipe as equisym-train does, and write it as a run records it."""
    import yaml

    from equisym.command_line import run_command, to_options
    from equisym.train import TrainConfig

    said, given = io.StringIO(), sys.argv
    sys.argv = ["equisym-train", "--config", path]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            run_command(TrainConfig, lambda config: yaml.safe_dump(to_options(config)), prog="equisym-train")
    except SystemExit as end:
        if end.code != 2:
            raise RuntimeError(f"exit {end.code}: {said.getvalue()}") from None
        return "error", said.getvalue().removesuffix("\n")
    finally:
        sys.argv = given
    return "answered", ""


READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "images": read_image_of,
    "sets": read_set,
    "models": read_model,
    "recipes": read_recipe,
}


def _worker(pipe: Connection) -> None:
    """Read files until there are no more."""
    import torch

    import equisym.models
    import equisym.train  # noqa: F401 - so that the first file does not pay for it

    def asked(*_: Any, **__: Any) -> None:
        raise RuntimeError("the network was asked")

    socket.getaddrinfo = socket.create_connection = socket.socket.connect = asked  # pyright: ignore
    torch.set_num_threads(1)
    warnings.simplefilter("always")
    pipe.send("ready")
    while (job := pipe.recv()) is not None:
        door, path = job
        try:
            with warnings.catch_warnings(record=True) as told:
                kind, words = READERS[door](path)
            words = "; ".join([words, *(str(entry.message) for entry in told)])
        except (ValueError, OSError, ImportError) as error:
            kind, words = "error", str(error)
        except BaseException as error:  # what should not happen is what is counted
            kind, words = "crash", f"{type(error).__name__}: {error}"
        pipe.send((kind, words[:100_000]))


class Watched:
    """A process that reads one file after the other, and is ended when it takes too long or too much."""

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

    def ask(self, door: str, path: Path, seconds: float) -> tuple[str, str, float, float]:
        """What happens to a file, in what words, after how many seconds of the processor and at how many GiB."""
        if self.process is None or not self.process.is_alive():
            self.start()
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}")
        (status / "clear_refs").write_text("5")  # the peak begins anew
        begin, before, most = time.perf_counter(), _processor(status), 0.0
        self.pipe.send((door, str(path)))
        try:
            while not self.pipe.poll(0.05):
                most = max(most, _peak(status))
                spent = _processor(status) - before
                if spent > seconds or time.perf_counter() - begin > 10 * seconds or most > GIBIBYTES:
                    kind = "memory" if most > GIBIBYTES else "hang"
                    self.process.kill()
                    self.process.join()
                    return kind, "", spent, most
            kind, words = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return "died", f"exit {self.process.exitcode}", 0.0, most
        most = max(most, _peak(status))
        return ("memory" if most > GIBIBYTES else kind), words, _processor(status) - before, most


def _processor(status: Path) -> float:
    """Seconds of processor time of a process."""
    fields = (status / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(status: Path) -> float:
    lines = (status / "status").read_text().splitlines()
    line = next((text for text in lines if text.startswith("VmHWM")), "VmHWM: 0 kB")
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
    if any(mark in said + done.stdout.decode(errors="replace") for mark in ("\x1b[31m", "\x1b[2J", "\a")):
        problems.append("equisym-predict sent a file's control characters to the terminal")
    answers = [json.loads(line) for line in done.stdout.decode(errors="replace").splitlines()]
    right = sum(Path(a["file"]).stem.split("-")[-1] == a["group"] for a in answers if "good-" in a["file"])
    if right != len(GOOD):
        problems.append(f"{right} of {len(GOOD)} good files were answered rightly among hostile neighbours")
    return problems


def judged(kind: str, words: str) -> str:
    """A reaction, with messages counted as broken that are no single line of plain text."""
    if kind in FINE and "\n" in words:
        return "many lines"
    if kind in FINE and any(ord(c) < 32 or ord(c) == 127 for c in words):
        return "control characters"
    return "long message" if kind in FINE and len(words) > 2000 else kind


def main() -> None:
    """Make the files, watch what happens, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "eval" / "results" / "hostile_files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, help="folder that keeps the files, and is used again if it exists")
    parser.add_argument("--only", default="", help="files whose names begin so, such as images/bomb; tried again")
    parser.add_argument("--again", action="store_true", help="try all files again that broke a promise")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run found")
    parser.add_argument("--together", action="store_true", help="equisym-predict on the whole folder, nothing else")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the processor; a file that takes more hangs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table, rows = options.out / "hostile_files.csv", {}
    if table.exists() and not options.fresh:
        with table.open(newline="") as file:
            rows = {row["file"]: row for row in csv.DictReader(file)}
    if options.only:
        rows = {name: row for name, row in rows.items() if not name.startswith(options.only)}
    if options.again:
        rows = {name: row for name, row in rows.items() if not _broken(row)}
    with tempfile.TemporaryDirectory() as temporary:
        place = (options.corpus or Path(temporary)).absolute()
        trace, folder = place / "executed", place / "files"
        if not folder.exists():
            place.mkdir(parents=True, exist_ok=True)
            (place / "secret").write_bytes(bytes(range(256)) * 16)
            make_corpus(folder, trace, place / "secret", options.seed)
        files = sorted(path for door in READERS for path in (folder / door).iterdir())
        named = {f"{path.parent.name}/{ascii(path.name)[1:-1]}": path for path in files}
        rows = {name: rows[name] for name in named if name in rows}
        _write(table, rows)
        if not options.together:
            watched = Watched()
            left = [name for name in named if name not in rows and name.startswith(options.only)]
            for name in tqdm(left, unit="file", mininterval=5):
                path = named[name]
                kind, words, seconds, most = watched.ask(path.parent.name, path, options.seconds)
                kind = judged(kind, words)
                if trace.exists():
                    kind = "executed"
                    trace.unlink()
                words = ascii(words.replace(str(place), ""))[1:-1][:160]
                found = (name, kind, f"{seconds:.1f}", f"{most:.2f}", words)
                rows[name] = dict(zip(COLUMNS, found, strict=True))
                _write(table, rows)
        problems: list[str] = []
        if not options.only:
            problems = together(folder / "images", 20 * len(files))
            if trace.exists():
                problems.append("equisym-predict executed a program of a file")
    broken = [row for row in rows.values() if _broken(row)]
    _report(options.out, list(rows.values()), broken, problems)
    for row in broken:
        print(f"{row['reaction']}: {row['file']}: {row['words']}")
    print(*problems, sep="\n")
    sys.exit(1 if broken or problems else 0)


def _broken(row: dict[str, str]) -> bool:
    must = "/good" in row["file"] and row["reaction"] != "answered"
    return must or row["reaction"] not in FINE


def _write(table: Path, rows: dict[str, dict[str, str]]) -> None:
    partial = table.with_suffix(".part")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
    partial.replace(table)


def _report(out: Path, rows: list[dict[str, str]], broken: list[dict[str, str]], problems: list[str]) -> None:
    groups = {row["file"]: row["file"].split("-")[0].split(".")[0] for row in rows}
    many = Counter(groups.values())
    named = {file: group if many[group] > 3 else f"{group.split('/')[0]}/others" for file, group in groups.items()}
    kinds = Counter((named[row["file"]], row["reaction"]) for row in rows)
    doors = Counter(row["file"].split("/")[0] for row in rows)
    counts = [[group, kind, str(number)] for (group, kind), number in sorted(kinds.items())]
    slowest, largest = (max(rows, key=lambda row, k=key: float(row[k])) for key in ("seconds", "gib"))
    blocks = [
        Code("python eval/hostile_files.py", "sh"),
        Text(
            f"{len(rows)} files: {', '.join(f'{number} {door}' for door, number in doors.items())}. The slowest, "
            f"{slowest['file']}, took {slowest['seconds']} s of the processor; the largest, {largest['file']}, "
            f"{largest['gib']} GiB, of which torch and the package themselves are half a GiB."
        ),
        Heading("Broken promises"),
        Bullets([f"{row['reaction']}: {row['file']}" for row in broken] + problems or ["None."]),
        Heading("Reactions"),
        Table(["files", "reaction", "number"], counts),
    ]
    (out / "hostile_files.md").write_text(render_markdown("What hostile files do", blocks, out))


if __name__ == "__main__":
    main()
