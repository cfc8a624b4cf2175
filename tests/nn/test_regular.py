"""Regular layers: exact equivariance where the group keeps the grid, a bound where it does not."""

import pytest
import torch

from equisym.groups import C, D, PointGroup
from equisym.nn import (
    GroupBatchNorm2d,
    GroupConv2d,
    GroupPool2d,
    GroupResidualBlock,
    LiftConv2d,
    act,
)
from equisym.testing import assert_equivariant, equivariance_error

EXACT = [C(1), C(2), C(4), D(1), D(2), D(4)]
APPROXIMATE = [C(3), C(6), C(8), D(3), D(6), D(8)]


def smooth_image(channels: int, size: int = 33) -> torch.Tensor:
    """Band-limited noise, which interpolation turns faithfully."""
    spectrum = torch.fft.fft2(torch.randn(1, channels, size, size, dtype=torch.float64))
    frequency = torch.fft.fftfreq(size)
    low = (frequency[:, None] ** 2 + frequency**2).sqrt() < 0.1
    return torch.fft.ifft2(spectrum * low).real


@pytest.mark.parametrize("group", EXACT, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_lift_and_group_conv_are_exact(group, dtype, kernel_size):
    lift = LiftConv2d(2, 3, kernel_size, group=group, padding=kernel_size // 2).to(dtype)
    conv = GroupConv2d(3, 2, kernel_size, group=group, stride=2, padding=kernel_size // 2).to(dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    x = torch.randn(2, 2, 17, 17, dtype=dtype)
    assert_equivariant(lift, x, group=group, tolerance=tolerance)
    assert_equivariant(conv, lift(x), group=group, input="regular", tolerance=tolerance)


@pytest.mark.parametrize("group", APPROXIMATE, ids=str)
def test_other_angles_are_close_on_smooth_images(group):
    torch.manual_seed(0)
    lift = LiftConv2d(1, 3, 5, group=group, padding=2).double()
    conv = GroupConv2d(3, 2, 5, group=group, padding=2).double()
    x = smooth_image(1)
    assert equivariance_error(lift, x, group=group) < 0.04
    assert equivariance_error(conv, lift(x), group=group, input="regular") < 0.06


@pytest.mark.parametrize("group", APPROXIMATE, ids=str)
def test_other_angles_are_exact_for_the_elements_that_keep_the_grid(group):
    lift = LiftConv2d(1, 2, 5, group=group, padding=2).double()
    x = torch.randn(1, 1, 17, 17, dtype=torch.float64)
    kept = [g for g in range(group.order) if 4 * (g % group.n) % group.n == 0]
    for g in kept:
        torch.testing.assert_close(lift(act(x, g, group, regular=False)), act(lift(x), g, group, regular=True))


@pytest.mark.parametrize("group", [C(4), D(4), D(3)], ids=str)
def test_group_conv_is_its_definition(group):
    """y(g) = sum over h of conv(f(h), weight[g^-1 h] turned by g), written out with loops."""
    torch.manual_seed(0)
    conv = GroupConv2d(2, 1, 3, group=group, bias=False).double()
    x = torch.randn(1, 2 * group.order, 7, 7, dtype=torch.float64)
    filters, _ = conv.filters()
    by_hand = torch.zeros_like(conv(x))
    own = filters.view(group.order, 2, group.order, 3, 3)[0]  # the filters of the identity, (in, h, 3, 3)
    for g in range(group.order):
        for h in range(group.order):
            source = own[:, group.product(group.inverse(g), h)]
            if group.exact_on_grid:
                turned = act(source[None], g, group, regular=False)
                maps = x.view(1, 2, group.order, 7, 7)[:, :, h]
                by_hand[:, g] += torch.nn.functional.conv2d(maps, turned)[:, 0]
    if group.exact_on_grid:
        torch.testing.assert_close(conv(x), by_hand)
    else:  # the pixels do not map to pixels; the elements still permute as the group says
        norms = filters.view(group.order, 2, group.order, -1)
        moved = norms[1][:, torch.from_numpy(group.product_table[1])]
        torch.testing.assert_close(moved.norm(dim=(0, -1)), norms[0].norm(dim=(0, -1)), rtol=0.2, atol=0.05)


@pytest.mark.parametrize("group", EXACT, ids=str)
def test_norm_pooling_and_block(group):
    x = torch.randn(2, 3 * group.order, 9, 9, dtype=torch.float64)
    norm = GroupBatchNorm2d(3, group=group).double()
    norm(x)
    assert_equivariant(norm, x, group=group, input="regular")
    assert_equivariant(norm.eval(), x, group=group, input="regular")
    for reduce in ("max", "mean"):
        pool = GroupPool2d(group=group, reduce=reduce)
        assert_equivariant(pool, x, group=group, input="regular", output="image")
    assert_equivariant(GroupResidualBlock(3, 4, group=group, stride=2).double(), x, group=group, input="regular")


def test_a_block_that_keeps_stride_and_fields_adds_its_input_unchanged():
    block = GroupResidualBlock(2, 2, group=D(4)).eval()
    x = torch.randn(1, 16, 5, 5)
    torch.nn.init.zeros_(block.conv2.weight)
    torch.testing.assert_close(block(x), x.relu(), rtol=1e-4, atol=1e-4)  # the norm divides by sqrt(1 + eps)


def test_batch_norm_matches_torch_on_the_field():
    group = D(4)
    norm, reference = GroupBatchNorm2d(2, group=group), torch.nn.BatchNorm3d(2)
    x = torch.randn(3, 16, 5, 5)
    torch.testing.assert_close(norm(x).view(3, 2, 8, 5, 5), reference(x.view(3, 2, 8, 5, 5)))


@pytest.mark.parametrize("group", [C(4), D(4), C(6), D(8)], ids=str)
def test_to_plain_is_the_same_function(group):
    x = torch.randn(2, 2, 9, 9)
    lift, norm = LiftConv2d(2, 3, 3, group=group, padding=1), GroupBatchNorm2d(3, group=group)
    norm(lift(x))
    norm.eval()
    y = lift(x)
    torch.testing.assert_close(lift.to_plain()(x), y)
    torch.testing.assert_close(norm.to_plain()(y), norm(y))
    for reduce in ("max", "mean"):
        pool = GroupPool2d(group=group, reduce=reduce)
        torch.testing.assert_close(pool.to_plain()(y), pool(y))


def test_free_weights():
    assert LiftConv2d(1, 1, 3, group=D(4), basis="pixels").weight.numel() == 9
    assert GroupConv2d(1, 1, 3, group=C(4), basis="pixels").weight.numel() == 4 * 9
    for basis in (None, "circular"):  # six waves fit into nine pixels
        assert LiftConv2d(1, 1, 3, group=D(4), basis=basis).weight.numel() == 6
        assert GroupConv2d(1, 1, 3, group=D(4), basis=basis).weight.numel() == 8 * 6
    assert GroupConv2d(1, 1, 3, group=C(1)).weight.numel() == 9  # a plain convolution


def test_responses_keep_their_scale_at_initialisation():
    for group in (C(4), D(4), D(6)):
        conv = GroupConv2d(16, 16, 3, group=group, padding=1, bias=False)
        y = conv(torch.randn(2, 16 * group.order, 33, 33))
        assert 0.8 < y.std() / 2**0.5 < 1.25


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"kernel_size must be odd for D6 \(got 4\).*use 3 or 5"):
        LiftConv2d(1, 1, 4, group=D(6))
    with pytest.raises(ValueError, match=r"input must have 16 channels, 2 fields of D4 \(got 15\)"):
        GroupConv2d(2, 1, 3, group=D(4))(torch.zeros(1, 15, 9, 9))
    with pytest.raises(TypeError, match=r"group must be a PointGroup such as D\(4\) \(got 'D4'\)"):
        LiftConv2d(1, 1, 3, group="D4")
    with pytest.raises(ValueError, match=r"stride must be at least 1 \(got 0\)"):
        LiftConv2d(1, 1, 3, group=D(4), stride=0)
    with pytest.raises(ValueError, match="reduce must be 'max' or 'mean'"):
        GroupPool2d(group=D(4), reduce="sum")
    with pytest.raises(ValueError, match=r"multiple of 8 channels, fields of D4 \(got 12\)"):
        GroupPool2d(group=D(4))(torch.zeros(1, 12, 3, 3))
    with pytest.raises(ValueError, match=r"fields must be at least 1 \(got 0\)"):
        GroupBatchNorm2d(0, group=D(4))
    with pytest.raises(TypeError, match="PointGroup"):
        GroupPool2d(group="D4")
    with pytest.raises(ValueError, match="rotations need square maps"):
        act(torch.zeros(1, 1, 4, 5), 1, C(4), regular=False)


def test_repr_is_the_call():
    layer = GroupConv2d(2, 3, 3, group=D(4), stride=2, padding=1, bias=False)
    text = repr(layer).split("\n")[0]
    assert "2, 3, 3, group=D(4), stride=2, padding=1, bias=False" in repr(layer), text


def test_assert_equivariant_catches_a_plain_convolution():
    plain = torch.nn.Conv2d(1, 1, 3, padding=1)
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(plain, torch.randn(1, 1, 9, 9), group=PointGroup.parse("C4"), output="image")


@pytest.mark.parametrize(
    ("group", "to"), [(C(4), C(2)), (D(4), C(4)), (D(4), D(2)), (C(6), C(3)), (D(6), C(2))], ids=str
)
def test_pooling_to_a_subgroup_keeps_its_elements_apart(group, to):
    x = torch.randn(2, 3 * group.order, 4, 4, dtype=torch.float64)
    pool = GroupPool2d(group=group, to=to)
    y = pool(x)
    assert y.shape[1] == 3 * to.order
    torch.testing.assert_close(GroupPool2d(group=to)(y), GroupPool2d(group=group)(x))
    step = group.n // to.n
    for h in range(to.order):  # the same element of the larger group permutes the input
        g = step * (h % to.n) + group.n * (h // to.n)
        moved = x.unflatten(1, (3, -1))[:, :, group.regular_permutation(g)].flatten(1, 2)
        expected = y.unflatten(1, (3, -1))[:, :, to.regular_permutation(h)].flatten(1, 2)
        torch.testing.assert_close(pool(moved), expected)


def test_pooling_to_and_over_are_told_apart():
    assert repr(GroupPool2d(group=D(4), to=C(4))) == "GroupPool2d(group=D(4), to=C(4))"
    with pytest.raises(ValueError, match="not both .got C4 and D1"):
        GroupPool2d(group=D(4), to=C(4), over=D(1))
    with pytest.raises(ValueError, match="C3 is not a subgroup of D4"):
        GroupPool2d(group=D(4), to=C(3))


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 6])
@pytest.mark.parametrize("size", [7, 8, 9, 12])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_exact_exactly_where_the_stride_divides_what_is_left(kernel_size, size, padding):
    layer = LiftConv2d(1, 2, kernel_size, group=D(4), stride=2, padding=padding).double()
    error = equivariance_error(layer, torch.randn(1, 1, size, size).double(), group=D(4))
    assert (error < 1e-10) == ((size + 2 * padding - kernel_size) % 2 == 0)


def test_arguments_of_plain_convolutions():
    layer = LiftConv2d(1, 2, (3, 3), group=D(4), padding="same", padding_mode="circular", dtype=torch.float64)
    assert layer.weight.dtype == torch.float64
    assert layer.extra_repr() == "1, 2, 3, group=D(4), padding=1, padding_mode='circular'"
    x = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(x.roll((2, 1), (-2, -1))), layer(x).roll((2, 1), (-2, -1)))  # a torus
    for arguments, message in (
        ({"kernel_size": (3, 5)}, "two equal ones .got .3, 5."),
        ({"kernel_size": 4, "padding": "same"}, "'same' needs stride 1 and an odd kernel"),
        ({"padding": "full"}, "a number, 'same' or 'valid' .got 'full'"),
        ({"padding_mode": "zero"}, "one of zeros, circular, reflect, replicate .got 'zero'"),
    ):
        with pytest.raises(ValueError, match=message):
            LiftConv2d(1, 2, **{"kernel_size": 3, "group": D(4), **arguments})
    for arguments in ({"kernel_size": "3"}, {"stride": 1.5}, {"dilation": None}, {"padding": True}):
        with pytest.raises(TypeError, match="must be a whole number .got"):
            LiftConv2d(1, 2, **{"kernel_size": 3, "group": D(4), **arguments})
