"""A run's folder: one owner at a time, what was asked for, and whether what is asked for now is the same run."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml

from equisym.command_line import read_yaml, to_options
from equisym.plain_text import one_line
from equisym.train.artifacts import write_whole
from equisym.train.checksums import has_its_checksum, is_intact, with_checksum
from equisym.train.config import TrainConfig

FREE = (
    "out",
    "resume",
    "workers",
    "logger",
    "checkpoint_steps",
    "test_images",
    "test_data",
    "data",
    "valid_data",
    "photos",
    "import",
    "sweep",
    "jobs",
)
"""Options that a run may change when it goes on; that the images are the same is told by their digest."""


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; a process that dies, however it does, lets go of it.

    Raises:
        ValueError: if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by the processes that draw images
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):  # as on a disc of the network that knows no locks
                warnings.warn(f"{folder} cannot be locked ({error.strerror}): let no other run use it", stacklevel=3)
                yield
                return
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise ValueError(f"{folder} is in use by {owner}: wait for it, or give another --out") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def check_folder(config: TrainConfig, images: Mapping[str, str]) -> TrainConfig:
    """Whether a run may begin or go on in its folder; nothing is written.

    Args:
        config: what is asked for.
        images: digests of the training and validation images.

    Returns:
        The configuration, at the learning rate and with the options that the run has.

    Raises:
        ValueError: if the folder holds a run and none is to be resumed, or the other way round; if the run was begun
            with other options or images; if what is recorded of it is damaged.
    """
    folder, last = config.folder, config.folder / "last.ckpt"
    if not config.resume:
        if last.exists():
            raise ValueError(f"{folder} already holds a run: add --resume to continue it, or give another --out")
        return config
    if not last.is_file():
        raise ValueError(f"nothing to resume: {last} does not exist; leave out --resume to start there")
    recorded = read_recorded(folder)
    if _may_go_on(config, recorded.get("epochs")):
        print(
            f"{folder} was begun with {recorded['epochs']} epochs and goes on to {config.epochs}: its learning rate is "
            "constant",
            flush=True,
        )
        recorded["epochs"] = config.epochs
    if told := differences(recorded, config):
        raise ValueError(f"{folder} was begun with other options ({told}): give the same, or another --out")
    before = _provenance(folder).get("images", {})
    for split, digest in images.items():
        if before.get(split, digest) != digest:
            raise ValueError(
                f"{folder} was begun with other images to {split} (digest {before[split]}, now {digest}): give the "
                "same, or another --out"
            )
    for file in (last, folder / "best.ckpt"):
        if file.is_file():
            check_checkpoint(file)
    return config


def differences(recorded: Mapping[str, Any], config: TrainConfig) -> str:
    """Options in which a configuration is another run than the recorded one, with both values; empty for none."""
    wanted = _plain(config)
    return "; ".join(
        f"{name} was {recorded.get(name)!r}, now {value!r}"
        for name, value in wanted.items()
        if name not in FREE and recorded.get(name) != value
    )


def record(config: TrainConfig, images: Mapping[str, str]) -> None:
    """Write ``config.yaml`` and add this session to ``provenance.json``."""
    folder = config.folder
    text = yaml.safe_dump(_plain(config) | {"out": str(folder)}, sort_keys=False)
    write_whole(folder / "config.yaml", with_checksum(text))
    before = _provenance(folder) if config.resume else {}
    found = {"images": dict(images), "sessions": [*before.get("sessions", []), session()]}
    write_whole(folder / "provenance.json", json.dumps(found | {"sha256": _digest(found)}, indent=2) + "\n")


def read_recorded(folder: Path) -> dict[str, Any]:
    """The options that a run was begun with, by the names of a YAML file.

    Raises:
        ValueError: if they are missing or damaged.
    """
    file = folder / "config.yaml"
    try:
        found, text = read_yaml(file), file.read_text()
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is damaged: copy it back, or give another --out ({one_line(error, 120)})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{file} is damaged: it holds no options; copy it back, or give another --out")
    if not is_intact(text):
        raise ValueError(f"{file} is damaged, or was changed since the run began: copy it back, or give another --out")
    return found


def check_checkpoint(path: Path) -> None:
    """Refuse a checkpoint whose checksums do not hold.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip() or (None if has_its_checksum(path) else "of the whole")
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        broken = str(error)
    if broken is not None:
        other = path.with_name("best.ckpt" if path.name == "last.ckpt" else "last.ckpt")
        advice = f"copy {other.name} over it to go on from there" if other.is_file() else "begin in another --out"
        raise ValueError(f"{path} is damaged, its checksums do not hold ({broken}): {advice}")


def session() -> dict[str, Any]:
    """What is running: the package and its commit, Python, torch, the platform, the command."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "equisym": version("equisym"),
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        "platform": platform.platform(),
    }


def _commit() -> str | None:
    """The commit of the checkout that runs, with a mark if files differ from it; nothing for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root)]
    try:
        found = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        state = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() + ("+changes" if state.stdout.strip() else "")


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The options as a YAML file would give them back."""
    return yaml.safe_load(yaml.safe_dump(to_options(replace(config, resume=False))))


def _may_go_on(config: TrainConfig, begun: Any) -> bool:
    """More epochs leave those that were trained as they are only if neither rate nor loss depends on their number."""
    return config.schedule == "constant" and not config.curriculum and isinstance(begun, int) and config.epochs > begun


def _provenance(folder: Path) -> dict[str, Any]:
    file = folder / "provenance.json"
    if not file.is_file():
        return {}
    try:
        found = dict(json.loads(file.read_text()))
        if found.pop("sha256", None) not in (None, _digest(found)):
            raise ValueError
        return found
    except (OSError, ValueError, TypeError):
        raise ValueError(
            f"{file} is damaged: copy it back, or remove it to go on without the images' digests"
        ) from None


def _digest(found: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
