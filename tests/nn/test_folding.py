"""Any network folded into plain parts: a user's own classes, control flow, mixed layers."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from equisym.groups import SO2, D, irrep, trivial
from equisym.models import build
from equisym.nn import (
    FieldBatchNorm2d,
    FieldType,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupPool2d,
    GroupResidualBlock,
    LiftConv2d,
    NormNonlinearity,
    SteerableConv2d,
    to_plain,
)


class Mine(nn.Module):
    """A user's network, with a branch that no trace could follow."""

    def __init__(self) -> None:
        super().__init__()
        vectors = FieldType.of((2, irrep(SO2, 1)))
        self.vectors = nn.ModuleDict(
            {
                "conv": SteerableConv2d(FieldType.of((1, trivial(SO2))), vectors, 3, padding=1),
                "norm": FieldBatchNorm2d(vectors),
                "relu": NormNonlinearity(vectors),
            }
        )
        group = D(4)
        self.body = nn.Sequential(
            LiftConv2d(1, 2, 3, group=group, padding=1, padding_mode="circular"),
            GroupBatchNorm2d(2, group=group),
            nn.ReLU(),
            GroupResidualBlock(2, 3, group=group),
            GroupPool2d(group=group, to=D(2)),
            GroupPool2d(group=D(2)),
        )
        self.head = nn.Linear(7, 3)

    def forward(self, x):
        vectors = x
        for part in self.vectors.values():
            vectors = part(vectors)
        if x.mean() > 1e6:
            return vectors
        return self.head(torch.cat([vectors, self.body(x)], 1).mean((2, 3)))


def test_a_users_network_is_folded_and_stays_theirs():
    torch.manual_seed(0)
    model = Mine().eval()
    plain = to_plain(model)
    assert type(plain) is Mine
    assert not [m for m in plain.modules() if type(m).__module__.startswith("equisym")]
    x = torch.randn(2, 1, 9, 9)
    torch.testing.assert_close(plain(x), model(x))
    torch.testing.assert_close(copy.deepcopy(plain)(x), model(x))
    assert [type(m) for m in model.body][:1] == [LiftConv2d], "the model itself is as it was"


def test_one_layer_and_a_whole_architecture():
    layer = GroupConv2d(2, 2, 3, group=D(4))
    assert type(to_plain(layer)) is nn.Conv2d
    model = build("e2resnet", width=2).eval()
    x = torch.rand(2, 1, 33, 33)
    torch.testing.assert_close(to_plain(model)(x), model(x))


def test_what_is_shared_is_folded_everywhere_and_stays_shared():
    torch.manual_seed(0)
    conv = GroupConv2d(2, 2, 3, group=D(4), padding=1)
    model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), conv, nn.Sequential(nn.ReLU(), conv), conv).eval()
    plain = to_plain(model)
    assert [type(plain[i]) for i in (0, 1, 3)] == [nn.Conv2d] * 3
    assert plain[1] is plain[2][1] is plain[3]
    x = torch.randn(2, 1, 9, 9)
    torch.testing.assert_close(plain(x), model(x))


class Louder(LiftConv2d):
    """A user's layer with a forward of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


class Twice(Louder):
    """The same with a plain form."""

    def to_plain(self):
        plain = super().to_plain()
        for values in plain.parameters():
            values.data *= 2
        return plain


class Normed(LiftConv2d):
    """A user's layer that makes other filters."""

    def filters(self, *, channels_last=False):
        weight, bias = super().filters(channels_last=channels_last)
        return weight / weight.norm(), bias


def test_layers_of_a_users_class():
    torch.manual_seed(0)
    x = torch.randn(2, 1, 9, 9)
    for layer in (Normed(1, 2, 3, group=D(4)), parametrizations.weight_norm(LiftConv2d(1, 2, 3, group=D(4)))):
        assert type(to_plain(layer)) is nn.Conv2d
        torch.testing.assert_close(to_plain(layer)(x), layer(x))
    louder = Louder(1, 2, 3, group=D(4))
    for model in (louder, nn.Sequential(louder)):
        with pytest.raises(ValueError, match="Louder has a forward of its own"):
            to_plain(model)
    twice = Twice(1, 2, 3, group=D(4))
    torch.testing.assert_close(to_plain(nn.Sequential(twice))(x), twice(x))


def test_hooks_and_pruning_are_kept():
    torch.manual_seed(0)
    model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), GroupConv2d(2, 2, 3, group=D(4)), GroupPool2d(group=D(4)))
    prune.l1_unstructured(model[1], "weight", 0.5)
    seen = []
    model[0].register_forward_hook(lambda layer, args, y: seen.append(y.detach()))
    model[1].register_forward_hook(lambda layer, args, named, y: y + 1, with_kwargs=True)
    model[2].register_forward_pre_hook(lambda layer, args: (args[0] * 3,))
    x = torch.randn(2, 1, 9, 9)
    model(x).square().mean().backward()
    torch.optim.SGD(model.parameters(), 1.0).step()  # the pruned weight is one step behind its own
    plain = to_plain(model)
    torch.testing.assert_close(plain(x), model(x))
    assert len(seen) == 3
    torch.testing.assert_close(seen[1], seen[2])


def test_the_copy_is_in_the_mode_of_the_model():
    model = nn.Sequential(GroupBatchNorm2d(2, group=D(4)), FieldBatchNorm2d(FieldType.regular(D(4), 2)))
    for mode in (True, False):
        assert [part.training for part in to_plain(model.train(mode))] == [mode, mode]


def test_weights_that_are_not_there_are_not_folded():
    with torch.device("meta"):
        model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)))
    with pytest.raises(ValueError, match="meta device, so load them first"):
        to_plain(model)


def test_running_the_pickle_needs_no_equisym(tmp_path):
    model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), GroupResidualBlock(2, 2, group=D(4))).eval()
    (tmp_path / "net").write_bytes(pickle.dumps(to_plain(model)))
    code = "import sys, pickle, torch; m = pickle.load(open('net', 'rb')); m(torch.rand(1, 1, 9, 9))"
    code += "; assert not [n for n in sys.modules if n.startswith('equisym')]"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.filterwarnings("ignore:.*jit:DeprecationWarning", "ignore:.*jit:FutureWarning", "ignore::UserWarning")
def test_folded_networks_script_and_unfolded_ones_trace():
    model = build("e2resnet", width=2, pool="max").eval()
    x = torch.rand(1, 1, 33, 33)
    torch.testing.assert_close(torch.jit.script(to_plain(model))(x), model(x))
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), model(x))


def test_torchvision_takes_features_from_inside():
    from torchvision.models.feature_extraction import create_feature_extractor

    model = build("e2resnet", width=2, pool="max").eval()
    x = torch.rand(1, 1, 33, 33)
    found = create_feature_extractor(model, {"stages": "maps"}, suppress_diff_warning=True)(x)["maps"]
    torch.testing.assert_close(found, model.stages(model.stem(x)))
