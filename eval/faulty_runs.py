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
import warnings
from pathlib import Path

import torch
from run_benchmark import is_whole
from run_faults import CHANGES, SETTINGS, Fault, cut, damaged_picture, draw, faults, other_label, setting_flags
from tqdm.auto import tqdm

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.document import Block, Code, Heading, Table, Text, render_markdown
from equisym.eval.command import main as evaluate
from equisym.train.checksums import seal
from equisym.train.command import main as train


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


def prepare(place: Path) -> None:
    """Runs and images that are whole."""
    for name, changes in {"run": {}, "other": {"seed": "2"}, "steady": {"schedule": "constant", "epochs": "2"}}.items():
        flags = [part for n, v in (SETTINGS | changes).items() for part in (f"--{n.replace('_', '-')}", v)]
        code, said = called(place, ("train", "--out", name, *flags))
        assert code == 0, said
    draw(place / "shards")
    generate(place / "set.h5", {"noise": WallpaperDataset("noise", 85, size=17, seed=0)}, file_format="hdf5",
             progress=False)  # fmt: skip
    code, said = called(place, ("train", "--data", "shards", "--out", "own", *setting_flags("train_images")))
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
        "generation continued: a bit of a picture flipped": damaged_picture("shards/noise-000000017.tar"),
        "generation continued: another label": other_label("shards/noise-000000017.tar"),
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
