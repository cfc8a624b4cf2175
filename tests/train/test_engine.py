"""The engine under accident: killed at any step, told to stop, a loss that is no number, two processes."""

import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from quick_python import python
from safetensors.torch import load_file
from test_run import TINY, pytestmark  # noqa: F401 - the marks apply to this module too

from equisym.models import build
from equisym.train import TrainConfig
from equisym.train.augment import turn_and_flip
from equisym.train.checkpoints import ExponentialAverage
from equisym.train.config import OptimiserOptions
from equisym.train.losses import HierarchicalLoss
from equisym.train.lr_finder import find_lr
from equisym.train.module import make_optimiser
from equisym.train.run import train

SHORT = TINY | {"train_images": 136, "epochs": 3, "test_images": 0, "logger": "none"}
EXTRAS = {"arch_options": {"width": 2, "dropout": 0.5}, "augment": True, "accumulate": 2, "clip": 1.0, "ema": 0.9}


# Sends a signal to itself, at a step of the run and at a moment in the life of a checkpoint: no race with a clock.
INTERRUPTED = """
import os, sys
from equisym.train import checkpoints
from equisym.train.command import main

signum, moment, step = int(sys.argv.pop(1)), sys.argv.pop(1), int(sys.argv.pop(1))
save, after_batch = checkpoints.Checkpoints._save, checkpoints.Checkpoints.on_train_batch_end

def interrupt(at):
    if at >= step:
        os.kill(os.getpid(), signum)

def interrupted_save(self, trainer, name):
    if moment == "writing" and name == "last.ckpt" and trainer.global_step >= step:
        (self.folder / "last.ckpt.part").write_bytes(b"half a checkpoint")
        interrupt(trainer.global_step)
    save(self, trainer, name)
    if moment == "written" and name == "last.ckpt":
        interrupt(trainer.global_step)

def interrupted_batch(self, trainer, *more):
    if moment == "step":
        interrupt(trainer.global_step)
    after_batch(self, trainer, *more)

checkpoints.Checkpoints._save = interrupted_save
checkpoints.Checkpoints.on_train_batch_end = interrupted_batch
main()
"""


def flags(settings) -> list[str]:
    values = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in settings.items() if v is not False}
    off = ["--no-appearance"] if settings.get("appearance") is False else []  # the one that is on by default
    return [f"--{k.replace('_', '-')}" + ("" if v is True else f"={v}") for k, v in values.items()] + off


def run_command(settings, *, interrupted=(), threads=1) -> subprocess.CompletedProcess:
    program = ["-c", INTERRUPTED, *map(str, interrupted)] if interrupted else ["-m", "equisym.train.command"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    command = [*program, *flags(settings)]
    if settings.get("devices", 1) == 1:
        return python(*command, env=environment)
    command = [sys.executable, *command]  # Lightning starts it again for each further device
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_same_run(first, second) -> None:
    whole, resumed = (load_file(folder / "model.safetensors") for folder in (first, second))
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)
    assert (first / "metrics.csv").read_text() == (second / "metrics.csv").read_text()


