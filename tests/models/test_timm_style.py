"""What users of timm expect of a network: features, heads, a registry."""

import pytest
import timm
import torch

from equisym.groups import D
from equisym.models import build, register_in_timm, stages
from equisym.testing import assert_equivariant

SMALL = [
    ("e2resnet", {"width": 2, "pool": "max"}, 33),
    ("e2vit", {"width": 6, "depth": 1}, 64),
    ("e2convnext", {"width": (2, 4), "depths": (1, 1)}, 64),
]
WITHOUT_FIELDS = [("crystal", {}, 48), ("fpn_resnet50", {"backbone": "resnet18"}, 64), ("timm/resnet18", {}, 64)]
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


@pytest.mark.parametrize(("name", "options", "size"), [*OTHERS, *WITHOUT_FIELDS], ids=str)
def test_the_last_layer_is_replaced_wherever_it_is(name, options, size):
    model = build(name, **options).eval()
    model.reset_classifier(3)
    assert model.get_classifier().out_features == 3
    x = torch.rand(2, 1, size, size)
    assert model(x).shape == (2, 3)
    model.reset_classifier(0)
    assert model(x).shape[1] > 3
    model.reset_classifier(17)
    assert model(x).shape == (2, 17)


def test_an_answer_that_cannot_be_another_is_refused():
    tree = build("e2resnet", head="tree", width=2).eval()
    before = tree.network.get_classifier().weight
    tree.reset_classifier(17)
    assert not torch.equal(tree.network.get_classifier().weight, before)
    assert tree(torch.rand(2, 1, 33, 33)).shape == (2, 17)
    with pytest.raises(ValueError, match="a tree head answers with the 17 groups .got num_classes=5"):
        tree.reset_classifier(5)
    symnet = build("symnet")
    symnet.reset_classifier(17)
    with pytest.raises(ValueError, match="symnet has no last layer to replace"):
        symnet.reset_classifier(5)


def test_fields_of_every_stage_rotate_with_the_image():
    torch.manual_seed(0)
    model = build("e2resnet", width=2).double().eval()
    x = torch.rand(1, 1, 33, 33, dtype=torch.float64)
    maps = model.forward_intermediates(x, intermediates_only=True)
    assert [m.shape[-1] for m in maps] == [17, 9, 5]
    for stage in range(3):
        assert_equivariant(lambda x, stage=stage: model.forward_intermediates(x)[1][stage], x, group=D(4))
    with pytest.raises(ValueError, match='forward_head needs pool="max"'):
        model.forward_head(maps[-1])


def test_timm_builds_our_networks():
    assert {"e2resnet18", "e2vit", "e2convnext"} <= set(register_in_timm())
    model = timm.create_model("e2resnet", num_classes=5, in_chans=3, drop_rate=0.1, width=2)
    assert model(torch.rand(2, 3, 33, 33)).shape == (2, 5)
    assert "e2resnet18" in timm.list_models("e2*")
    trained = timm.create_model("e2resnet", pretrained=True)
    torch.testing.assert_close(trained.state_dict(), build("e2resnet", pretrained=True).state_dict())
    trained.reset_classifier(0)
    x = torch.rand(2, 1, 65, 65)
    for classes in (5, 0):
        tuned = timm.create_model("e2resnet", pretrained=True, num_classes=classes).eval()
        assert tuned.num_classes == classes
        assert tuned(x).shape == (2, classes or tuned.num_features)
        tuned.reset_classifier(0)
        torch.testing.assert_close(tuned(x), trained(x))
    with pytest.raises(ValueError, match="for grey images"):
        timm.create_model("e2resnet", pretrained=True, in_chans=3)


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


MEAN_AND_MAXIMUM = ("avg", "max", "catavgmax")
POOLED = [
    ("e2resnet18", {"width": 2}, 65, MEAN_AND_MAXIMUM),
    ("e2densenet", {"growth": 2, "layers": (1, 1)}, 33, MEAN_AND_MAXIMUM),
    ("rkcnn", {"width": 2, "rotations": 4}, 33, MEAN_AND_MAXIMUM),
    ("orbitnet", {"width": 2, "stages": 2}, 33, MEAN_AND_MAXIMUM),
    ("filternet", {"filters": 1, "kernel_size": 5, "width": 2}, 33, MEAN_AND_MAXIMUM),
    ("e2vit", {"width": 6, "depth": 1}, 64, ("avg",)),
    ("e2convnext", {"width": (2, 4), "depths": (1, 1)}, 64, ("avg",)),
]


@pytest.mark.parametrize(("name", "options", "size", "pools"), POOLED, ids=str)
def test_maps_are_pooled_as_timm_says(name, options, size, pools):
    torch.manual_seed(0)
    register_in_timm()
    x = torch.rand(2, 1, size, size)
    for pool in pools:
        model = timm.create_model(name, in_chans=1, num_classes=3, global_pool=pool, **options).eval()
        assert model(x).shape == (2, 3)
        maps = model.forward_features(x)
        torch.testing.assert_close(model.forward_head(maps), model(x))
        model.reset_classifier(0, "")
        torch.testing.assert_close(model(x), maps)
        assert model.num_features == maps.shape[2 if name == "e2vit" else 1]
        model.reset_classifier(4, pool)
        assert model(x).shape == (2, 4)
    bare = timm.create_model(name, in_chans=1, num_classes=0, global_pool="", **options).eval()
    torch.testing.assert_close(bare(x), bare.forward_features(x))
    with pytest.raises(ValueError, match="global_pool must be .* .got 'median'"):
        timm.create_model(name, in_chans=1, global_pool="median", **options)
    with pytest.raises(ValueError, match="maps, which have no classes .got 4.: give 0"):
        timm.create_model(name, in_chans=1, num_classes=4, global_pool="", **options)


