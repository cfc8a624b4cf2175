"""What a run says when its settings change, its folder is in use, or its files are damaged: every fault, tried.

    python eval/faulty_runs.py --out eval/results/faulty_runs.md

trains two small runs, does one thing wrong at a time to a copy of one, and gives it to the command that would read it.
A reaction is what the command prints on stderr (or the run's warning), or what it went on with. Exit 1 if one is a
traceback, of several lines, or not the expected one. Two minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from run_benchmark import is_whole
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.document import Block, Code, Heading, Table, Text, render_markdown
from equisym.eval.command import main as evaluate
from equisym.models import read_model_file
from equisym.train.checksums import seal
from equisym.train.command import main as train

SETTINGS = {
    "arch_options": "{width: 2}", "train_images": "68", "size": "17", "epochs": "2", "batch_size": "17",
    "test_images": "34", "precision": "32", "workers": "0", "logger": "none",
}  # fmt: skip
CHANGES = {
    "arch": "rkcnn", "arch_options": "{width: 3}", "train_family": "atom", "train_images": "85", "inputs": "image,fft",
    "size": "33", "seed": "1", "batch_size": "34", "lr": "0.001", "optimiser": "sgd", "schedule": "cosine",
    "weight_decay": "0.1", "loss": "rotation_family", "epochs": "3", "augment": None, "degrade": None, "ema": "0.9",
    "clip": "1", "accumulate": "2", "patience": "1", "precision": "bf16-mixed", "no_appearance": None,
}  # fmt: skip
HARMLESS = {"workers": "1", "checkpoint_steps": "2", "test_images": "17"}
REFUSED, WENT_ON = 2, 0


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        name: what the table calls it.
        words: that the reaction must hold.
        does: it, to the folder that holds ``run``, ``other`` and ``shards``.
        command: what is called then, with arguments.
        code: how the command must end.
    """

    name: str
    words: str
    does: Callable[[Path], object]
    command: tuple[str, ...] = ("train", "--out", "run", "--resume")
    code: int = REFUSED


def called(place: Path, command: tuple[str, ...]) -> tuple[int, str]:
    """Exit code of a command, and what it says, without progress bars."""
    said, given = io.StringIO(), sys.argv
    sys.argv = [f"equisym-{command[0]}", *command[1:]]
    with contextlib.chdir(place), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            (train if command[0] == "train" else evaluate)()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = given
    lines = [line for line in said.getvalue().replace("\r", "\n").splitlines() if line.strip()]
    kept = [line for line in lines if line.startswith("equisym-") or "was begun with" in line]
    if code and len(kept) != 1 and command[0] == "train":
        kept = ["several lines:", *lines]
    return code, " / ".join(dict.fromkeys(kept)) or "goes on"


def flip(name: str, share: float) -> Callable[[Path], object]:
    """One bit of a file, at a share of its length."""

    def does(place: Path) -> None:
        data = bytearray((place / name).read_bytes())
        data[int(share * len(data))] ^= 2
        (place / name).write_bytes(data)

    return does


def cut(name: str, share: float = 0.5) -> Callable[[Path], object]:
    """A file, cut off at a share of its length."""
    return lambda place: (place / name).write_bytes(
        (place / name).read_bytes()[: int(share * (place / name).stat().st_size)]
    )


