"""Loggers: what is missing is said before torch is loaded; those that are installed really log."""

import os
import sqlite3
import subprocess
import sys

import pytest

from equisym.train import TrainConfig, train
from equisym.train.loggers import EXTRAS, make_logger, require_logger

SMALL = {"arch_options": {"width": 2}, "train_images": 34, "size": 33, "epochs": 1, "test_images": 0, "workers": 0}


@pytest.mark.parametrize("kind", EXTRAS)
def test_a_logger_that_is_not_installed_is_said_at_once(tmp_path, kind):
    (tmp_path / kind).mkdir()  # wandb makes such a folder where it runs: it is no package
    code = f"""
import sys
sys.modules["torch"] = None
sys.path = ["{tmp_path}", *(path for path in sys.path if not __import__("os").path.isdir(f"{{path}}/{kind}"))]
from equisym.train.command import main
main()
"""
    command = [sys.executable, "-c", code, "--logger", kind, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"equisym-train: --logger {kind} needs the package {kind}: pip install 'equisym[{kind}]'\n"
    assert not (tmp_path / "run").exists()


def test_others_need_no_extra(tmp_path):
    require_logger("none")
    require_logger("tensorboard")
    assert make_logger("none", tmp_path) is False


@pytest.mark.filterwarnings("ignore")
def test_mlflow_holds_the_figures_of_metrics_csv(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    train(TrainConfig(**SMALL, logger="mlflow", out=str(tmp_path)))
    with sqlite3.connect(tmp_path / "mlflow.db") as data:
        logged = dict(data.execute("select key, value from metrics where key = 'valid_accuracy'"))
    last = dict(zip(*((line.split(",")) for line in (tmp_path / "metrics.csv").read_text().split()), strict=True))
    assert logged["valid_accuracy"] == pytest.approx(float(last["valid_accuracy"]))


@pytest.mark.filterwarnings("ignore")
def test_wandb_logs_without_an_account_and_says_so(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    train(TrainConfig(**SMALL | {"test_images": 17, "workers": 1}, logger="wandb", out=str(tmp_path / "run")))
    assert wandb.run is None  # a further training in this process has a run of its own
    (file,) = (tmp_path / "run").glob("wandb/offline-run-*/run-*.wandb")
    assert b"valid_accuracy" in file.read_bytes()
    code = "import pathlib; from equisym.train.loggers import make_logger; make_logger('wandb', pathlib.Path('other'))"
    online = os.environ | {"WANDB_MODE": "online", "NETRC": str(tmp_path / "netrc"), "WANDB_API_KEY": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=online)
    assert "ValueError: --logger wandb cannot begin: " in done.stderr
    assert done.stderr.endswith("; WANDB_MODE=offline logs without an account\n")
