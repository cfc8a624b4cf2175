"""Model files from strangers: nothing runs, nothing is fetched, no memory beyond the weights."""

import json
import pickle
import resource
import socket
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from equisym.models import build, find_model_file, read_model_file, save_model
from equisym.predict.pretrained import load_classifier
from equisym.train.artifacts import load_model

ABOUT = {"arch": "e2resnet", "arch_options": {"width": 2}, "num_classes": 17, "in_channels": 1, "size": 33}


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def file_with(path: Path, about, state=None) -> Path:
    text = about if isinstance(about, str) else json.dumps(about)
    save_file(state or {"x": torch.zeros(2)}, path, metadata={"equisym": text})
    return path


@pytest.fixture
def no_network(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def timm_model(options) -> dict:
    return ABOUT | {"arch": "timm/resnet18", "arch_options": options}


def test_a_file_of_a_network_that_began_pretrained_asks_for_nothing(tmp_path):
    save_model(torch.nn.Linear(1, 1), tmp_path / "model.safetensors", timm_model({"pretrained": True, "depth": 2}))
    assert read_model_file(tmp_path / "model.safetensors")[1]["arch_options"] == {"depth": 2}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("about", "words"),
    [
        (timm_model({"checkpoint_path": "EVIL"}), "takes no option 'checkpoint_path' here"),
        (timm_model({"pretrained": True}), "option 'pretrained' is not allowed in a file, which holds its own weights"),
        (timm_model({"pretrained_cfg": "a"}), "takes no option 'pretrained_cfg'"),
        (timm_model({"pretrained_cfg_overlay": {"file": "EVIL"}}), "option 'pretrained_cfg_overlay' must be a number"),
        (timm_model({"cache_dir": "/tmp"}), "takes no option 'cache_dir'"),
        (timm_model({"features_only": True}), "takes no option 'features_only'"),
        (ABOUT | {"arch": "timm/hf-hub:someone/evil"}, "timm has no model 'hf-hub:someone/evil'"),
        (ABOUT | {"arch": "timm/local-dir:/tmp"}, "timm has no model 'local-dir:/tmp'"),
        (ABOUT | {"arch": "fpn_resnet50", "arch_options": {"backbone": "hf-hub:someone/evil"}}, "timm has no model"),
        (ABOUT | {"arch": "os.system"}, "arch must be one of"),
        (ABOUT | {"arch_options": {"width": 60_000}}, "far larger than its weights"),
        (ABOUT | {"arch_options": {"width": 2000}}, "far larger than its weights"),
        (ABOUT | {"arch_options": {"width": 10**12}}, "option 'width' is larger than 65536"),
        (ABOUT | {"arch_options": {"width": float("inf")}}, "option 'width' is larger than 65536"),
        (ABOUT | {"arch_options": {"width": float("nan")}}, "option 'width' is larger than 65536"),
        (ABOUT | {"arch_options": {"group": "C4096"}}, "a group in a file may have 64 rotations at most"),
        (ABOUT | {"arch_options": {"group": "D" + "9" * 5000}}, "a group in a file may have 64 rotations at most"),
        (ABOUT | {"arch_options": {"stem_kernel": 20_001}}, "a kernel in a file may have 63 pixels at most"),
        (ABOUT | {"arch": "e2vit", "arch_options": {"heads": 0}}, "does not fit its architecture e2vit"),
        (ABOUT | {"arch": "e2vit", "arch_options": {"depth": 60_000, "width": 1}}, "does not fit|far larger"),
        (ABOUT | {"arch": "\x1b[2J\n<b>"}, r"does not fit its architecture \\x1b\[2J <b>: arch must be one of"),
        (ABOUT | {"arch": "x" * 10**6}, "arch must be one of"),
        (ABOUT | {"size": None}, "does not fit its architecture e2resnet: .*Missing key"),
        (ABOUT | {"arch_options": {"width": [[2]]}}, "option 'width' must be a number, a word, or a short list"),
        (ABOUT | {"arch_options": {"width": "many"}}, "does not fit its architecture"),
        (ABOUT | {"arch_options": {"head": "tree", "num_classes": 3}}, "does not fit its architecture"),
        (ABOUT | {"arch_options": []}, "arch_options must be a dict"),
        (ABOUT | {"arch": None}, "arch must be a str"),
        (ABOUT | {"num_classes": 10**9}, "num_classes must be from 1 to 65536"),
        (ABOUT | {"in_channels": -1}, "in_channels must be from 1 to 65536"),
        (ABOUT | {"inputs": 3}, "inputs must be a str"),
        (ABOUT | {"inputs": "image,secret"}, "does not fit its architecture"),
        (ABOUT, "does not fit its architecture e2resnet: .*Missing key"),
        ([1], "it must be a mapping"),
        ("{", "has no usable description"),
        ("[" * 100_000, "has no usable description|damaged"),
        ({}, "arch must be a str"),
    ],
    ids=lambda value: None if isinstance(value, str) else "file",
)
def test_a_hostile_description_is_one_sentence(tmp_path, about, words):
    trace = tmp_path / "executed"
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(Evil(trace)))
    text = about if isinstance(about, str) else json.dumps(about).replace("EVIL", str(evil))
    file = file_with(tmp_path / "model.safetensors", text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for load in (load_model, load_classifier):
        with pytest.raises(ValueError, match=words if load is load_model else ".") as caught:
            load(file)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
    assert not trace.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB: a GiB


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 7, b"\xff" * 4096, b"\x08\0\0\0\0\0\0\0{{{{{{{{", b"PK\x03\x04" * 99]
)
def test_what_is_no_model_is_one_sentence(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    for load in (load_model, load_classifier):
        with pytest.raises(ValueError, match="is damaged, or no safetensors file"):
            load(file)


def test_weights_come_back_and_nan_does_not(tmp_path):
    model = build("e2resnet", width=2)
    save_model(model, tmp_path / "model.safetensors", ABOUT)
    state, about = read_model_file(find_model_file(tmp_path))
    assert about == ABOUT
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    next(model.parameters()).data.view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match="are NaN or infinite"):
        save_model(model, tmp_path / "other.safetensors", ABOUT)
    assert not (tmp_path / "other.safetensors").exists()
    file_with(tmp_path / "other.safetensors", ABOUT, {k: v.clone() for k, v in model.state_dict().items()})
    with pytest.raises(ValueError, match="are NaN or infinite"):
        load_model(tmp_path / "other.safetensors")


