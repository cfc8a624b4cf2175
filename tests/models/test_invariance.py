"""Answers do not change when the image is turned: every architecture, every way of sharing; and the tree's algebra."""

import pytest
import torch
from test_every_arch import randomised

from equisym.groups import WALLPAPER_GROUPS
from equisym.models import TreeSoftmax, build
from equisym.models.sharing import KINDS, Sharing
from equisym.models.tree import labels_at, log_sums
from equisym.nn import GroupConv2d
from equisym.testing import equivariance_errors

CASES = [
    ("e2resnet", {"width": 2, "conv": "separable"}),
    ("e2resnet", {"width": 2, "conv": "steerable", "group": "C4"}),
    ("e2resnet", {"width": 2, "conv": "orbit"}),
    ("e2resnet", {"width": 4, "conv": "rotating", "group": "C4"}),
    ("e2resnet", {"width": 2, "head": "tree"}),
    ("e2resnet", {"width": 2, "group": "D2@45"}),
    ("e2resnet34", {"width": 1}),
    ("e2resnet50", {"width": 1}),
    ("e2wideresnet", {"width": 1, "depth": 10}),
    ("e2densenet", {"growth": 2, "layers": (1, 2)}),
    ("rkcnn", {"width": 2, "rotations": 4}),
    ("orbitnet", {"width": 4, "stages": 2}),
    ("orbitnet", {"width": 4, "stages": 2, "group": "p4g"}),
    ("orbitnet", {"width": 4, "stages": 3, "group": "pmm", "cell": 1}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_answers_do_not_turn(name, options):
    torch.manual_seed(0)
    model = randomised(build(name, **options)).double()
    group = getattr(model, "network", model).group
    assert group.order > 1
    errors = equivariance_errors(model, torch.rand(2, 1, 33, 33).double(), group=group, output="invariant")
    assert errors.max() < 1e-9


@pytest.mark.parametrize("kind", ["plain", "learned"])
def test_a_plain_network_is_not_invariant(kind):
    model = randomised(build("e2resnet", width=2, conv=kind, group="C4"))
    turned = torch.rand(1, 1, 33, 33)
    assert (model(turned) - model(turned.rot90(1, (-2, -1)))).abs().max() > 1e-3


def test_orbit_sharing_has_the_weights_of_the_group_convolution():
    from equisym.groups import D

    layer = Sharing.of("orbit", D(4)).conv(2, 3, 3)
    assert layer.weight.numel() == GroupConv2d(2, 3, 3, group=D(4), basis="pixels").weight.numel()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"conv": "magic"}, "conv must be one of regular, pixels, band-limited, separable"),
        ({"conv": "rotating"}, "rotating kernels only rotate .got D4.: use C4"),
        ({"conv": "orbit", "group": "C6"}, "orbit sharing needs a group that keeps the pixel grid"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"head": "hydra"}, "head must be one of flat, tree"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        build("e2resnet", **({"width": 2} | options))
    assert len(KINDS) == 9


def test_bad_plans():
    with pytest.raises(ValueError, match="depth must be 6 n . 4 .got 11."):
        build("e2wideresnet", width=1, depth=11)
    with pytest.raises(ValueError, match="group must be one of p1 p2 .*got 'p6'"):
        build("orbitnet", group="p6")
    with pytest.raises(ValueError, match="a tree head answers with the 17 groups"):
        build("e2resnet", head="tree", num_classes=3)


def test_the_tree_is_consistent_and_can_say_anything():
    nodes = torch.randn(5, TreeSoftmax.nodes, dtype=torch.float64)
    leaves = TreeSoftmax()(nodes)
    torch.testing.assert_close(leaves.exp().sum(1), torch.ones(5).double())
    orders = log_sums(leaves, labels_at("rotation"))
    torch.testing.assert_close(orders, nodes[:, :5].log_softmax(1))
    for group in WALLPAPER_GROUPS:
        wanted = torch.full((1, TreeSoftmax.nodes), -50.0)
        wanted[0, labels_at("rotation")[group.label]] = 50
        wanted[0, 5 + labels_at("class")[group.label]] = 50
        wanted[0, 15 + group.label] = 50
        assert TreeSoftmax()(wanted).argmax(1).item() == group.label