@pytest.mark.usefixtures("one_thread")
def test_killed_three_times_and_resumed_bit_for_bit(tmp_path):
    settings = SHORT | EXTRAS  # 4 optimiser steps in each of 3 epochs
    train(TrainConfig(**settings, out=str(tmp_path / "whole")))
    killed = {**settings, "checkpoint_steps": 1, "out": str(tmp_path / "killed")}
    first, second, third = np.random.default_rng(0).integers((1, 4, 8), (4, 8, 12)).tolist()
    for kill in ((first, "written"), (second, "writing"), (third, "step")):
        done = run_command(killed, interrupted=(int(signal.SIGKILL), kill[1], kill[0]))
        assert done.returncode == -signal.SIGKILL, (kill, done.stderr[-2000:])
        killed["resume"] = True
    assert not (tmp_path / "killed/summary.json").exists()
    torch.set_num_threads(2)  # as on another machine: the run goes on with the number it began with
    train(TrainConfig(**killed))
    assert torch.get_num_threads() == 2
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_scheduler_s_signal_saves_and_exits(tmp_path, number):
    train(TrainConfig(**SHORT, out=str(tmp_path / "whole")))
    stopped = SHORT | {"out": str(tmp_path / "stopped")}
    done = run_command(stopped, interrupted=(int(number), "step", 11))
    assert done.returncode == 128 + number
    assert f"stopped by {number.name} after step 11" in done.stdout
    assert "add --resume to continue" in done.stdout
    assert not (tmp_path / "stopped/summary.json").exists()
    train(TrainConfig(**stopped, resume=True))
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_training_twice_is_the_same_whatever_the_threads_do(tmp_path):
    # This network shares weights by an index whose gradient PyTorch adds up in the order in which threads come.
    settings = SHORT | {"arch": "orbitnet", "arch_options": {"width": 8}, "epochs": 1}
    for name in ("first", "second"):
        train(TrainConfig(**settings, out=str(tmp_path / name)))
    assert_same_run(tmp_path / "first", tmp_path / "second")


def test_a_loss_that_is_no_number_stops_with_its_batch(tmp_path):
    settings = SHORT | {"lr": 1e30, "schedule": "constant", "optimiser": "adam"}
    with pytest.raises(ValueError, match=r"the loss became .* at epoch 0, batch \d.*bad_batch.safetensors: lower --lr"):
        train(TrainConfig(**settings, out=str(tmp_path)))
    bad = load_file(tmp_path / "bad_batch.safetensors")
    assert bad["images"].shape == (17, 1, 33, 33)
    assert bad["labels"].shape == (17,)


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path):
    common = SHORT | {"train_images": 68, "epochs": 2, "appearance": False}
    train(TrainConfig(**common | {"batch_size": 34}, out=str(tmp_path / "one")))
    done = run_command(common | {"devices": 2, "out": str(tmp_path / "two")})
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (list(csv.DictReader((tmp_path / n / "metrics.csv").read_text().splitlines())) for n in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
            assert float(first[name]) == pytest.approx(float(second[name]), abs=2e-3), name
    whole, shared = (load_file(tmp_path / n / "model.safetensors") for n in ("one", "two"))
    assert (whole["readout.linear.weight"] - shared["readout.linear.weight"]).abs().max() < 1e-3


def test_early_stop(tmp_path):
    settings = SHORT | {"epochs": 30, "patience": 1, "lr": 1e-12, "train_images": 34}
    train(TrainConfig(**settings, out=str(tmp_path)))
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) < 8


@pytest.mark.parametrize("loss", ["hierarchical", "rotation_family"])
def test_losses_train_and_test(loss, tmp_path):
    settings = TINY | {
        "loss": loss,
        "epochs": 1,
        "curriculum": 0.5,
        "logger": "none",
        "find_lr": loss == "rotation_family",
    }
    summary = train(TrainConfig(**settings, out=str(tmp_path)))
    assert set(summary["test"]) == {"noise", "photo", "atom"}
    assert (tmp_path / "confusion.png").exists()
    assert (tmp_path / "lr_finder.csv").exists() == (loss == "rotation_family")


def test_hierarchical_loss_by_hand_and_its_curriculum():
    loss = HierarchicalLoss(curriculum=0.5)
    logits, labels = torch.randn(6, 17), torch.arange(6)
    loss.progress = 0.0
    assert loss.weights().tolist() == [1.0, 0.0, 0.0]
    probabilities = logits.softmax(1)
    order_1, order_2 = [0, 2, 3, 4], [1, 5, 6, 7, 8]
    expected = [-probabilities[i, order_1 if i in order_1 else order_2].sum().log() for i in range(6)]
    assert loss(logits, labels) == pytest.approx(sum(expected).item() / 6, rel=1e-5)
    loss.progress = 0.25
    assert loss.weights().tolist() == [1.0, 1.0, 0.0]
    loss.progress = 0.5
    assert loss.weights().tolist() == [1.0, 1.0, 1.0]