def test_a_classifier_opens_the_folder_of_a_model(tmp_path):
    save_model(build("crystal"), tmp_path / "model.safetensors", ABOUT | {"arch": "crystal", "arch_options": {}})
    assert type(load_classifier(tmp_path)).__name__ == "Crystal"
    with pytest.raises(ValueError, match="model must be one of symnet, crystal, e2resnet, a .safetensors file"):
        load_classifier("nothing")
    with pytest.raises(ValueError, match="no trained model at"):
        load_classifier(tmp_path / "nothing.safetensors")


def test_a_model_of_the_hub_is_fetched_by_its_client_alone(tmp_path, monkeypatch):
    save_model(build("crystal"), tmp_path / "model.safetensors", ABOUT | {"arch": "crystal", "arch_options": {}})
    asked = []

    class Client:
        @staticmethod
        def hf_hub_download(repository, name):
            asked.append((repository, name))
            if repository != "someone/model":
                raise OSError("404\nnot found")
            return str(tmp_path / name)

    monkeypatch.setitem(sys.modules, "huggingface_hub", Client)
    assert type(load_classifier("hf-hub:someone/model")).__name__ == "Crystal"
    assert asked == [("someone/model", "model.safetensors")]
    with pytest.raises(ValueError, match="hf-hub:someone/else could not be fetched: 404 not found"):
        load_model("hf-hub:someone/else")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="needs the package huggingface_hub"):
        load_model("hf-hub:someone/model")


def test_a_file_larger_than_the_limit_is_not_read(tmp_path):
    save_model(build("e2resnet", width=2), tmp_path / "model.safetensors", ABOUT)
    with pytest.raises(ValueError, match="GiB, and the limit is 9.31e-07 GiB"):
        read_model_file(tmp_path / "model.safetensors", max_bytes=1000)
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(2**33)  # takes no room on the disk
    for load in (load_model, load_classifier):
        with pytest.raises(ValueError, match="has 8 GiB, and the limit is 1 GiB"):
            load(tmp_path)
