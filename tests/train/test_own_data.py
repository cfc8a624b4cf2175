"""Runs on one's own images and networks: folders, shards, datasets from Python, packages; evaluated and given away."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from quick_python import python
from safetensors.torch import load_file
from shapes import CLASSES, folder_of_shapes
from test_engine import assert_same_run, one_thread, run_command
from test_run import TINY, pytestmark  # noqa: F401 - the marks apply to this module too
from torch.utils.data import TensorDataset

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.train import TrainConfig, train
from equisym.train.artifacts import load_model
from equisym.train.publish import save_pretrained

__all__ = ["one_thread"]
PACKAGE = Path(__file__).parents[1] / "packages" / "dotnet"
OWN = TINY | {"size": 17, "batch_size": 8, "epochs": 3, "test_images": 0, "logger": "none", "lr": 0.02}
OWN = {name: value for name, value in OWN.items() if name != "train_images"}


@pytest.fixture
def shapes(tmp_path):
    return folder_of_shapes(tmp_path / "shapes")


def evaluate(*arguments, **environment) -> subprocess.CompletedProcess:
    done = python("-m", "equisym.eval.command", *arguments, env=os.environ | environment)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_folder_of_classes_from_start_to_report(shapes, tmp_path):
    test = folder_of_shapes(tmp_path / "later", 8, seed=1)
    run = tmp_path / "run"
    summary = train(TrainConfig(**OWN, data=str(shapes), test_data=[str(test)], out=str(run)))
    assert (summary["train_family"], summary["train_images"]) == ("shapes", 63)
    assert set(summary["test"]) == {"later"}
    assert summary["test"]["later"] > 0.6
    model, about = load_model(run)
    assert about["classes"] == list(CLASSES)
    assert model(torch.rand(2, 1, 17, 17)).shape == (2, 3)
    assert (run / "confusion.png").stat().st_size > 1000
    report = tmp_path / "report"
    done = evaluate(run, "--data", test, "--out", report)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader((report / "cross_dataset.csv").read_text().splitlines())
    assert float(row["accuracy"]) == pytest.approx(summary["test"]["later"], abs=1e-5)
    assert (row["test_family"], row["level_rotation"]) == ("later", "nan")
    assert "3 classes" in (save_pretrained(run, tmp_path / "given") / "README.md").read_text()
    done = evaluate(run, "--families", "noise", "--out", report)
    assert done.returncode == 2
    assert "answers with 3 classes of its own" in done.stderr


def test_any_dataset_from_python(tmp_path):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    images = torch.rand(60, 3, 17, 19, generator=generator) * 0.2 + 0.5 * labels[:, None, None, None] * torch.rand(
        1, 1, 17, 19
    )
    dataset = TensorDataset(images, labels)
    settings = OWN | {"arch": "timm/resnet10t", "arch_options": {}, "epochs": 1}
    summary = train(TrainConfig(**settings, out=str(tmp_path)), train=dataset, test={"again": dataset})
    assert (summary["train_family"], summary["train_images"]) == ("TensorDataset", 52)
    assert set(summary["test"]) == {"again"}
    _, about = load_model(tmp_path)
    assert (about["in_channels"], about["num_classes"], about["classes"]) == (3, 2, ["0", "1"])
    other = TensorDataset(images.flip(0), labels)
    with pytest.raises(ValueError, match="begun with other images to train"):
        train(TrainConfig(**settings, out=str(tmp_path), resume=True), train=other, test={})
    with pytest.raises(ValueError, match="valid and test are given without train"):
        train(TrainConfig(**settings, out=str(tmp_path / "b")), valid=dataset)


def test_losses_of_groups_need_groups(shapes, tmp_path):
    with pytest.raises(ValueError, match="the loss hierarchical needs labels that are the 17 groups"):
        train(TrainConfig(**OWN | {"loss": "hierarchical"}, data=str(shapes), out=str(tmp_path / "run")))


@pytest.fixture
def shards(tmp_path):
    sets = {"noise": WallpaperDataset("noise", 85, size=33, seed=0)}
    generate(tmp_path / "shards", sets, file_format="webdataset", block=17, progress=False)
    return tmp_path / "shards"


@pytest.mark.usefixtures("one_thread")
def test_a_run_on_shards_is_killed_and_resumed_bit_for_bit(shards, tmp_path):
    settings = {k: v for k, v in TINY.items() if k != "train_images"}
    settings |= {"data": str(shards), "epochs": 2, "test_images": 0, "logger": "none"}
    train(TrainConfig(**settings, out=str(tmp_path / "whole")))
    killed = {**settings, "checkpoint_steps": 1, "out": str(tmp_path / "killed")}
    done = run_command(killed, interrupted=(int(signal.SIGKILL), "step", 5))
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    moved = tmp_path / "moved"
    shutil.move(shards, moved)
    done = run_command({"out": str(tmp_path / "killed"), "data": str(moved), "resume": True})  # the rest is recorded
    assert done.returncode == 0, done.stderr[-2000:]
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_two_processes_share_shards(shards, tmp_path):
    settings = {k: v for k, v in TINY.items() if k != "train_images"}
    settings |= {"data": str(shards), "epochs": 2, "test_images": 0, "logger": "none", "appearance": False}
    train(TrainConfig(**settings | {"batch_size": 34}, out=str(tmp_path / "one")))
    done = run_command(settings | {"devices": 2, "out": str(tmp_path / "two")})
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert (one["readout.linear.weight"] - two["readout.linear.weight"]).abs().max() < 1e-3


def test_a_network_of_another_package_by_import(shapes, tmp_path, monkeypatch):
    run = tmp_path / "run"
    settings = OWN | {"arch": "dots", "arch_options": {"width": 3}, "data": str(shapes), "out": str(run)}
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    done = run_command(settings)
    assert done.returncode == 2
    assert "arch must be one of" in done.stderr
    done = run_command(settings | {"import": "dotnet"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((run / "summary.json").read_text())["arch"] == "dots"
    done = evaluate(run, "--data", shapes, "--out", tmp_path / "report")  # its process has not imported the package
    assert "needs the package dotnet: install it, or add --import dotnet" in done.stderr
    done = evaluate(run, "--data", shapes, "--import", "dotnet", "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    done = run_command(settings | {"import": "no_such_package", "out": str(tmp_path / "other")})
    assert done.returncode == 2
    assert "cannot import 'no_such_package'" in done.stderr


def test_a_network_of_an_installed_package_by_entry_point(tmp_path):
    about = tmp_path / "dotnet-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: dotnet\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[equisym.archs]\ndots = dotnet:dots\n")
    shutil.copy(PACKAGE / "dotnet.py", tmp_path)
    code = "from equisym.models import build, list_archs\nassert 'dots' in list_archs()\nprint(build('dots', width=2))"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = python("-c", code, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Sequential" in done.stdout


def test_the_page_on_own_data_runs_as_it_is_written(tmp_path):
    """Every block of docs/own_data.md in order, in an empty folder, with fewer images, epochs and seeds."""
    page = (Path(__file__).parents[2] / "docs" / "own_data.md").read_text()
    for long, short in (('"shapes", 80), ("later", 20)', '"shapes", 16), ("later", 6)'), ("--epochs 8", "--epochs 1"),
                        ("arch=e2resnet,dots seed=0,1,2", "arch=dots seed=0")):  # fmt: skip
        assert long in page
        page = page.replace(long, short)
    environment, said = dict(os.environ), ""
    modules = {f"equisym-{name}": f"equisym.{name}.command" for name in ("train", "eval")}
    for kind, block in re.findall(r"```(python|sh)\n(.*?)```", page, re.DOTALL):
        if block.startswith("# dotnet.py"):
            (tmp_path / "dotnet.py").write_text(block)
            continue
        if "PYTHONPATH=." in block:
            environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
            block = block.replace("export PYTHONPATH=.\n", "")
        lines = block.replace("\\\n", "").splitlines()
        commands = (
            [["-m", modules[name], *words] for name, *words in map(shlex.split, lines)]
            if kind == "sh"
            else [["-c", block]]
        )
        for command in commands:
            done = python(*command, cwd=tmp_path, env=environment)
            assert done.returncode == 0, block + done.stderr[-2000:]
            said += done.stdout
    assert "['bars', 'disc', 'noise']" in said
    report = (tmp_path / "report" / "REPORT.md").read_text()
    assert "runs/dots" in report
    assert "runs/shapes" in report
    assert (tmp_path / "report" / "confusion-dots.png").stat().st_size > 1000
    assert len((tmp_path / "runs" / "sweep" / "sweep.csv").read_text().splitlines()) == 2
