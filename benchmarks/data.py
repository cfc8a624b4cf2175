"""Images per second of the generator beside a naive orbit search, with the floor, peak memory and two processes.

    python benchmarks/data.py --out benchmarks/results/data.md

One core, 256 x 256 grey, mean over the 17 groups, drawing and label guard included. The rival finds each pixel's
representative by trying every operation of the group (and sums every atom at every pixel); both read the same
patterns, and their turns alternate. The floor is one bilinear read of a texture at every pixel and eight passes over
the image's memory. Seconds are processor seconds of the process, so that other programs on the machine count less;
the last column is wall-clock images per second of two processes over that of one, each the best of several turns of
the same images. Peak memory is that of a process which only draws the family, less what it holds before the first one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm.auto import tqdm

from equisym.data import FAMILIES, Pattern, WallpaperDataset
from equisym.document import markdown_table, print_page

TARGETS = {"noise": 200, "photo": 200, "atom": 100}


def seconds_of(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def orbit_search(pattern: Pattern, size: int) -> torch.Tensor:
    """Each pixel's representative by trying all operations: of its images in the cell, the least in dictionary order.

    That picks another asymmetric unit than ours, so the texture is read elsewhere, at the same cost.
    """
    inverse = np.linalg.inv(pattern.cell.basis)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    u = (np.stack([x, y], -1).reshape(-1, 2) - pattern.cell.origin) @ inverse.T
    best = None
    for op in pattern.group.operations:
        image = (op(u) % 1).round(9) % 1
        if best is None:
            best = image
            continue
        less = (image[:, 0] < best[:, 0]) | ((image[:, 0] == best[:, 0]) & (image[:, 1] < best[:, 1]))
        best = np.where(less[:, None], image, best)
    points = torch.from_numpy(best @ pattern.cell.basis.T).float()
    return (pattern.mean + pattern.contrast * pattern.texture(points)).reshape(-1, size, size).clamp(0, 1)


def floor(size: int) -> Callable[[], object]:
    grid = torch.rand(2, size, size).mul_(2).sub_(1).permute(1, 2, 0)[None]
    table, plane = torch.rand(1, 1, 128, 128), torch.rand(size, size)

    def run() -> None:
        functional.grid_sample(table, grid, padding_mode="border", align_corners=True)
        for _ in range(8):
            plane.add(1.0)

    return run


def drawing_processes(family: str, size: int, processes: int, turns: int, count: int = 34) -> tuple[float, float]:
    """Images per second of so many processes together, the best of several turns, and the most memory of one in MiB."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes + 1), context.SimpleQueue()
    workers = [
        context.Process(target=draw_all, args=(family, size, seed, turns, count, barrier, results))
        for seed in range(processes)
    ]
    for worker in workers:
        worker.start()
    rates = []
    for _ in range(turns):
        barrier.wait()
        began = time.perf_counter()
        barrier.wait()
        rates.append(processes * count / (time.perf_counter() - began))
    most = max(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return max(rates), most


def draw_all(family: str, size: int, seed: int, turns: int, count: int, barrier, results) -> None:
    torch.set_num_threads(1)
    dataset = WallpaperDataset(family, count, size=size, seed=seed)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = memory("VmRSS")
    for k in range(count):  # fills the caches
        dataset[k]
    for _ in range(turns):
        barrier.wait()
        for k in range(count):
            dataset[k]
        barrier.wait()
    results.put(memory("VmHWM") - before)


def memory(kind: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process in MiB, as Linux has it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=8, help="images of each group")
    parser.add_argument("--turns", type=int, default=12, help="of 34 images, where one and two processes draw")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    lowest = floor(args.size)
    head = [
        "family",
        "images/s",
        "target",
        "draw+guard ms",
        "image ms",
        "floor ms",
        "image/floor",
        "rival ms",
        "ratio",
        "peak MiB",
        "two processes",
    ]
    rows = []
    for family in FAMILIES:
        dataset = WallpaperDataset(family, 17 * (args.rounds + 2), size=args.size, seed=0)
        drawn, ours, rival, least = [], [], [], []
        for k in tqdm(range(len(dataset)), desc=family):
            pattern: list[Pattern] = []
            draw = seconds_of(lambda k=k, out=pattern, source=dataset: out.append(source.pattern(k)))
            image = seconds_of(lambda out=pattern: out[0].image(args.size))
            if k >= 34:  # the first two rounds fill the caches
                drawn.append(draw)
                ours.append(image)
                least.append(seconds_of(lowest))
                if k >= len(dataset) - 17:  # the rival's turn: the last image of each group
                    rival.append(draw + seconds_of(lambda out=pattern: orbit_search(out[0], args.size)))
        total = np.mean(drawn) + np.mean(ours)
        (one, most), (two, _) = (drawing_processes(family, args.size, n, args.turns) for n in (1, 2))
        numbers = [1 / total, TARGETS[family], 1e3 * np.mean(drawn), 1e3 * np.mean(ours), 1e3 * np.mean(least)]
        ratios = [np.mean(ours) / np.mean(least), 1e3 * np.mean(rival), np.mean(rival) / total]
        rows.append([family, *(f"{x:.3g}" for x in [*numbers, *ratios, most, two / one])])
    text = f"""# The generator's speed

`python benchmarks/data.py --out {args.out}`

{markdown_table(head, rows)}

Size {args.size}, {args.rounds} images of each group, torch {torch.__version__}. The published generator takes 2,000 ms
for an image.
"""
    print_page(text, args.out)


if __name__ == "__main__":
    main()
