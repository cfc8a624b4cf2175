"""Everything that is done wrong to a run by ``faulty_runs.py``, and what must be said of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.models import read_model_file

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
    """Shards of images."""
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
    again = ("train", "--out", "run", *setting_flags())
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
    tar, own = (
        "shards/noise-000000017.tar",
        ("train", "--data", "shards", "--out", "new", *setting_flags("train_images")),
    )
    found += [
        Fault("a tar cut in half", "is cut off|is damaged", cut(tar), own, WENT_ON),
        Fault("a tar empty", "is damaged|is cut off", cut(tar, 0), own, WENT_ON),
        Fault("a tar: a bit of a header flipped", "is damaged", flip(tar, 0.0004), own, WENT_ON),
        Fault("a tar: another label in it", "is damaged", other_label(tar), own, WENT_ON),
        Fault("a tar: a bit of a picture flipped", "is damaged", damaged_picture(tar), own),
        Fault("an HDF5 set cut in half", "damaged|truncated", cut("set.h5"), ("train", "--data", "set.h5", *own[3:])),
        Fault(
            "an HDF5 set: another label in it", "labels are damaged", _h5_label, ("train", "--data", "set.h5", *own[3:])
        ),
    ]
    return found


def setting_flags(*without: str) -> tuple[str, ...]:
    """The settings as options of a command."""
    pairs = ((f"--{n.replace('_', '-')}", v) for n, v in SETTINGS.items() if n not in without)
    return tuple(part for pair in pairs for part in pair)


def _sweep() -> tuple[str, ...]:
    return ("--sweep", "seed=0", "--out", "swept", *setting_flags())


def other_label(tar: str) -> Callable[[Path], object]:
    """Another label in a tar."""

    def does(place: Path) -> None:
        data = (place / tar).read_bytes()
        start = data.index(b".cls") // 512 * 512 + 512
        (place / tar).write_bytes(data[:start] + (b"3" if data[start:].startswith(b"4") else b"4") + data[start + 1 :])

    return does


def damaged_picture(tar: str) -> Callable[[Path], object]:
    """One bit of a picture in a tar."""

    def does(place: Path) -> None:
        data = bytearray((place / tar).read_bytes())
        data[data.index(b"IDAT") + 40] ^= 2
        (place / tar).write_bytes(data)

    return does


def _h5_label(place: Path) -> None:
    import h5py

    with h5py.File(place / "set.h5", "r+") as file:
        file["noise/labels"][3] = 11  # pyright: ignore[reportIndexIssue]