def test_turning_and_flipping_makes_all_eight_images():
    torch.manual_seed(0)
    image = torch.arange(9.0).view(1, 1, 3, 3)
    made = turn_and_flip(image.repeat(200, 1, 1, 1))
    turned = [image.rot90(k, (-2, -1)) for k in range(4)]
    allowed = {tuple(x.flatten().tolist()) for y in turned for x in (y, y.flip(-1))}
    assert {tuple(x.flatten().tolist()) for x in made} == allowed
    assert len(allowed) == 8


def test_running_average_by_hand():
    class Holder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Linear(1, 1, bias=False)

    class At:
        global_step = 0

    holder, trainer, average = Holder(), At(), ExponentialAverage(0.5)
    torch.nn.init.zeros_(holder.model.weight)
    average.on_fit_start(trainer, holder)
    torch.nn.init.ones_(holder.model.weight)
    for step, expected in ((1, 1 - 2 / 11), (1, 1 - 2 / 11), (2, 1 - 2 / 11 * 3 / 12)):
        trainer.global_step = step
        average.on_train_batch_end(trainer, holder, None, None, 0)
        assert average.average["weight"].item() == pytest.approx(expected)
    average.on_validation_start(trainer, holder)
    assert holder.model.weight.item() < 1
    average.on_validation_end(trainer, holder)
    assert holder.model.weight.item() == 1


def test_range_test_finds_the_stable_rates():
    # One quadratic bowl: gradient descent diverges above lr = 2 / curvature = 0.2.
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 3.0)
    batches = [(torch.ones(4, 1), torch.zeros(4))]
    lr, history = find_lr(
        model,
        batches,
        lambda y, _: 5 * y.square().mean(),
        lambda m, rate: torch.optim.SGD(m.parameters(), rate),
        low=1e-4,
        high=10,
    )
    assert 1e-3 < lr < 0.2
    assert history[-1][0] < 10
    assert model.weight.item() == 3.0


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_optimiser_spares_vectors(name, kind):
    model = build("e2resnet", width=2)
    options = OptimiserOptions(optimiser=name, lr=1e-3, weight_decay=0.1, momentum=0.8)
    optimiser = make_optimiser(model, options)
    assert type(optimiser) is kind
    assert sorted(group["weight_decay"] for group in optimiser.param_groups) == [0.0, 0.1]
    assert {group["lr"] for group in optimiser.param_groups} == {1e-3}
    vectors = {id(p) for p in model.parameters() if p.ndim <= 1}
    assert vectors
    for group in optimiser.param_groups:
        spared = {id(p) for p in group["params"]}
        assert spared == vectors if group["weight_decay"] == 0 else not spared & vectors
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(model.parameters()))
    if name == "sgd":
        assert all(group["momentum"] == 0.8 and group["nesterov"] for group in optimiser.param_groups)


def test_range_test_does_not_trust_its_first_averages():
    """One hard batch at the start, later a lasting fall: the rate is that of the fall."""
    losses = iter([20.0] + [10.0] * 59 + [5.0] * 40)
    model = torch.nn.Linear(1, 1)
    batches = [(torch.zeros(1, 1), torch.zeros(1))]
    lr, history = find_lr(
        model,
        batches,
        lambda y, _: 0 * y.sum() + next(losses),
        lambda m, rate: torch.optim.SGD(m.parameters(), rate),
        low=1e-5,
        high=1e-1,
    )
    rates = [rate for rate, _ in history]
    assert (len(rates), rates[0], rates[-1]) == (100, pytest.approx(1e-5), pytest.approx(1e-1))
    assert lr in rates[57:61]
