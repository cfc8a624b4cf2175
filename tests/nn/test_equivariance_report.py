import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from equisym.groups import C, D
from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupPool2d, LiftConv2d
from equisym.testing import equivariance_errors, equivariance_report


def network(group, *, plain_inside=False):
    middle = nn.Conv2d(2 * group.order, 2 * group.order, 3, padding=1)
    return nn.Sequential(
        LiftConv2d(1, 2, 3, group=group, padding=1),
        nn.ReLU(inplace=True),
        middle if plain_inside else GroupConv2d(2, 2, 3, group=group, stride=2, padding=1),
        GroupBatchNorm2d(2, group=group),
        GroupPool2d(group=group),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 3),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_every_layer_with_its_action_and_the_models_own_error(dtype):
    torch.manual_seed(0)
    group, x = D(4), torch.randn(2, 1, 9, 9, dtype=dtype)
    model = network(group).to(dtype).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    report = equivariance_report(model, x, group=group)
    assert report.kinds == ("regular",) * 4 + ("image", "image", "invariant", "invariant")
    assert report.errors.shape == (8, 8)
    assert report.errors.max() < (1e-12 if dtype == torch.float64 else 1e-5)
    assert report.broken_by() is None
    whole = equivariance_errors(model.eval(), x, group=group, output="invariant")
    torch.testing.assert_close(report.errors[-1], whole)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()), "a report changes no statistics"


def test_the_layer_that_breaks_is_named():
    torch.manual_seed(0)
    group = D(4)
    report = equivariance_report(network(group, plain_inside=True), torch.randn(1, 1, 9, 9), group=group)
    assert report.broken_by() == "2 Conv2d"
    assert report.errors[:2].max() < 1e-5 < 1e-2 < report.errors[2, 1:].min()
    even = equivariance_report(network(group).train(), torch.randn(1, 1, 8, 8), group=group)
    assert even.broken_by() == "2 GroupConv2d"
    assert even.worst > 1e-3


def test_table_and_picture():
    report = equivariance_report(network(D(2)), torch.randn(1, 1, 9, 9), group=D(2))
    lines = str(report).splitlines()
    assert lines[0].split() == ["layer", "acts", "as", "r", "s", "r", "s"]
    assert len(lines) == 1 + 8
    assert lines[1].split()[:3] == ["0", "LiftConv2d", "regular"]
    axes = report.plot()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["r", "s", "r s"]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(report.layers)
    plt.close(axes.figure)


def test_turns_off_the_grid_are_measured_too():
    torch.manual_seed(0)
    x = nn.functional.interpolate(torch.randn(1, 1, 7, 7, dtype=torch.float64), 33, mode="bicubic")
    layer = LiftConv2d(1, 2, 5, group=C(8), padding=2).double()
    errors = equivariance_report(layer, x, group=C(8)).errors[0]
    assert errors[::2].max() < 1e-12
    assert 1e-4 < errors[1::2].min() < errors.max() < 0.1


class Two(nn.Module):
    """Two answers, as detectors give."""

    def __init__(self):
        super().__init__()
        self.lift = LiftConv2d(1, 2, 3, group=C(4))

    def forward(self, x):
        return {"maps": self.lift(x), "size": x.shape}


def test_layers_of_a_model_with_several_answers():
    report = equivariance_report(Two(), torch.randn(1, 1, 9, 9), group=C(4))
    assert report.layers == ("lift LiftConv2d",)
    assert report.worst < 1e-5


def test_bad_arguments():
    with pytest.raises(ValueError, match="image or regular .got 'field'"):
        equivariance_report(nn.ReLU(), torch.zeros(1, 1, 3, 3), group=C(4), input="field")
    with pytest.raises(ValueError, match="square maps .got 3 x 4"):
        equivariance_report(nn.ReLU(), torch.zeros(1, 1, 3, 4), group=C(4))
