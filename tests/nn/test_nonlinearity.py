import math

import pytest
import torch

from equisym.groups import O2, SO2, C, D, irrep, regular
from equisym.nn import (
    FieldDropout2d,
    FieldType,
    FourierNonlinearity,
    NormMaxPool2d,
    PointwiseNonlinearity,
    Restrict2d,
    RestrictRegular2d,
)


@pytest.mark.parametrize("group", [SO2, O2], ids=str)
def test_fourier_error_falls_with_the_samples(group):
    torch.manual_seed(0)
    errors = []
    for samples in (8, 16, 64):
        layer = FourierNonlinearity(3, group=group, max_frequency=2, samples=samples).double()
        x = torch.randn(1, layer.field_type.size, 4, 4, dtype=torch.float64)
        turned = [layer.field_type.act_on_channels(v, 0.3) for v in (x, layer(x))]
        errors.append(((layer(turned[0]) - turned[1]).abs().max() / layer(x).abs().max()).item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-2


def test_fourier_of_the_identity_function_is_the_identity():
    for group, samples in ((SO2, 8), (O2, 8), (C(5), None), (D(3), None), (C(4), None), (D(8), None)):
        layer = FourierNonlinearity(2, group=group, max_frequency=2, samples=samples, function=lambda v: v).double()
        x = torch.randn(1, layer.field_type.size, 2, 2, dtype=torch.float64)
        torch.testing.assert_close(layer(x), x, atol=1e-12, rtol=0)


def test_norm_pool_takes_the_longest_vector():
    layer = NormMaxPool2d(FieldType.of((1, irrep(SO2, 1))), 2)
    x = torch.zeros(1, 2, 2, 2)
    x[0, :, 1, 0] = torch.tensor([-3.0, 4.0])
    x[0, :, 0, 1] = torch.tensor([4.0, 1.0])
    assert layer(x).flatten().tolist() == [-3.0, 4.0]


def test_dropout_drops_whole_fields_at_the_right_rate():
    torch.manual_seed(0)
    layer = FieldDropout2d(FieldType.regular(C(4), 500), 0.3)
    y = layer(torch.ones(4, 2000, 2, 2)).unflatten(1, (500, 4))
    assert all(len(field.unique()) == 1 for field in y.flatten(0, 1)[:100])
    assert abs((y == 0).float().mean().item() - 0.3) < 0.05
    assert abs(y.mean().item() - 1) < 0.1


def test_restricted_regular_fields_move_as_the_subgroup():
    group, inner = D(4), C(2)
    x = torch.randn(1, 16, 3, 3)
    layer = RestrictRegular2d(2, group=group, to=inner)
    turned = FieldType.regular(group, 2).act_on_channels(x, math.pi)
    torch.testing.assert_close(layer(turned), FieldType.regular(inner, 8).act_on_channels(layer(x), math.pi))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PointwiseNonlinearity(FieldType.of((1, irrep(C(4), 1)))), "permutes"),
        (lambda: FourierNonlinearity(1, group=SO2, max_frequency=3, samples=6), "at least 7 .*got 6"),
        (lambda: FourierNonlinearity(1, group=C(5), max_frequency=1, samples=8), "must be 5, all of C5 .got 8"),
        (lambda: FieldDropout2d(FieldType.regular(C(4), 1), 1.0), "below 1 .got 1.0"),
        (lambda: RestrictRegular2d(1, group=C(4), to=D(2)), "D2 is not a subgroup of C4"),
        (lambda: Restrict2d(FieldType.of((1, regular(C(4)))), to=C(3)), "C3 is not a subgroup of C4"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_fourier_of_frequency_0_sees_the_mean_alone():
    layer = FourierNonlinearity(2, group=SO2, max_frequency=0, samples=1)
    x = torch.randn(1, 2, 3, 3)
    torch.testing.assert_close(layer(x), x.relu())
