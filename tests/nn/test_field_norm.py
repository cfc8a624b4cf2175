import pytest
import torch
from torch import nn

from equisym.groups import O2, C, D, irrep, regular, trivial
from equisym.nn import (
    FieldBatchNorm2d,
    FieldGroupNorm2d,
    FieldInstanceNorm2d,
    FieldLayerNorm2d,
    FieldType,
    GroupBatchNorm2d,
)


def test_batch_norm_of_scalars_is_torchs():
    torch.manual_seed(0)
    ours, theirs = FieldBatchNorm2d(FieldType.of((5, trivial(O2)))), nn.BatchNorm2d(5)
    for _ in range(3):
        x = torch.randn(4, 5, 6, 6) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-4)


def test_batch_norm_of_regular_fields_is_the_group_batch_norm():
    ours, theirs = FieldBatchNorm2d(FieldType.regular(D(4), 3)), GroupBatchNorm2d(3, group=D(4))
    x = torch.randn(4, 24, 5, 5) * 2 - 1
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_group_norm_of_regular_fields_is_torchs():
    ours, theirs = FieldGroupNorm2d(2, FieldType.regular(C(4), 6)), nn.GroupNorm(2, 24)
    x = torch.randn(3, 24, 5, 5) * 2 - 1
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_layer_norm_of_mixed_scalars_and_regular_fields_is_torchs():
    fields = FieldType.of((3, trivial(C(4))), (2, regular(C(4))))
    x = torch.randn(3, fields.size, 5, 5) + 2
    expected = torch.layer_norm(x, x.shape[1:])
    torch.testing.assert_close(FieldLayerNorm2d(fields)(x), expected, rtol=1e-4, atol=1e-5)


def test_instance_norm_of_vectors_only_scales_them():
    fields = FieldType.of((2, irrep(O2, 1)))
    x = torch.randn(2, 4, 7, 7) + 5
    y = FieldInstanceNorm2d(fields, affine=False)(x)
    ratio = y / x
    torch.testing.assert_close(ratio, ratio[:, [0, 0, 2, 2], :1, :1].expand_as(ratio), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(y.unflatten(1, (2, 2)).square().mean((2, 3, 4)), torch.ones(2, 2), rtol=1e-3, atol=1e-3)


def test_large_means_lose_no_digits():
    x = torch.randn(4, 8, 9, 9) + 1e4
    y = FieldBatchNorm2d(FieldType.regular(D(4), 1))(x)
    assert abs(y.var().item() - 1) < 1e-2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: FieldGroupNorm2d(3, f), "divide the 4 fields .got 3"),
        (lambda f: FieldBatchNorm2d(f, eps=0.0), "positive .got 0.0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(FieldType.regular(C(4), 4))