def test_means_and_maxima_over_the_pixels():
    register_in_timm()
    found, x = {}, torch.ones(1, 1, 33, 33).cumsum(-1)
    for pool in MEAN_AND_MAXIMUM:
        torch.manual_seed(0)
        model = timm.create_model("e2resnet", width=2, num_classes=0, global_pool=pool).eval()
        found[pool] = model(x)
        maps = model.pool(model.forward_features(x))
    torch.testing.assert_close(found["avg"], maps.mean((2, 3)))
    torch.testing.assert_close(found["max"], maps.amax((2, 3)))
    torch.testing.assert_close(found["catavgmax"], torch.cat([found["avg"], found["max"]], 1))


INTERMEDIATES = [
    ("e2resnet18", {"width": 2}, 65, [17, 9, 5, 3]),
    ("rkcnn", {"width": 2, "rotations": 4}, 33, [17, 9, 5]),
    ("filternet", {"filters": 1, "kernel_size": 5, "width": 2}, 33, [17, 9, 5]),
    ("e2vit", {"width": 6, "depth": 3}, 64, [8, 8, 8]),
    ("e2convnext", {"width": (2, 4), "depths": (1, 2)}, 64, [16, 8]),
]


@pytest.mark.parametrize(("name", "options", "size", "sides"), INTERMEDIATES, ids=str)
def test_intermediates_are_chosen_as_in_timm(name, options, size, sides):
    torch.manual_seed(0)
    model, count = build(name, **options).double().eval(), len(sides)
    x = torch.rand(1, 1, size, size, dtype=torch.float64)
    features, maps = model.forward_intermediates(x)
    assert [m.shape[-2:] for m in maps] == [(side, side) for side in sides]
    torch.testing.assert_close(features, model.forward_features(x))
    some = model.forward_intermediates(x, indices=(-1, 0), intermediates_only=True)
    torch.testing.assert_close(some, [maps[0], maps[-1]])
    torch.testing.assert_close(model.forward_intermediates(x, indices=2, intermediates_only=True), maps[-2:])
    early, (first,) = model.forward_intermediates(x, indices=[0], stop_early=True)
    torch.testing.assert_close(first, maps[0])
    assert early.shape != features.shape or not torch.equal(early, features)
    if name not in ("filternet", "rkcnn"):
        for stage in range(count):
            assert_equivariant(
                lambda x, stage=stage: model.forward_intermediates(x, norm=True)[1][stage], x, group=model.group
            )
    with pytest.raises(ValueError, match=rf"indices must be some of 0 .. {count - 1} .got .7,"):
        model.forward_intermediates(x, indices=(7,))
    with pytest.raises(ValueError, match=r"indices must be .* .got 7"):
        model.forward_intermediates(x, indices=7)
    with pytest.raises(ValueError, match="output_fmt must be 'NCHW' .got 'NLC'"):
        model.forward_intermediates(x, output_fmt="NLC")


def test_a_network_without_stages_says_so():
    with pytest.raises(ValueError, match="OrbitNet has no stages of fields"):
        build("orbitnet", width=2, stages=2).forward_intermediates(torch.rand(1, 1, 33, 33))


CHECKPOINTED = [
    ("e2resnet18", {"width": 1}, 65, 8),
    ("e2resnet50", {"width": 1, "pool": "max"}, 65, 16),
    ("e2wideresnet", {"width": 1, "depth": 10}, 33, 3),
    ("e2densenet", {"growth": 2, "layers": (2, 1)}, 33, 3),
    ("filternet", {"filters": 1, "kernel_size": 5, "width": 2}, 33, 3),
    ("e2vit", {"width": 6, "depth": 2}, 64, 2),
    ("e2convnext", {"width": (2, 4), "depths": (1, 1)}, 64, 2),
]


@pytest.mark.parametrize(("name", "options", "size", "blocks"), CHECKPOINTED, ids=str)
def test_blocks_are_computed_again_for_the_same_gradients(name, options, size, blocks, monkeypatch):
    torch.manual_seed(0)
    model, x = build(name, **options).double(), torch.rand(2, 1, size, size, dtype=torch.float64)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    calls, compute = [], stages.checkpoint
    monkeypatch.setattr(stages, "checkpoint", lambda *args, **named: calls.append(1) or compute(*args, **named))
    found = []
    for enable in (False, True):
        model.load_state_dict(state)
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(x).square().sum().backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(calls) == blocks
    torch.testing.assert_close(found[1], found[0])
    calls.clear()
    with torch.no_grad():
        model(x)
    assert not calls


def test_checkpointing_needs_blocks():
    model = build("rkcnn", width=1)
    model.set_grad_checkpointing(False)
    with pytest.raises(ValueError, match="ConvNet has no blocks"):
        model.set_grad_checkpointing()


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
    last = timm.create_model("e2resnet18", features_only=True, out_indices=(-1,), **options)
    assert last.feature_info.channels() == [16 * 8]
    steps = timm.create_model("e2convnext", features_only=True, width=(2, 4), depths=(1, 1), in_chans=1)
    assert [m.shape[-1] for m in steps(torch.rand(1, 1, 64, 64))] == [16, 8]
    assert steps.feature_info.reduction() == [4, 8]
    with pytest.raises(ValueError, match=r"out_indices must be some of 0 .. 3 .got .4,"):
        timm.create_model("e2resnet18", features_only=True, out_indices=(4,), **options)
    with pytest.raises(ValueError, match="features_only needs stages of fields .got E2ViT"):
        timm.create_model("e2vit", features_only=True, width=6, depth=1)
