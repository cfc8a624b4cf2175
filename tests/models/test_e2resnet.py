"""The residual networks: invariance at exact sizes, the warning elsewhere, export, registry."""

import copy
import pickle
import sys
import warnings

import pytest
import torch

from equisym.groups import D
from equisym.models import build, list_archs
from equisym.testing import equivariance_error


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """Running statistics and scales as after training, so that the comparison means something."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize("size", [65, 129, 225])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["f32", "f64"])
def test_e2resnet18_is_invariant_at_exact_sizes(size, dtype, bound):
    model = randomised(build("e2resnet18", group="D4", width=4)).to(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = equivariance_error(model, torch.rand(1, 1, size, size, dtype=dtype), group=D(4), output="invariant")
    assert error < bound


@pytest.mark.parametrize(("size", "nearest"), [(64, 65), (224, 225)])
def test_inexact_sizes_are_told_once(size, nearest):
    model = randomised(build("e2resnet18", width=2))
    with pytest.warns(UserWarning, match=rf"{size} x {size} pixels is not exact for D4.*exact size is {nearest} x"):
        model(torch.rand(1, 1, size, size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.rand(1, 1, size, size))


def test_brightness_and_contrast_do_not_matter():
    model = randomised(build("e2resnet", width=2)).double()
    x = torch.rand(2, 1, 65, 65, dtype=torch.float64)
    torch.testing.assert_close(model(x), model(0.3 * x + 0.2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"group": "C8"}, {"group": "C1", "width": 12}], ids=str)
def test_to_plain_needs_torch_alone(options):
    model = randomised(build("e2resnet", **({"width": 3} | options)))
    plain = model.to_plain()
    x = torch.rand(2, 1, 65, 65)
    torch.testing.assert_close(plain(x), model(x))
    assert all(type(module).__module__.startswith("torch.") for module in plain.modules())
    assert "equisym" not in {name.split(".")[0] for name in _modules_named_in(pickle.dumps(plain))}


def _modules_named_in(blob: bytes) -> set[str]:
    return {name for name in sys.modules if name.startswith("equisym") and name.encode() in blob}


def test_copies_and_pickles():
    model = randomised(build("e2resnet", width=2))
    x = torch.rand(1, 1, 65, 65)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(twin(x), model(x))


def test_state_holds_parameters_and_running_statistics_only():
    state = build("e2resnet", width=2).state_dict()
    assert all(name.rsplit(".", 1)[-1] in TRUE_STATE for name in state), list(state)


TRUE_STATE = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def test_registry():
    assert {"e2resnet", "e2resnet18", "resnet50", "densenet161"} <= set(list_archs())
    assert build("timm/resnet18", num_classes=5)(torch.rand(2, 1, 64, 64)).shape == (2, 5)
    with pytest.raises(ValueError, match="arch must be one of .*e2resnet.*got 'e2resnet99'"):
        build("e2resnet99")
    with pytest.raises(ValueError, match="e2resnet has no option 'depth': it takes group, width"):
        build("e2resnet", depth=3)
    with pytest.raises(ValueError, match="timm has no model 'resnet5000'"):
        build("timm/resnet5000")


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("e2resnet18", {"width": 1, "pool": "max"}, 64),
        ("e2resnet18", {"width": 1, "pool": "max"}, 224),
        ("e2resnet50", {"width": 1, "pool": "max", "group": "C4"}, 64),
        ("e2resnet", {"width": 2}, 64),
        ("e2resnet", {"width": 2, "conv": "separable"}, 40),
        ("e2wideresnet", {"width": 1, "depth": 10}, 32),
    ],
    ids=str,
)
def test_even_kernels_make_even_sizes_exact(name, options, size):
    torch.manual_seed(0)
    model = randomised(build(name, exact_at=size, **options)).double()
    assert model.nearest_exact_size(size) == size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = torch.rand(1, 1, size, size, dtype=torch.float64)
        assert equivariance_error(model, x, group=model.group, output="invariant") < 1e-10


BAD_OPTIONS = [
    ("e2resnet18", {"exact_at": 64, "group": "D6"}, "exact_at must be 1 modulo 32 for D6 .got 64.: .*; use 65"),
    ("e2wideresnet", {"exact_at": 64, "group": "C8"}, "exact_at must be 1 modulo 4 for C8"),
    ("e2resnet", {"exact_at": 64, "conv": "band-limited"}, "exact_at must be 1 modulo 8 for circular kernels"),
    ("e2resnet", {"exact_at": 64.5}, "exact_at must be a whole number"),
    ("e2resnet", {"width": 0}, "width must be at least 1 .got 0"),
    ("e2resnet", {"blocks": 3}, "blocks must be a list of whole numbers, one for each stage .got 3"),
    ("e2resnet", {"blocks": ()}, "blocks must have a number for each stage"),
    ("e2resnet", {"stem_kernel": 4}, "stem_kernel must be odd .got 4.: use 3 or 5"),
    ("e2densenet", {"growth": 0}, "growth must be at least 1"),
    ("e2densenet", {"layers": (2, 0)}, "layers must be at least 1"),
    ("e2vit", {"heads": 0}, "heads must be at least 1"),
    ("e2vit", {"patch": 0}, "patch must be at least 1"),
    ("e2vit", {"size": 4}, "size must be at least 8 .got 4"),
    (
        "e2convnext",
        {"width": (2, 4)},
        r"width and depths must have a number for each stage .got \(2, 4\) and ",
    ),
    ("msrnet", {"kernel_size": 4}, "kernel_size must be odd .got 4"),
    ("orbitnet", {"stages": 0}, "stages must be at least 1"),
    ("filternet", {"filters": 0}, "filters must be at least 1"),
    ("symnet", {"hidden": 0}, "hidden must be at least 1"),
    ("fpn_resnet50", {"channels": 0}, "channels must be at least 1"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD_OPTIONS, ids=str)
def test_a_bad_option_is_called_by_its_own_name(name, options, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        build(name, **options)


def test_a_size_that_no_layout_makes_exact():
    with pytest.raises(ValueError, match="0 or 1 modulo 32 .got 100.: use 96 or 97"):
        build("e2resnet18", exact_at=100)
    assert build("e2resnet18", width=1, exact_at=225).nearest_exact_size(224) == 225
