"""What users of timm expect of a network: features, heads, a registry."""

import pytest
import timm
import torch

from equisym.groups import D
from equisym.models import build, register_in_timm
from equisym.testing import assert_equivariant

SMALL = [
    ("e2resnet", {"width": 2, "pool": "max"}, 33),
    ("e2vit", {"width": 6, "depth": 1}, 64),
    ("e2convnext", {"width": (2, 4), "depths": (1, 1)}, 64),
]
OTHERS = [("e2resnet", {"width": 2}, 33), ("filternet", {"filters": 1, "kernel_size": 5, "width": 2}, 33)]


@pytest.mark.parametrize(("name", "options", "size"), SMALL, ids=str)
def test_features_then_head_is_the_network(name, options, size):
    torch.manual_seed(0)
    model = build(name, **options).eval()
    x = torch.rand(2, 1, size, size)
    features = model.forward_features(x)
    torch.testing.assert_close(model.forward_head(features), model(x))
    pooled = model.forward_head(features, pre_logits=True)
    torch.testing.assert_close(model.get_classifier()(pooled), model(x))
    model.reset_classifier(3)
    assert model(x).shape == (2, 3)


@pytest.mark.parametrize(("name", "options", "size"), OTHERS, ids=str)
def test_the_last_layer_is_replaced_wherever_it_is(name, options, size):
    model = build(name, **options).eval()
    model.reset_classifier(3)
    assert model.get_classifier().out_features == 3
    assert model(torch.rand(2, 1, size, size)).shape == (2, 3)


def test_fields_of_every_stage_rotate_with_the_image():
    torch.manual_seed(0)
    model = build("e2resnet", width=2).double().eval()
    x = torch.rand(1, 1, 33, 33, dtype=torch.float64)
    maps = model.forward_intermediates(x)
    assert [m.shape[-1] for m in maps] == [17, 9, 5]
    for stage in range(3):
        assert_equivariant(lambda x, stage=stage: model.forward_intermediates(x)[stage], x, group=D(4))
    with pytest.raises(ValueError, match='forward_head needs pool="max"'):
        model.forward_head(maps[-1])


def test_timm_builds_our_networks():
    assert {"e2resnet18", "e2vit", "e2convnext"} <= set(register_in_timm())
    model = timm.create_model("e2resnet", num_classes=5, in_chans=3, drop_rate=0.1, width=2)
    assert model(torch.rand(2, 3, 33, 33)).shape == (2, 5)
    assert "e2resnet18" in timm.list_models("e2*")
    trained = timm.create_model("e2resnet", pretrained=True)
    torch.testing.assert_close(trained.state_dict(), build("e2resnet", pretrained=True).state_dict())
    with pytest.raises(ValueError, match="call reset_classifier for other classes"):
        timm.create_model("e2resnet", pretrained=True, num_classes=5)


@pytest.mark.parametrize(("name", "options", "size"), [*SMALL, *OTHERS], ids=str)
def test_without_classes_the_pooled_features_are_the_answer(name, options, size):
    torch.manual_seed(0)
    register_in_timm()
    model = timm.create_model(name, num_classes=4, in_chans=1, **options).eval()
    bare = timm.create_model(name, num_classes=0, in_chans=1, **options).eval()
    head = model.get_classifier()
    bare.load_state_dict(model.state_dict(), strict=False)
    x = torch.rand(2, 1, size, size)
    features, logits = bare(x), model(x)
    assert features.shape == (2, bare.num_features) == (2, head.in_features)
    torch.testing.assert_close(head(features), logits)
    model.reset_classifier(0)
    torch.testing.assert_close(model(x), features)
    model.reset_classifier(6)
    assert model(x).shape == (2, 6)
    with pytest.raises(ValueError, match="num_classes must be at least 0 .got -1"):
        model.reset_classifier(-1)


def test_features_of_the_stages_as_detectors_take_them():
    torch.manual_seed(0)
    register_in_timm()
    options = {"in_chans": 3, "width": 2}
    model = timm.create_model("e2resnet18", features_only=True, out_indices=(1, 3), **options).double().eval()
    x = torch.rand(1, 3, 65, 65, dtype=torch.float64)
    maps = model(x)
    assert [m.shape[1] for m in maps] == model.feature_info.channels() == [4 * 8, 16 * 8]
    assert model.feature_info.reduction() == [8, 32]
    assert [m.shape[-1] for m in maps] == [9, 3]
    for place in range(2):
        assert_equivariant(lambda x, place=place: model(x)[place], x, group=D(4))
    with pytest.raises(ValueError, match=r"out_indices must be some of 0 .. 3 .got .4,"):
        timm.create_model("e2resnet18", features_only=True, out_indices=(4,), **options)
    with pytest.raises(ValueError, match="features_only needs stages of fields .got E2ViT"):
        timm.create_model("e2vit", features_only=True, width=6, depth=1)
