"""Thousands of small files of many kinds in one call of equisym-predict: a line for each, and bounded memory.

python benchmarks/many_files.py --files 10000 --out benchmarks/results/many_files.md

Formats, sizes and contents vary: of sixteen images six are patterns of several groups, one is noise, five are constant
and four too thin; one file in fifty is damaged. Memory is what Linux counts as resident, of all processes of the call.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image

from equisym.data import render
from equisym.document import markdown_table

GROUPS = ("p1", "p2", "pm", "cm", "pmm", "p4m", "p3", "p31m", "p6m")
DAMAGED = 50  # one file in so many
MARKS = (100, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def content(number: int, patterns: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """An image in bytes, of a size of its own."""
    height, width = random.integers(40, 105, 2)
    kind = number % 16
    if kind < 5:
        return np.full((height, width), 7, np.uint8)
    if kind == 5:
        return random.integers(0, 255, (height, width)).astype(np.uint8)
    if kind < 10:
        return random.integers(0, 255, (int(random.integers(2, 12)), 200)).astype(np.uint8)
    pattern = patterns[number % len(patterns)]
    noisy = pattern[:height, :width] + random.normal(0, 0.05, (height, width))
    return np.uint8(np.clip(200 * noisy + 20, 0, 255))


def write(folder: Path, number: int, image: np.ndarray) -> Path:
    """One file; its number says in which format."""
    stem = str(folder / f"{number:06d}")
    kind = number % 7
    if kind == 0:
        np.save(f"{stem}.npy", image)
        return Path(f"{stem}.npy")
    if kind == 1:
        np.savez_compressed(f"{stem}.npz", image=image, pixel_size=0.02)
        return Path(f"{stem}.npz")
    if kind == 2:
        tifffile.imwrite(f"{stem}.tif", image, imagej=True, resolution=(50, 50), metadata={"unit": "nm"})
        return Path(f"{stem}.tif")
    if kind == 3:
        with h5py.File(f"{stem}.h5", "w") as file:
            file["image"] = image
        return Path(f"{stem}.h5")
    suffix = ("png", "bmp", "jpg")[kind - 4]
    Image.fromarray(image).save(f"{stem}.{suffix}")
    return Path(f"{stem}.{suffix}")


def resident(process: int) -> float:
    """MiB that a process and its children hold, what they share counted once."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    texts = [Path(f"/proc/{p}/smaps_rollup").read_text() for p in (process, *children)]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    patterns = [render(g, "noise", seed=i, size=105)[0].numpy() for i, g in enumerate(GROUPS)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        damaged = set()
        for number in range(asked.files):
            if number % 1000 == 0:
                inside = folder / f"{number // 1000:03d}"
                inside.mkdir(parents=True)
            path = write(inside, number, content(number, patterns, random))
            if number % DAMAGED == DAMAGED - 1:
                path.write_bytes(path.read_bytes()[:20])
                damaged.add(str(path))
        report = run(folder, Path(place), asked.files, damaged)
    print(report)
    if asked.out is not None:
        asked.out.write_text(report + "\n", encoding="utf-8")


def run(folder: Path, place: Path, count: int, damaged: set[str]) -> str:
    """Call the command, and say what came of it."""
    code = "from equisym.predict.command import main; main()"
    options = ["--csv", str(place / "table.csv"), "--report", str(place / "report")]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=errors.extend, args=(process.stderr,))
    reader.start()
    lines, memory = [], []
    process.stdout.readline()  # the heading
    for line in process.stdout:
        lines.append(line)
        if len(lines) in MARKS:
            memory.append((len(lines), time.perf_counter() - start, resident(process.pid)))
            print(*memory[-1], flush=True)
    code = process.wait()
    seconds = time.perf_counter() - start
    reader.join()
    named = [path for path in damaged if any(error.startswith(f"equisym-predict: {path}: ") for error in errors)]
    rows = list(csv.DictReader((place / "table.csv").open(encoding="utf-8")))
    page = (place / "report" / "report.html").read_text(encoding="utf-8").count("<tr class=")
    answered = count - len(damaged)
    assert len(lines) == len(rows) == page == answered, (len(lines), len(rows), page, answered)
    assert len({row["file"] for row in rows}) == answered
    assert len(errors) == len(named) == len(damaged), errors[:5]
    assert code == 2
    text = [
        f"`python benchmarks/many_files.py --files {count}`",
        "",
        f"{count} files in one call: {answered} lines on stdout, rows of the csv and of the page, each its own file; "
        f"{len(damaged)} damaged files, each named by one line on stderr; exit code {code}; {seconds:.0f} s, "
        f"{count / seconds:.1f} files a second.",
        "",
        markdown_table(
            ["answers", "seconds", "resident memory of all processes, MiB"],
            [[str(n), f"{s:.0f}", f"{m:.0f}"] for n, s, m in memory],
        ),
    ]
    return "\n".join(text)


if __name__ == "__main__":
    main()
