"""Hostile files of every kind, and what happens to each.

    python eval/hostile_files.py

makes the corpus of ``eval/hostile`` in a temporary folder: images of every format with mutated headers, cut off
files, decompression bombs, links, pipes and cycles, pickles, thin shapes, odd arrays and odd names, and hostile data
sets, model files and recipes. Each is read in a process that is watched: 20 s of processor time (or ten times as long
of waiting), 3 GiB, a trace that executed code would leave, a network that may not be asked. Then ``equisym-predict``
is given the whole folder of images, in which good ones stand as well. ``hostile_files.csv`` has a row for each file,
written as it comes (a run that was stopped goes on), ``hostile_files.md`` the counts. Exit 1 if a promise of
SECURITY.md is broken.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hostile.corpus import make_corpus
from hostile.readers import READERS
from hostile.watched import Watched
from hostile.whole_files import GOOD, ROOT
from tqdm.auto import tqdm

from equisym.document import Bullets, Code, Heading, Table, Text, render_markdown

SECONDS = 20.0
FINE = ("answered", "refused", "error")
COLUMNS = ("file", "reaction", "seconds", "gib", "words")


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
