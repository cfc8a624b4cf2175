"""The blocks of docs/frameworks.md do what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from equisym.groups import D
from equisym.testing import assert_equivariant

PAGE = (Path(__file__).parent.parent / "docs" / "frameworks.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(which: str) -> dict:
    """Run the one block that holds a word, and return its names."""
    (block,) = [block for block in BLOCKS if which in block]
    found = {"__name__": "page"}  # of the classes' module
    exec(block, found)
    return found


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_timm_and_torchvision():
    found = run("create_feature_extractor")
    assert found["maps"].shape[-1] == 3
    assert found["model"].get_classifier().out_features == 5


def test_transformers():
    pytest.importorskip("transformers")
    found = run("PreTrainedModel")
    x = torch.rand(2, 1, 33, 33)
    answer = found["again"].eval()(x, labels=torch.tensor([0, 1]))
    torch.testing.assert_close(answer.logits, found["classifier"].eval()(x).logits, rtol=0, atol=0)
    assert answer.loss.isfinite()
    assert_equivariant(lambda x: found["again"](x).logits, x, group=D(4), output="invariant")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_lightning():
    assert run("EquivarianceCallback")["trainer"].callback_metrics["equivariance_error"] < 1e-4


def test_hub_mixin():
    pytest.importorskip("huggingface_hub")
    found = run("PyTorchModelHubMixin")
    x = torch.rand(2, 1, 9, 9)
    assert found["same"].lift.out_channels == 4
    torch.testing.assert_close(found["same"](x), found["texture"](x), rtol=0, atol=0)


def test_two_processes(tmp_path):
    (block,) = [block for block in BLOCKS if "DistributedDataParallel" in block]
    (tmp_path / "train.py").write_text(block)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.filterwarnings("ignore:.*jit:DeprecationWarning", "ignore:.*jit:FutureWarning", "ignore::UserWarning")
def test_scripts_and_graphs():
    found = run("torch.jit.script")
    x = torch.rand(1, 1, 33, 33)
    for folded in (found["scripted"], found["program"].module()):
        torch.testing.assert_close(folded(x), found["folded"](x))
