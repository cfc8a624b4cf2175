"""Networks that see pixels, trained on one family and tested on all three: what equivariance and correlation bring.

    python eval/pixels.py [--minutes 4]     # one GPU, 16 cores; writes eval/results/pixels/
    python eval/pixels.py --report          # the table again, from the runs that are there

Images are drawn by all cores and lie on the GPU; every network is trained with the same loop, looks varied at random,
plain ones turned and flipped besides. A run that is done is not repeated. Two processes share the GPU: while the
equivariant network is compiled, the plain ones are trained. Without --minutes everything planned is run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pixels_plan import FAMILIES, MANY, SIZE, TEST, Job, plan
from pixels_report import report
from torch import Tensor

if TYPE_CHECKING:
    from equisym.train.resident import ResidentTraining


class Store:
    """Images in files that all processes read, drawn in the background; and the results."""

    def __init__(self, folder: Path, out: Path, start: float) -> None:
        self.folder, self.out, self.start = folder, out, start

    def say(self, *what: object) -> None:
        """Print with the seconds since the start."""
        print(f"[{time.time() - self.start:6.1f}]", *what, flush=True)

    def file(self, family: str, split: str) -> Path:
        """Where a set lies."""
        return self.folder / f"{split}-{family}.npy"

    def draw(self, cores: int, count: int, test: int, trained: tuple[str, ...] = FAMILIES) -> None:
        """Draw the sets that are not there; the one trained on first comes first."""
        first, *others = trained
        sets = [(first, "train", count), (first, "valid", test), *((f, "test", test) for f in FAMILIES)]
        sets += [(f, "train", count) for f in others]
        sets = [(f, split, n) for f, split, n in sets if not self.file(f, split).with_suffix(".done").exists()]
        tasks, left = [], {}
        for family, split, total in sets:
            shape = (total, SIZE, SIZE)
            np.lib.format.open_memmap(self.file(family, split), "w+", np.float16, shape)
            step = max(17, min(340, total // cores + 1))
            parts = [(family, split, total, a, min(a + step, total)) for a in range(0, total, step)]
            tasks += parts
            left[family, split] = len(parts)
        with multiprocessing.get_context("fork").Pool(cores) as pool:
            for family, split in pool.imap_unordered(self.draw_part, tasks):
                left[family, split] -= 1
                if not left[family, split]:
                    self.file(family, split).with_suffix(".done").touch()
                    self.say("drawn", family, split)

    def draw_part(self, task: tuple[str, str, int, int, int]) -> tuple[str, str]:
        """Some images of a set, written in their places."""
        from equisym.data import WallpaperDataset

        torch.set_num_threads(1)
        family, split, total, first, last = task
        seed = {"train": 0, "test": 1000, "valid": 2000}[split]
        data = WallpaperDataset(family, total, size=SIZE, seed=seed, split=split)
        array = np.lib.format.open_memmap(self.file(family, split), "r+")
        for index in range(first, last):
            array[index] = data[index][0][0].numpy()
        return family, split

    def read(self, family: str, split: str, count: int | None = None) -> tuple[Tensor, Tensor]:
        """The first images of a set and their labels, as soon as they are drawn."""
        while not self.file(family, split).with_suffix(".done").exists():
            time.sleep(0.05)
        images = np.array(np.load(self.file(family, split), mmap_mode="r")[:count])
        return torch.from_numpy(images).float()[:, None], torch.arange(len(images)) % 17

    def result(self, job: Job) -> Path:
        """Where a job's result is written."""
        return self.out / f"{job.name}.json"


