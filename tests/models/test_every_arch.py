"""The contract of every architecture: it builds, trains, saves, loads, predicts, and exports."""

import warnings

import pytest
import torch
from torch import nn

from equisym.data import render
from equisym.models import build, list_archs
from equisym.models.feature_classifier import FeatureClassifier
from equisym.train.artifacts import load_model, save_model

SMALL = {
    "symnet": {"filters": 2, "hidden": 4},
    "crystal": {},
    "e2resnet": {"width": 2},
    "e2resnet18": {"width": 1},
    "e2resnet34": {"width": 1},
    "e2resnet50": {"width": 1},
    "e2wideresnet": {"width": 1, "depth": 10},
    "e2densenet": {"growth": 2, "layers": [1, 2]},
    "e2vit": {"width": 4, "depth": 1, "heads": 2},
    "e2convnext": {"width": [2, 4], "depths": [1, 1]},
    "rkcnn": {"width": 2, "kernel_size": 3},
    "msrnet": {"width": 1, "kernel_size": 3, "group": "C4"},
    "filternet": {"filters": 1, "kernel_size": 5, "width": 2},
    "orbitnet": {"width": 4, "stages": 2},
    "fpn_resnet50": {"backbone": "resnet10t", "channels": 8},
    "resnet50": {"layers": [1, 1, 1, 1]},
    "densenet161": {"growth_rate": 4, "block_config": [1, 1]},
    "xcit_small_12_p8_224": {"depth": 1, "embed_dim": 32, "num_heads": 2},
}
EVEN = ("xcit_small_12_p8_224", "e2vit", "e2convnext")  # patches want multiples, not one pixel more
OTHERS = [
    ("e2resnet", {"width": 2, "conv": kind, "group": group})
    for kind, group in [
        ("band-limited", "D4"),
        ("separable", "D3"),
        ("steerable", "C8"),
        ("orbit", "D2"),
        ("rotating", "C6"),
        ("learned", "C4"),
        ("plain", "D4"),
    ]
]
OTHERS += [("orbitnet", {"width": 4, "stages": 2, "group": "p4g"}), ("e2resnet", {"width": 2, "head": "tree"})]
OTHERS += [("e2wideresnet", {"width": 1, "depth": 10, "conv": "separable", "dropout": 0.5})]


def randomised(model: nn.Module) -> nn.Module:
    """Running statistics and scales as after training, so that a comparison means something."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


def images(name: str, count: int, size: int) -> torch.Tensor:
    """Random pixels; for networks that measure a lattice, images that have one."""
    if name in ("symnet", "crystal"):
        return torch.stack([render(group, "noise", seed=0, size=size) for group in ("p2", "p4", "pmm", "p3")[:count]])
    return torch.rand(count, 1, size, size)


def seen(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What the exported part of a network is given: the images, or what was measured in them."""
    return model.extract(x) if isinstance(model, FeatureClassifier) else x


def test_every_architecture_is_in_the_contract():
    assert set(list_archs()) <= set(SMALL)


@pytest.mark.parametrize(("name", "options"), [*SMALL.items(), *OTHERS], ids=str)
def test_contract(name, options, tmp_path):
    torch.manual_seed(0)
    size = 64 if name in EVEN else 65
    x, labels = images(name, 4, size), torch.tensor([0, 5, 10, 16])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = build(name, **options)
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        before = [p.detach().clone() for p in model.parameters()]
        for _ in range(2):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x), labels).backward()
            optimiser.step()
    assert all(p.grad is not None for p in model.parameters())
    assert sum(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)) > len(before) // 2

    randomised(model)
    about = {"arch": name, "arch_options": options, "num_classes": 17, "in_channels": 1}
    save_model(model, tmp_path / "model.safetensors", about)
    loaded, _ = load_model(tmp_path)
    with torch.no_grad():
        expected = model(x)
        assert expected.shape == (4, 17)
        torch.testing.assert_close(loaded(x), expected, rtol=0, atol=0)
        plain, x = model.to_plain(), seen(model, x)
        scale = max(1.0, expected.abs().max().item())
        torch.testing.assert_close(plain(x), expected, rtol=1e-4, atol=1e-5 * scale)
        assert not [m for m in plain.modules() if type(m).__module__.startswith("equisym")]
        exported = torch.export.export(model, (x,)).module()
        torch.testing.assert_close(exported(x), expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning")
@pytest.mark.parametrize(("name", "options"), SMALL.items(), ids=SMALL)
def test_onnx(name, options, tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    size = 32 if name in EVEN else 33
    model = randomised(build(name, **options))
    x = seen(model, images(name, 2, size))
    torch.onnx.export(model.to_plain(), (x,), tmp_path / "model.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(answer), model(x).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["e2resnet", "e2vit", "e2convnext", "orbitnet"])
def test_images_are_taken_by_name_and_nothing_else_is(name):
    torch.manual_seed(0)
    model, size = build(name).eval(), 64 if name.startswith(("e2v", "e2c")) else 65
    x = torch.rand(2, 1, size, size)
    torch.testing.assert_close(model(x=x), model(x))
    for wrong in (x[0], x[0, 0]):
        with pytest.raises(ValueError, match=rf"images .B, C, H, W. .got the shape .*{size}"):
            model(wrong)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.torch.jit.trace")
@pytest.mark.parametrize(("name", "size"), [("e2resnet", 33), ("e2resnet18", 65), ("e2vit", 64), ("e2convnext", 64)])
def test_a_network_is_traced_as_it_is(name, size):
    torch.manual_seed(0)
    model = build(name).eval()
    x, other = torch.rand(2, 1, size, size), torch.rand(3, 1, size, size)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.trace(model, (x,))(other), model(other))


def test_the_warning_of_a_size_names_the_line_that_gave_it():
    model = build("e2resnet").eval()
    with pytest.warns(UserWarning, match="the nearest exact size is 65 x 65") as told:
        model(torch.rand(1, 1, 64, 64))
    assert told[0].filename == __file__
