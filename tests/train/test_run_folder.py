"""Runs that cannot lie: changed options, two owners, damage, what is recorded, sweeps."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_engine import run_command
from test_run import TINY, pytestmark  # noqa: F401 - the marks apply to this module too

from equisym.models import read_model_file
from equisym.train import TrainConfig, train
from equisym.train.artifacts import load_model
from equisym.train.publish import save_pretrained
from equisym.train.run_folder import check_checkpoint, owned
from equisym.train.sweep import sweep

SMALL = TINY | {"epochs": 1, "test_images": 0, "logger": "none", "size": 17}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(TrainConfig(**SMALL, out=str(folder)))
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


CHANGES = [
    {"arch": "rkcnn"},
    {"arch_options": {"width": 3}},
    {"train_family": "atom"},
    {"train_images": 85},
    {"inputs": "image,fft"},
    {"size": 33},
    {"seed": 1},
    {"batch_size": 34},
    {"lr": 0.001},
    {"optimiser": "adam"},
    {"loss": "rotation_family"},
    {"epochs": 3},
    {"augment": True},
    {"ema": 0.9},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_run_does_not_go_on_with_other_options(run, change):
    ((name, now),) = change.items()
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}
    was = yaml.safe_load((run / "config.yaml").read_text())[name]
    with pytest.raises(ValueError, match="was begun with other options") as caught:
        train(TrainConfig(**SMALL | change, out=str(run), resume=True))
    assert f"{name} was {was!r}, now {now!r}" in str(caught.value)
    assert {name: (run / name).read_bytes() for name in before} == before


def test_what_is_harmless_may_change_and_more_epochs_where_the_rate_is_constant(tmp_path, capsys):
    settings = SMALL | {"schedule": "constant"}
    train(TrainConfig(**settings, out=str(tmp_path / "run")))
    moved = shutil.move(tmp_path / "run", tmp_path / "moved")
    changed = settings | {"epochs": 2, "workers": 1, "checkpoint_steps": 2}
    train(TrainConfig(**changed, out=str(moved), resume=True))
    assert "was begun with 1 epochs and goes on to 2: its learning rate is constant" in capsys.readouterr().out
    rows = list(csv.DictReader((moved / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    train(TrainConfig(**changed | {"workers": 0}, out=str(tmp_path / "whole")))
    whole, longer = (load_file(folder / "model.safetensors") for folder in (tmp_path / "whole", moved))
    assert all((whole[name] == longer[name]).all() for name in whole)


def test_two_runs_in_one_folder(run):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\nfrom pathlib import Path\nfrom equisym.train.run_folder import owned\n"
            "with owned(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)",
            str(run),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(ValueError, match=rf"is in use by process {holder.pid} on .*: wait for it, or give another"):
            train(TrainConfig(**SMALL, out=str(run), resume=True))
    finally:
        holder.kill()
        holder.wait()
    with owned(run):  # a killed owner has let go of it
        assert f"process {os.getpid()} " in (run / ".lock").read_text()


def flip(path, share=0.5):
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_checkpoint_is_said(run, damage):
    damage(run / "last.ckpt")
    with pytest.raises(ValueError, match=r"last.ckpt is damaged, its checksums do not hold.*copy best.ckpt over it"):
        train(TrainConfig(**SMALL, out=str(run), resume=True))


def test_the_best_weights_are_looked_at_before_the_run_goes_on(run):
    flip(run / "best.ckpt")
    with pytest.raises(ValueError, match=r"best.ckpt is damaged, its checksums do not hold.*copy last.ckpt over it"):
        train(TrainConfig(**SMALL, out=str(run), resume=True))
    (run / "best.ckpt").unlink()
    with pytest.raises(ValueError, match=r"best.ckpt is missing, whose weights the run would end with"):
        train(TrainConfig(**SMALL, out=str(run), resume=True))


def test_every_flipped_bit_of_the_weights_in_a_checkpoint_is_found(run):
    whole = (run / "last.ckpt").read_bytes()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        (run / "last.ckpt").write_bytes(whole)
        check_checkpoint(run / "last.ckpt")
        flip(run / "last.ckpt", share)
        with pytest.raises(ValueError, match="is damaged"):
            check_checkpoint(run / "last.ckpt")


def test_every_flipped_bit_of_a_checkpoint_is_found(run):
    """Not only those of its tensors, which the archive's own sums guard."""
    whole, rng = (run / "last.ckpt").read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 100):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        (run / "last.ckpt").write_bytes(changed)
        with pytest.raises(ValueError, match="is damaged"):
            check_checkpoint(run / "last.ckpt")


