"""The benchmark goes on where it was killed."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from quick_python import python
from safetensors.numpy import load_file

SCRIPT = Path(__file__).parents[2] / "eval" / "run_benchmark.py"
SMALL = ["size=33", "train_images=51", "epochs=4", "checkpoint_steps=1", "arch_options={group: C1, width: 4}"]


NAMES = ("plain-augmented", "hierarchical")


def benchmark(folder: Path, names=NAMES) -> list[str]:
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "out"), "--seeds", "0", "--test-images", "17"]
    return [str(SCRIPT), "--scale", "cpu", *places, "--networks", *names, "--set", *SMALL]


def run(folder: Path, names=NAMES) -> str:
    done = python(*benchmark(folder, names))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "out/cross_dataset.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "images_per_second"} for row in csv.DictReader(file)]


def test_killed_and_started_again_it_ends_as_if_nothing_had_happened(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first, second = (killed / f"runs/noise-8160/{name}-0" for name in ("plain-augmented", "hierarchical"))
    child = subprocess.Popen(
        [sys.executable, *benchmark(killed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (second / "last.ckpt").is_file():
        assert child.poll() is None, (first / "log.txt").read_text()
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert (first / "summary.json").is_file()
    assert not (second / "summary.json").is_file()
    weights = (first / "model.safetensors").stat().st_mtime_ns

    printed = run(killed)
    assert "hierarchical-0: finished" in printed
    assert "plain-augmented-0: finished" not in printed  # it was before
    assert (first / "model.safetensors").stat().st_mtime_ns == weights
    before = table(killed)
    run(whole, NAMES[1:])  # the network that was in training when all was killed
    assert [row for row in before if "hierarchical" in row["run"]] == table(whole) != []
    one, other = (load_file(f / "runs/noise-8160/hierarchical-0/model.safetensors") for f in (killed, whole))
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)
    (first / "tested.csv").write_bytes(b"")
    answers = bytearray((second / "answers.npz").read_bytes())
    answers[len(answers) // 2] ^= 1
    (second / "answers.npz").write_bytes(answers)
    printed = run(killed)
    for damaged in (first / "tested.csv", second / "answers.npz"):
        assert f"{damaged} is damaged, or was changed: its checksum is not that of checksums.json" in printed
    assert table(killed) == before
    assert "Nothing.\n" not in (killed / "out/REPORT.md").read_text()  # networks were left out, which it says
