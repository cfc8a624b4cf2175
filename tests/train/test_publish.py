"""Folders to give away: written from a run, read back, with the run's own figures on the card."""

import json
import sys

import pytest
import torch
import yaml

from equisym.models import build
from equisym.train.artifacts import make_network, save_model
from equisym.train.publish import from_pretrained, push_to_hub, save_pretrained


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    torch.manual_seed(0)
    model = make_network("e2resnet", {"width": 2}, num_classes=17, inputs="image,fft")
    about = {"arch": "e2resnet", "arch_options": {"width": 2}, "num_classes": 17, "in_channels": 1, "size": 33}
    save_model(model, folder / "model.safetensors", about | {"inputs": "image,fft"})
    summary = {"arch": "e2resnet", "train_family": "noise", "train_images": 3400, "params": 1234, "seconds": 1.0}
    (folder / "summary.json").write_text(json.dumps(summary | {"valid_accuracy": 0.875, "test": {"atom": 0.25}}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"arch": "e2resnet", "lr": 0.004, "out": "/secret"}))
    return folder, model.eval()


def test_what_is_given_away_answers_as_the_run(run, tmp_path):
    folder, model = run
    given = save_pretrained(folder, tmp_path / "given")
    assert {p.name for p in given.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    loaded, about = from_pretrained(given)
    x = torch.rand(2, 1, 33, 33)
    torch.testing.assert_close(loaded(x), model(x), rtol=0, atol=0)
    assert about == json.loads((given / "config.json").read_text())
    card = (given / "README.md").read_text()
    for words in ("87.5", "25.0", "3,400 noise images", "1,234 parameters", "lr: 0.004"):
        assert words in card, words
    assert "/secret" not in card


def test_an_unfinished_run_is_not_given_away(tmp_path):
    with pytest.raises(ValueError, match="holds no finished run.*continue with --resume"):
        save_pretrained(tmp_path, tmp_path / "given")
    with pytest.raises(ValueError, match="no trained model at"):
        from_pretrained(tmp_path)


def test_the_hub_is_asked_for_only_when_wanted(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="push_to_hub needs the package huggingface_hub"):
        push_to_hub(tmp_path, "a/b")


def test_inputs_become_channels_of_the_network():
    network = make_network("e2resnet", {"width": 2}, num_classes=17, inputs="image,fft,radon")
    assert network(torch.rand(2, 1, 33, 33)).shape == (2, 17)
    plain = make_network("e2resnet", {"width": 2}, num_classes=17)
    assert list(plain.state_dict()) == list(build("e2resnet", width=2).state_dict())