def test_records_that_were_altered_are_refused(run, tmp_path):
    """With values that could as well have been true."""
    shutil.copytree(run, tmp_path / "sweep" / "seed-0")
    for name, old, new in (
        ("config.yaml", "lr: 0.004", "lr: 0.005"),
        ("provenance.json", '"torch": "', '"torch": "9.'),
    ):
        whole = (run / name).read_text()
        assert old in whole
        (run / name).write_text(whole.replace(old, new))
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            train(TrainConfig(**SMALL, out=str(run), resume=True))
        (run / name).write_text(whole)
    summary = tmp_path / "sweep" / "seed-0" / "summary.json"
    summary.write_text(summary.read_text().replace('"valid_accuracy": 0.', '"valid_accuracy": 1.'))
    with pytest.raises(ValueError, match=r"summary.json is damaged, or was changed"):
        save_pretrained(summary.parent, tmp_path / "given")
    with pytest.raises(ValueError, match=r"summary.json is damaged, or was changed"):
        sweep(TrainConfig(**SMALL, sweep=["seed=0"], out=str(tmp_path / "sweep")))
    with pytest.raises(ValueError, match=r"lr must be a finite number \(got inf\)"):
        TrainConfig(lr=float("inf"))


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_model_is_said(run, damage):
    damage(run / "model.safetensors")
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        load_model(run)


def test_a_description_that_was_altered_is_said(run):
    file = run / "model.safetensors"
    data = file.read_bytes()
    altered = data.replace(b'\\"train_images\\": 68', b'\\"train_images\\": 98')
    assert altered != data
    file.write_bytes(altered)
    with pytest.raises(ValueError, match="its checksum is not that of its contents"):
        load_model(run)


def test_weights_that_are_no_numbers_are_refused(run):
    file = run / "model.safetensors"
    state, _ = read_model_file(file)
    with safe_open(file, "pt") as handle:
        about = handle.metadata()["equisym"]
    state["readout.linear.weight"][0, 0] = float("nan")
    save_file(state, file, metadata={"equisym": about})
    with pytest.raises(ValueError, match="the weights readout.linear.weight are NaN or infinite"):
        load_model(run)


@pytest.mark.parametrize("name", ["config.yaml", "provenance.json"])
@pytest.mark.parametrize("content", ["", "{", "\x00\x01"])
def test_damaged_records_are_said(run, name, content):
    if name == "provenance.json" and content == "":
        content = "[]x"
    (run / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name} (is damaged|cannot be read)"):
        train(TrainConfig(**SMALL, out=str(run), resume=True))


def test_what_ran_is_recorded(run):
    before = json.loads((run / "provenance.json").read_text())
    assert set(before["images"]) == {"train", "valid"}
    (first,) = before["sessions"]
    assert {"command", "commit", "device", "equisym", "platform", "python", "started", "torch"} == set(first)
    train(TrainConfig(**SMALL, out=str(run), resume=True))
    after = json.loads((run / "provenance.json").read_text())
    assert after["images"] == before["images"]
    assert after["sessions"][0] == first
    assert len(after["sessions"]) == 2


def test_options_of_a_run_that_goes_on_need_not_be_given_again(run):
    done = run_command({"out": str(run), "resume": True})
    assert done.returncode == 0, done.stderr
    done = run_command({"out": str(run), "resume": True, "lr": 0.5})
    assert done.returncode == 2
    assert "lr was 0.004, now 0.5" in done.stderr


