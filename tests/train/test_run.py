"""Training end to end on seconds of work: files, summary, order of the images, clear errors."""

import csv
import json
import signal

import pytest
import yaml

from equisym.data import WallpaperDataset
from equisym.train import TrainConfig
from equisym.train.artifacts import load_model
from equisym.train.run import train
from equisym.train.samplers import EpochBatches

TINY = {
    "arch_options": {"width": 2},
    "train_images": 68,
    "size": 33,
    "epochs": 2,
    "batch_size": 17,
    "test_images": 34,
    "precision": "32",
    "workers": 0,
}
# Lightning and TensorBoard warn about themselves; the product's own warnings still fail the test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:.*litlogger"),
]


def test_a_run_writes_every_file(tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    summary = train(TrainConfig(**TINY, out=str(tmp_path)))
    assert signal.getsignal(signal.SIGTERM) is handler
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {
        "config.yaml",
        "metrics.csv",
        "last.ckpt",
        "best.ckpt",
        "model.safetensors",
        "summary.json",
        "curves.png",
        "confusion.png",
        "tensorboard",
    }
    assert not [name for name in names if name.endswith(".part")]
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert set(summary) == {"arch", "train_family", "train_images", "params", "seconds", "valid_accuracy", "test"}
    assert set(summary["test"]) == {"noise", "photo", "atom"}
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["train_images"] == 68
    model, about = load_model(tmp_path)
    assert about["arch"] == "e2resnet"
    assert not model.training
    with pytest.raises(ValueError, match="already holds a run: add --resume"):
        train(TrainConfig(**TINY, out=str(tmp_path)))


def test_nothing_to_resume(tmp_path):
    with pytest.raises(ValueError, match="nothing to resume: .*last.ckpt does not exist"):
        train(TrainConfig(**TINY, out=str(tmp_path), resume=True))


def test_bad_configurations():
    with pytest.raises(ValueError, match=r"epochs must be at least 1 \(got 0\)"):
        TrainConfig(epochs=0)
    with pytest.raises(ValueError, match="precision must be auto, 32 or bf16-mixed"):
        TrainConfig(precision="8")
    with pytest.raises(ValueError, match="logger must be tensorboard, wandb, mlflow or none"):
        TrainConfig(logger="paper")


def test_order_depends_on_seed_and_epoch_alone():
    order, again = EpochBatches(20, 3, seed=3), EpochBatches(20, 3, seed=3)
    order.set_epoch(4)
    first = list(order)
    again.resume(4, 2)
    assert list(again) == first[2:]
    again.set_epoch(4)
    assert list(again) == first[2:]
    again.set_epoch(5)
    assert len(list(again)) == len(again) == 6
    assert list(again) != first
    assert len({i for batch in first for i in batch}) == 18


def test_loading_something_else_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="no trained model at"):
        load_model(tmp_path)


@pytest.mark.parametrize("arch", ["symnet", "crystal"])
def test_networks_that_measure_are_trained_on_what_they_measured(tmp_path, arch):
    settings = TINY | {"arch": arch, "arch_options": {}, "size": 64, "test_images": 17, "degrade": True}
    summary = train(TrainConfig(**settings, out=str(tmp_path)))
    assert {p.name for p in tmp_path.iterdir()} >= {"best.ckpt", "last.ckpt", "model.safetensors", "summary.json"}
    model, about = load_model(tmp_path)
    assert about["arch"] == arch
    images = WallpaperDataset("noise", 34, size=64, seed=0, split="test").in_memory(progress=False).tensors[0]
    assert model(images[:3]).shape == (3, 17)
    assert summary["valid_accuracy"] > 3 / 17  # of degraded images of 64 pixels, learned from 68


def test_networks_that_measure_take_no_other_inputs(tmp_path):
    with pytest.raises(ValueError, match="symnet measures the image itself: leave out --inputs"):
        train(TrainConfig(**TINY | {"arch": "symnet", "arch_options": {}, "inputs": "image,fft"}, out=str(tmp_path)))
