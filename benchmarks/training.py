"""How long a training step waits for its images, what the engine costs, and images per second of every architecture.

    python benchmarks/training.py --out benchmarks/results/training.md

Waiting is wall-clock time inside the loader's ``next`` over that of the whole epoch, in `equisym-train` itself: with
images kept in memory, as it does by itself up to 4 GiB, and drawn while training. Images per second are those of bare
PyTorch loops (forward, backward, AdamW) on one thread, in processor seconds, so that other programs on the machine
count less; every network is run in turn within each round, and the figure is the median over the rounds. Beside them
stands the same loop around timm's ResNets, and the engine on the same ResNet.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equisym.document import markdown_table, print_page
from equisym.models import build, list_archs
from equisym.train import TrainConfig, loaders, run, samplers, trainer

PLAIN = "timm/resnet18"
PAIRS = (("waiting", "whole"), ("images", "whole"), ("images", "processor"))
OTHERWISE = ("crystal", "symnet")  # fitted to features that are extracted once, not to images in every step
CONFIG = TrainConfig(size=129, train_images=272, batch_size=34, epochs=1, test_images=0, logger="none", workers=1)


def step_of(arch: str, size: int, batch: int) -> tuple[Callable[[], object], int]:
    """One training step of a bare loop, and the number of parameters."""
    torch.manual_seed(0)
    model = build(arch).train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    images = torch.rand(batch, 1, size, size)
    labels = torch.randint(17, (batch,))
    bfloat16 = trainer._precision("auto") != "32-true"

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, bfloat16):
            loss = nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        optimiser.step()

    return step, sum(p.numel() for p in model.parameters())


def speeds(archs: list[str], size: int, batch: int, rounds: int) -> dict[str, tuple[int, float]]:
    """Parameters and median images per processor second of every architecture."""
    found: dict[str, list[float]] = {arch: [] for arch in archs}
    params = {}
    for _ in range(rounds):
        for arch in archs:
            step, params[arch] = step_of(arch, size - 1 if "xcit" in arch else size, batch)
            step()
            start = time.process_time()
            step()
            found[arch].append(batch / (time.process_time() - start))
    return {arch: (params[arch], statistics.median(values)) for arch, values in found.items()}


@contextmanager
def watched(keep: int) -> Iterator[dict[str, float]]:
    """Within it the engine's loader notes how long it is waited for; images beyond ``keep`` bytes are drawn anew."""
    times = {"waiting": 0.0}
    original, kept = samplers.ResumableLoader.__iter__, loaders._KEEP_IN_MEMORY

    def timed(self: samplers.ResumableLoader) -> Iterator[Any]:
        begin = cpu = 0.0
        start = time.perf_counter()
        for number, batch in enumerate(original(self)):
            now = time.perf_counter()
            if number == 0:  # workers start and draw the first batch once in a run, not in every step
                begin, cpu = now, time.process_time()
            else:
                waited = times["waiting"] + now - start
                times.update(waiting=waited, whole=now - begin, processor=time.process_time() - cpu)
                times["images"] = number * len(batch[1])
            yield batch
            start = time.perf_counter()

    samplers.ResumableLoader.__iter__, loaders._KEEP_IN_MEMORY = timed, keep
    try:
        yield times
    finally:
        samplers.ResumableLoader.__iter__, loaders._KEEP_IN_MEMORY = original, kept


def engine(arch: str, *, keep: int) -> dict[str, float]:
    """Seconds of an epoch of ``equisym-train`` and of waiting in it."""
    with tempfile.TemporaryDirectory() as folder, watched(keep) as times, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run.train(dataclasses.replace(CONFIG, arch=arch, out=folder))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--archs", nargs="+", default=[PLAIN, *(a for a in list_archs() if a not in OTHERWISE)])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    waiting = []
    for arch in ("e2resnet", PLAIN):
        for what, keep in (("in memory", 2**40), ("drawn by one other process", 0)):
            times = engine(arch, keep=keep)
            share, wall, cpu = (times[n] / times[m] for n, m in PAIRS)
            waiting.append([arch, what, f"{100 * share:.1f} %", f"{wall:.0f}", f"{cpu:.0f}"])
    found = speeds(arguments.archs, CONFIG.size, arguments.batch, arguments.rounds)
    first = found[arguments.archs[0]][1]
    bare = [[arch, f"{params:,}", f"{speed:.1f}", f"{speed / first:.2f}"] for arch, (params, speed) in found.items()]
    heads = ["network", "images", "waiting for them", "images/s of the engine", "the same, processor time"]
    text = f"""# Training

`python benchmarks/training.py`

{os.cpu_count()} cores, one thread for training, {CONFIG.size} px, batches of {CONFIG.batch_size}.

{markdown_table(heads, waiting)}

Bare loops, one thread, batches of {arguments.batch}; XCiT at one pixel less.

{markdown_table(["network", "parameters", "images/s", f"beside {PLAIN}"], bare)}
"""
    print_page(text, arguments.out)


if __name__ == "__main__":
    main()