def replaced(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Other words in a text file."""

    def does(place: Path) -> None:
        text = (place / name).read_text()
        assert old in text, (name, old)
        (place / name).write_text(text.replace(old, new))

    return does


def poisoned(place: Path) -> None:
    """A weight that is no number, in a file that is whole otherwise."""
    file = place / "run/model.safetensors"
    state, _ = read_model_file(file)
    with safe_open(file, "pt") as handle:
        about = handle.metadata()["equisym"]
    next(iter(state.values())).view(-1)[0] = float("nan")
    save_file(state, file, metadata={"equisym": about})


def changed_pixels(place: Path) -> None:
    """Other images under the same names."""
    shutil.rmtree(place / "shards")
    draw(place / "shards", seed=5)


def draw(folder: Path, seed: int = 0) -> None:
    generate(folder, {"noise": WallpaperDataset("noise", 85, size=17, seed=seed)}, file_format="webdataset", block=17,
             progress=False)  # fmt: skip


def faults() -> list[Fault]:
    """All of them."""
    found = []
    for name, value in CHANGES.items():
        option = f"--{name.replace('_', '-')}"
        given = (option,) if value is None else (option, value)
        shown = " ".join(given)
        command = ("train", "--out", "run", "--resume", *given)
        words = rf"run was begun with other options \({name.removeprefix('no_')} was .*, now "
        found.append(Fault(f"resumed with `{shown}`", words, lambda _: None, command))
    for name, value in HARMLESS.items():
        option = f"--{name.replace('_', '-')}"
        command = ("train", "--out", "run", "--resume", option, value)
        found.append(Fault(f"resumed with `{option} {value}`", "parameters|goes on", lambda _: None, command, WENT_ON))
    longer = ("train", "--out", "steady", "--resume", "--epochs", "3")
    found.append(Fault("more epochs under `--schedule constant`", "goes on to 3", lambda _: None, longer, WENT_ON))
    again = ("train", "--out", "run", *_flags())
    found.append(Fault("begun again without `--resume`", "already holds a run", lambda _: None, again))
    nothing = ("train", "--out", "nowhere", "--resume")
    found.append(Fault("resumed where nothing is", "nothing to resume", lambda _: None, nothing))

    damaged = "is damaged"
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.999):
        found.append(Fault(f"`last.ckpt`: a bit flipped at {share:.1%}", damaged, flip("run/last.ckpt", share)))
    found += [
        Fault("`last.ckpt` cut in half", damaged, cut("run/last.ckpt")),
        Fault("`last.ckpt` empty", damaged, cut("run/last.ckpt", 0)),
        Fault("`last.ckpt` is a text", damaged, lambda p: (p / "run/last.ckpt").write_text("hello")),
        Fault("`best.ckpt`: a bit flipped", damaged, flip("run/best.ckpt", 0.5)),
        Fault("`best.ckpt` missing", "best.ckpt is missing", lambda p: (p / "run/best.ckpt").unlink()),
        Fault("`config.yaml`: another rate", "changed since the run",
              replaced("run/config.yaml", "lr: 0.004", "lr: 0.005")),
        Fault("`config.yaml`: a bit flipped", damaged, flip("run/config.yaml", 0.5)),
        Fault("`config.yaml` cut in half", damaged, cut("run/config.yaml")),
        Fault("`config.yaml` empty", damaged, cut("run/config.yaml", 0)),
        Fault("`config.yaml` missing", damaged, lambda p: (p / "run/config.yaml").unlink()),
        Fault("`provenance.json`: a bit flipped", damaged, flip("run/provenance.json", 0.5)),
        Fault("`provenance.json` cut in half", damaged, cut("run/provenance.json")),
        Fault("`checksums.json` cut in half", damaged, cut("run/checksums.json"), ("train", *_sweep())),
        Fault("other images under the same names", "was begun with other images to train", changed_pixels,
              ("train", "--out", "own", "--resume")),
        Fault("`--data` on other shards", "was begun with other images to train", lambda p: draw(p / "more", seed=7),
              ("train", "--out", "own", "--resume", "--data", "more")),
    ]  # fmt: skip
    both = ("eval", "run", "other", "--families", "noise", "--count", "17", "--workers", "0", "--out", "report")
    for share in (0.02, 0.5, 0.98):
        name = f"`model.safetensors`: a bit flipped at {share:.0%}"
        found.append(Fault(name, damaged, flip("run/model.safetensors", share), both))
    found += [
        Fault("`model.safetensors` cut in half", damaged, cut("run/model.safetensors"), both),
        Fault("`model.safetensors` empty", damaged, cut("run/model.safetensors", 0), both),
        Fault("`model.safetensors` missing", "no trained model",
              lambda p: (p / "run/model.safetensors").unlink(), both),
        Fault("`model.safetensors`: a weight is NaN", "NaN or infinite", poisoned, both),
        Fault("`summary.json`: another accuracy", damaged,
              replaced("run/summary.json", '"valid_accuracy": 0', '"valid_accuracy": 1'), ("train", *_sweep())),
        Fault("`summary.json` empty", damaged, cut("run/summary.json", 0), ("train", *_sweep())),
    ]  # fmt: skip
    tar, own = "shards/noise-000000017.tar", ("train", "--data", "shards", "--out", "new", *_flags("train_images"))
    found += [
        Fault("a tar cut in half", "is cut off|is damaged", cut(tar), own, WENT_ON),
        Fault("a tar empty", "is damaged|is cut off", cut(tar, 0), own, WENT_ON),
        Fault("a tar: a bit of a header flipped", "is damaged", flip(tar, 0.0004), own, WENT_ON),
        Fault("a tar: another label in it", "is damaged", _other_label(tar), own, WENT_ON),
        Fault("a tar: a bit of a picture flipped", "is damaged", _picture(tar), own),
        Fault("an HDF5 set cut in half", "damaged|truncated", cut("set.h5"), ("train", "--data", "set.h5", *own[3:])),
        Fault(
            "an HDF5 set: another label in it", "labels are damaged", _h5_label, ("train", "--data", "set.h5", *own[3:])
        ),
    ]
    return found


def _flags(*without: str) -> tuple[str, ...]:
    pairs = ((f"--{n.replace('_', '-')}", v) for n, v in SETTINGS.items() if n not in without)
    return tuple(part for pair in pairs for part in pair)


def _sweep() -> tuple[str, ...]:
    return ("--sweep", "seed=0", "--out", "swept", *_flags())


def _other_label(tar: str) -> Callable[[Path], object]:
    def does(place: Path) -> None:
        data = (place / tar).read_bytes()
        start = data.index(b".cls") // 512 * 512 + 512
        (place / tar).write_bytes(data[:start] + (b"3" if data[start:].startswith(b"4") else b"4") + data[start + 1 :])

    return does


def _picture(tar: str) -> Callable[[Path], object]:
    def does(place: Path) -> None:
        data = bytearray((place / tar).read_bytes())
        data[data.index(b"IDAT") + 40] ^= 2
        (place / tar).write_bytes(data)

    return does


def _h5_label(place: Path) -> None:
    import h5py

    with h5py.File(place / "set.h5", "r+") as file:
        file["noise/labels"][3] = 11  # pyright: ignore[reportIndexIssue]


def prepare(place: Path) -> None:
    """Runs and images that are whole."""
    for name, changes in {"run": {}, "other": {"seed": "2"}, "steady": {"schedule": "constant", "epochs": "2"}}.items():
        flags = [part for n, v in (SETTINGS | changes).items() for part in (f"--{n.replace('_', '-')}", v)]
        code, said = called(place, ("train", "--out", name, *flags))
        assert code == 0, said
    draw(place / "shards")
    generate(place / "set.h5", {"noise": WallpaperDataset("noise", 85, size=17, seed=0)}, file_format="hdf5",
             progress=False)  # fmt: skip
    code, said = called(place, ("train", "--data", "shards", "--out", "own", *_flags("train_images")))
    assert code == 0, said


def tried(fault: Fault, whole: Path) -> tuple[str, bool]:
    """What is said, and whether it is what should be."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "here"
        shutil.copytree(whole, place, ignore=shutil.ignore_patterns(".lock"))
        fault.does(place)
        if "--sweep" in fault.command:  # the run as one of a sweep that is finished
            shutil.move(place / "run", place / "swept/seed-0")
        code, said = called(place, fault.command)
    said = said.replace(str(place), "")
    well = code == fault.code and re.search(fault.words, said) is not None and "several lines" not in said
    return said, well and "Traceback" not in said


def two_at_once(whole: Path) -> tuple[str, bool]:
    """A second run in a folder that a first one holds, and a third after the first was killed."""
    code = "import sys, time\nfrom pathlib import Path\nfrom equisym.train.run_folder import owned\n"
    code += "with owned(Path('run')):\n    print(flush=True)\n    time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=whole, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    ended, said = called(whole, ("train", "--out", "run", "--resume"))
    holder.kill()
    holder.wait()
    after, _ = called(whole, ("train", "--out", "run", "--resume"))
    return re.sub(r"process \d+ on \S+:", "process 1234 on node7:", said), (ended, after) == (
        2,
        0,
    ) and "is in use" in said


def generation(whole: Path) -> list[tuple[str, str, bool]]:
    """A folder of equisym-generate that is continued after a part was damaged."""
    rows = []
    for name, does in {
        "generation continued: a tar cut in half": cut("shards/noise-000000017.tar"),
        "generation continued: a tar empty": cut("shards/noise-000000017.tar", 0),
        "generation continued: a bit of a picture flipped": _picture("shards/noise-000000017.tar"),
        "generation continued: another label": _other_label("shards/noise-000000017.tar"),
    }.items():
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary) / "here"
            shutil.copytree(whole / "shards", place / "shards")
            does(place)
            with contextlib.redirect_stderr(io.StringIO()), _warned() as told:
                draw(place / "shards")
            same = all(p.read_bytes() == (whole / "shards" / p.name).read_bytes() for p in (place / "shards").iterdir())
            rows.append((name, told[0].replace(str(place), "") if told else "nothing is said", same and bool(told)))
    return rows