def test_a_disc_without_locks_is_told_and_used(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", refuse)
    words = "cannot be locked .No locks available.: let no other run use it"
    with pytest.warns(UserWarning, match=words), owned(tmp_path):
        pass
    with pytest.warns(UserWarning, match=words), pytest.raises(KeyError), owned(tmp_path):
        raise KeyError


def test_callbacks_of_the_configuration(tmp_path):
    stop = {"class_path": "lightning.pytorch.callbacks.EarlyStopping"}
    stop["init_args"] = {"monitor": "valid_loss", "divergence_threshold": 0.0}
    train(TrainConfig(**SMALL | {"epochs": 3}, callbacks=[stop], out=str(tmp_path / "a")))
    assert len((tmp_path / "a/metrics.csv").read_text().splitlines()) == 2  # any loss is too high for it
    for bad, words in (
        ({"class_path": "os.getcwd"}, "is no lightning.pytorch.Callback"),
        ({"class_path": "lightning.pytorch.callbacks.NoSuch"}, "cannot be made"),
        (
            {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "x", "mode": "y"}},
            "mode",
        ),
        ({"path": "x"}, "a callback is {class_path: MODULE.CLASS"),
    ):
        with pytest.raises(ValueError, match=words):
            train(TrainConfig(**SMALL, callbacks=[bad], out=str(tmp_path / "b")))


def test_a_sweep_is_one_table_and_goes_on_where_it_was(tmp_path, capsys):
    config = TrainConfig(**SMALL, sweep=["seed=0,1", "lr=1e-3,4e-3"], jobs=2, out=str(tmp_path))
    for seed, lr in ((0, 1e-3), (1, 1e-3)):  # as a sweep that was stopped leaves them, made without new processes
        train(TrainConfig(**SMALL | {"seed": seed, "lr": lr}, out=str(tmp_path / f"seed-{seed}_lr-{lr}")))
    capsys.readouterr()  # what training prints
    rows = sweep(config)
    assert [(row["seed"], row["lr"]) for row in rows] == [(0, 0.001), (0, 0.004), (1, 0.001), (1, 0.004)]
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == 5
    text = capsys.readouterr().out
    assert "±" in text
    assert [line.split()[:2] for line in text.strip().splitlines()] == [["lr", "runs"], ["0.001", "2"], ["0.004", "2"]]
    kept = tmp_path / "seed-0_lr-0.001" / "summary.json"
    stamp = kept.stat().st_mtime_ns
    shutil.rmtree(tmp_path / "seed-1_lr-0.004")
    assert sweep(config) is not None
    assert kept.stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match="is finished with other options .batch_size was 17, now 34"):
        sweep(TrainConfig(**SMALL | {"batch_size": 34}, sweep=config.sweep, out=str(tmp_path)))
    for wrong in (
        "colour",
        "seed=[",
        "seed=*a",
        "seed=0,,1",
        "lr=fast",
        "seed=2024-01-01",
        "seed=!!python/name:os.x 1",
    ):
        with pytest.raises(ValueError, match="a sweep is OPTION=VALUE,VALUE"):
            sweep(TrainConfig(**SMALL, sweep=[wrong], out=str(tmp_path / "x")))


def test_a_sweep_says_which_runs_failed_and_keeps_the_others(tmp_path):
    config = TrainConfig(**SMALL, sweep=["arch=e2resnet,none_such"], out=str(tmp_path))
    with pytest.raises(ValueError, match=r"1 of 2 runs failed: arch-none_such \(exit 2\): .*arch must be one of"):
        sweep(config)
    assert "arch-e2resnet" in (tmp_path / "sweep.csv").read_text()


def test_a_stopped_run_releases_its_folder(tmp_path):
    settings = SMALL | {"out": str(tmp_path / "run"), "checkpoint_steps": 1}
    done = run_command(settings, interrupted=(int(signal.SIGKILL), "step", 3))
    assert done.returncode == -signal.SIGKILL, done.stderr
    train(TrainConfig(**settings, resume=True))