def train(store: Store, compiled: bool, groups: list[list[Job]], until: float, stop: float, device: str) -> None:
    """Train groups of jobs in turn; none is begun after ``until`` seconds, and all are cut short after ``stop``."""
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    kinds, ready = None, []
    most = max(job.images for jobs in groups for job in jobs)
    for jobs in groups:
        jobs = [job for job in jobs if not store.result(job).exists()]
        if not jobs or time.time() - store.start > until:
            store.say("not begun:", *(job.name for job in jobs))
            continue
        found = [(job.recipe, job.batch, job.appearance, job.turn) for job in jobs]
        if found != kinds:
            ready.clear()
            kinds = None
            torch.cuda.empty_cache()
            room: dict[str, Any] = {"size": SIZE, "images": most, "device": device}
            room["steps"] = max(j.epochs * (j.images // j.batch) for g in groups for j in g)
            began = time.time()
            ready += made_ready(store, jobs, room, compiled and device == "cuda")
            if len(ready) < len(jobs):
                continue
            store.say(f"{jobs[0].name} is ready after {time.time() - began:.1f} s")
            kinds = found
        run(store, jobs, ready, stop, device)


def made_ready(store: Store, jobs: list[Job], room: dict[str, Any], compiled: bool) -> list[ResidentTraining]:
    """A training for each job: compiled, else recorded, else as it is; none where none of that works."""
    from equisym.train.resident import ResidentTraining

    for way in ({"compiled": True}, {}, {"graphed": False})[not compiled :]:
        try:
            return [
                ResidentTraining(
                    partial(network_of, job),
                    loss=loss_of(job),
                    batch_size=job.batch,
                    appearance=job.appearance,
                    turn=job.turn,
                    **room,
                    **way,
                )
                for job in jobs
            ]
        except Exception as error:  # what fails must not cost the rest of the run
            store.say(f"{jobs[0].name} cannot be trained so, {way}:", repr(error)[:400])
            torch.cuda.empty_cache()
    return []


def network_of(job: Job) -> torch.nn.Module:
    """A fresh network of a job."""
    from equisym.train.artifacts import make_network

    return make_network(job.arch, job.options, num_classes=17, inputs=job.inputs)


def loss_of(job: Job) -> Any:
    """The loss of a job."""
    from equisym.train.losses import HierarchicalLoss

    hierarchical = job.loss == "hierarchical"
    return HierarchicalLoss(curriculum=job.curriculum) if hierarchical else torch.nn.functional.cross_entropy


TESTS = {family: (family, "test") for family in FAMILIES}


def run(
    store: Store,
    jobs: list[Job],
    ready: list[ResidentTraining],
    stop: float,
    device: str,
    tests: dict[str, tuple[str, str]] = TESTS,
) -> None:
    """Train jobs at once, each in its stream, test them on sets of these names, write their results."""
    from equisym.train.artifacts import write_whole

    counts = []
    for job, training in zip(jobs, ready, strict=True):
        counts.append(
            training.load(*store.read(job.family, "train", job.images), epochs=job.epochs, lr=job.peak, seed=job.seed)
        )
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    began, done = time.time(), 0
    for done in range(1, max(counts) + 1):
        for count, training in zip(counts, ready, strict=True):
            if done <= count:
                training.advance()
        if done % 100 == 0:
            wait()
            if done in (200, 1000):
                losses = [round(t.losses[done - 100 : done].mean().item(), 3) for t in ready]
                store.say(f"{jobs[0].name}: {1000 * (time.time() - began) / done:.2f} ms a step, losses {losses}")
            if time.time() - store.start > stop:
                break
    wait()
    seconds = time.time() - began
    for job, count, training in zip(jobs, counts, ready, strict=True):
        model, steps = training.averaged(), min(done, count)
        row = asdict(job) | {
            "steps": steps,
            "planned": count,
            "seconds": round(seconds, 1),
            "together": len(jobs),
            "params": sum(p.numel() for p in model.parameters()),
            "loss": round(training.losses[max(0, steps - 100) : steps].mean().item(), 4),
            "card": torch.cuda.get_device_name() if device == "cuda" else "CPU",
            "test": {},
            "confusion": {},
        }
        with torch.inference_mode():
            for name, where in tests.items():
                images, labels = store.read(*where)
                answers = torch.cat([model(x.to(device)).argmax(1).cpu() for x in images.split(340)])
                row["test"][name] = round((answers == labels).double().mean().item(), 5)
                row["confusion"][name] = torch.bincount(17 * labels + answers, minlength=289).view(17, 17).tolist()
        store.out.mkdir(parents=True, exist_ok=True)
        write_whole(store.result(job), json.dumps(row) + "\n")
        if job.network == "correlation" and job.images == MANY and job.seed == 0:
            from safetensors.torch import save_file

            save_file(
                {n: v.cpu().contiguous() for n, v in model.state_dict().items()}, store.out / f"{job.name}.safetensors"
            )
        told = ", ".join(f"{family} {100 * accuracy:.1f}" for family, accuracy in row["test"].items())
        store.say(f"RESULT {job.name}: {row['params']:,} parameters, {seconds:.1f} s, loss {row['loss']}: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/pixels"))
    parser.add_argument("--images", type=Path, default=Path("/dev/shm/equisym-pixels"), help="folder for the images")
    parser.add_argument("--minutes", type=float, default=1e6, help="for everything; the rest is left out")
    parser.add_argument("--aside", type=float, default=1e6, help="minutes after which only the first process goes on")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--tiny", action="store_true", help="a few images and steps, to try the script")
    arguments = parser.parse_args()
    if not arguments.report:
        everything(arguments)
    report(arguments.runs)


def everything(arguments: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    store = Store(arguments.images, arguments.runs, time.time())
    store.folder.mkdir(parents=True, exist_ok=True)
    work, count, test = plan(), MANY, TEST
    if arguments.tiny:
        count, test = 340, 34
        work = [(n, c, [[_tiny(j) for j in jobs] for jobs in groups[:2]]) for n, c, groups in work]
    spawn = multiprocessing.get_context("spawn")
    drawing = spawn.Process(target=store.draw, args=(arguments.cores, count, test))
    drawing.start()
    seconds = 60 * arguments.minutes
    last = [seconds - 15, 60 * arguments.aside]  # seconds after which each process begins no job
    processes = [
        spawn.Process(target=train, args=(store, compiled, groups, until, seconds, device))
        for (_, compiled, groups), until in zip(work, last, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    drawing.join()


def _tiny(job: Job) -> Job:
    small = {"width": 2, "group": "C1" if job.options.get("group") == "C1" else "D4"}
    options = job.options | (small if job.arch == "e2resnet" else {})
    return Job(**asdict(job) | {"options": options, "images": 68, "epochs": 1, "batch": 34})


if __name__ == "__main__":
    main()