def benchmark() -> list[tuple[str, str, bool]]:
    """A table of a benchmark's run that is empty, or has another figure."""
    rows = []
    for name, text in {"empty": "", "another figure": "accuracy\n0.9\n"}.items():
        with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()) as said:
            folder = Path(temporary)
            (folder / "tested.csv").write_text("accuracy\n0.8\n")
            seal(folder, "tested.csv")
            whole = is_whole(folder, "tested.csv")
            (folder / "tested.csv").write_text(text)
            found = not is_whole(folder, "tested.csv")
        rows.append(
            (f"`tested.csv` of a benchmark: {name}", said.getvalue().strip().replace(temporary, ""), whole and found)
        )
    return rows


@contextlib.contextmanager
def _warned():
    import warnings

    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield told
    told += [str(entry.message) for entry in caught]


def main() -> None:
    """Try everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="", help="faults with this in their names")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        prepare(whole)
        chosen = [fault for fault in faults() if options.only in fault.name]
        rows = [(fault.name, *tried(fault, whole)) for fault in tqdm(chosen)]
        if not options.only:
            rows += [*generation(whole), *benchmark()]
            rows.insert(len(CHANGES), ("a second run in a folder in use", *two_at_once(whole)))
    wrong = [(name, said) for name, said, well in rows if not well]
    blocks: list[Block] = [
        Code("python eval/faulty_runs.py --out eval/results/faulty_runs.md", "sh"),
        Text(
            f"{len(rows)} faults, {len(rows) - len(wrong)} reactions as they should be. After `/` another line begins."
        ),
        Heading("Faults and reactions"),
        Table(["fault", "reaction"], [[name, said] for name, said, _ in rows]),
    ]
    page = render_markdown("Faults of runs, and what is said", blocks, Path())
    if options.out:
        options.out.write_text(page)
    for name, said in wrong:
        print(f"WRONG {name}: {said}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
