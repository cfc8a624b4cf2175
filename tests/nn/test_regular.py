"""Regular layers: exact equivariance where the group keeps the grid, a bound where it does not."""

import pytest
import torch

from equisym.groups import C, D, PointGroup, trivial
from equisym.nn import (
    FieldType,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupPool2d,
    GroupResidualBlock,
    LiftConv2d,
    SteerableConv2d,
    act,
)
from equisym.nn.input_transform_conv import turning_is_cheaper
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


@pytest.mark.parametrize("group", [C(2), C(4), D(1), D(4)], ids=str)
@pytest.mark.parametrize(
    ("kernel_size", "options", "size"),
    [
        (3, {"padding": 1}, 3),
        (3, {"stride": 2, "padding": 1, "groups": 2}, 5),
        (5, {"dilation": 2, "padding": 4}, 4),
        (1, {"stride": 2}, 3),
    ],
)
def test_turning_the_input_is_turning_the_kernels(group, kernel_size, options, size):
    """Wide layers on small maps take another road to the same numbers and gradients."""
    torch.manual_seed(0)
    conv = GroupConv2d(16, 16, kernel_size, group=group, **options).double()
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(1, 16 * group.order, size, size, dtype=torch.float64, requires_grad=True)
    plan = {k: getattr(conv, k) for k in ("group", "kernel_size", "stride", "padding", "dilation")}
    assert turning_is_cheaper(x, conv.weight, **plan)
    found = []
    for layer in (conv, conv.to_plain()):
        y = layer(x)
        found.append((y, *torch.autograd.grad(y.square().sum(), [x, *([conv.weight] if layer is conv else [])])))
    torch.testing.assert_close(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])
    weight, bias = conv.filters()
    y = torch.nn.functional.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
    torch.testing.assert_close(found[0][2], torch.autograd.grad(y.square().sum(), [conv.weight])[0])


def test_the_input_is_not_turned_where_that_would_be_another_function():
    group = C(4)
    plan = {"group": group, "kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1}
    conv = GroupConv2d(16, 16, 3, group=group, stride=2, padding=1)
    for shape, turned in (((5, 5), True), ((4, 4), False), ((5, 3), False), ((65, 65), False)):
        x = torch.randn(1, 64, *shape)
        assert turning_is_cheaper(x, conv.weight, **plan) is turned, shape
        torch.testing.assert_close(conv(x), conv.to_plain()(x), rtol=1e-4, atol=1e-4)
    assert not turning_is_cheaper(torch.randn(1, 96, 5, 5), conv.weight, **{**plan, "group": C(6)})


def test_a_single_map_is_not_turned():
    conv = GroupConv2d(16, 16, 3, group=D(4), padding=1)
    x = torch.randn(1, 128, 2, 2)
    torch.testing.assert_close(conv(x[0]), conv(x)[0], rtol=1e-4, atol=1e-4)


def test_compiled_wide_layers_turn_the_input_and_exported_ones_leave_the_batch_free():
    torch.manual_seed(0)
    group = D(4)
    conv = GroupConv2d(16, 16, 3, group=group, padding=1).eval()
    x = torch.randn(2, 128, 3, 3)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(conv, fullgraph=True, backend="eager")(x), conv(x))
    free = ({0: torch.export.Dim("batch", min=1, max=512)},)
    program = torch.export.export(conv, (x,), dynamic_shapes=free).module()
    for batch in (1, 2, 40):
        x = torch.randn(batch, 128, 3, 3)
        torch.testing.assert_close(program(x), conv(x), rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize("group", [C(1), D(2), D(4), C(6), D(3)], ids=str)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_steerable_weights_are_those_of_the_steerable_layer(group, kernel_size):
    """The same kernels, the same number of weights; and any filters of the layer give its weights back."""
    torch.manual_seed(0)
    for own, inner in (
        (LiftConv2d(2, 3, kernel_size, group=group, basis="steerable"), FieldType.of((2, trivial(group)))),
        (GroupConv2d(2, 3, kernel_size, group=group, basis="steerable"), FieldType.regular(group, 2)),
    ):
        own = own.double()
        other = SteerableConv2d(inner, FieldType.regular(group, 3), kernel_size).double()
        filters, _ = own.filters()
        assert own.weight.numel() == other.weight.numel()
        assert other.load_filters(filters) < 1e-12
        torch.testing.assert_close(own.kernel.project(filters), own.weight.detach())


@pytest.mark.parametrize("basis", ["pixels", "circular", "steerable"])
def test_layers_begin_with_twice_the_mean_square(basis):
    """He's initialisation: a ReLU takes half of it."""
    torch.manual_seed(0)
    for layer in (
        LiftConv2d(24, 24, 5, group=D(4), basis=basis, bias=False),
        GroupConv2d(12, 12, 3, group=D(4), basis=basis, bias=False),
    ):
        assert layer.filters()[0].square().sum((1, 2, 3)).mean().item() == pytest.approx(2, rel=0.1)


def test_steerable_weights_on_turned_inputs():
    """A layer whose filters are larger than its maps turns its input instead: the same numbers."""
    torch.manual_seed(0)
    conv = GroupConv2d(16, 16, 3, group=D(4), padding=1, basis="steerable").double()
    x = torch.randn(1, 128, 3, 3, dtype=torch.float64)
    plan = {"group": D(4), "kernel_size": 3, "stride": 1, "padding": 1, "dilation": 1}
    assert turning_is_cheaper(x, conv.weight, **plan)
    torch.testing.assert_close(conv(x), conv.to_plain()(x))


@pytest.mark.filterwarnings("ignore:.*jit.script:FutureWarning", "ignore:.*jit.script:DeprecationWarning")
def test_gradients_of_the_expansion_are_those_of_scattering():
    torch.manual_seed(0)
    layer = GroupConv2d(2, 2, 3, group=D(4), padding=1, basis="pixels").double()
    order, index = 8, layer.kernel.index.view(8, -1)

    def scattered(weight):
        flat = weight.flatten(2)[:, None].expand(-1, order, -1, -1)
        return flat.gather(3, index[None, :, None].expand(flat.shape)).reshape(16, 16, 3, 3)

    for last in (False, True):
        own = layer.kernel(layer.weight, channels_last=last)
        torch.testing.assert_close(own, scattered(layer.weight))
        assert own.is_contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        weights = torch.randn_like(own)
        found, right = (
            torch.autograd.grad((f * weights).sum(), layer.weight)[0] for f in (own, scattered(layer.weight))
        )
        torch.testing.assert_close(found, right)
    assert torch.autograd.gradcheck(lambda w: layer.kernel(w), layer.weight, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda w: layer.kernel(w).square(), layer.weight)


def test_autocast_casts_the_weights_not_the_filters():
    layer = GroupConv2d(2, 2, 3, group=D(4))
    with torch.autocast("cpu", torch.bfloat16):
        filters, _ = layer.filters()
        assert filters.dtype == torch.bfloat16
        assert layer.to_plain().weight.dtype == torch.float32
    filters.float().square().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("side", [32, 33])
def test_an_eighth_of_a_turn_carries_a_wave_to_the_turned_wave(side):
    y, x = torch.meshgrid(*[torch.arange(side, dtype=torch.float64) - (side - 1) / 2] * 2, indexing="ij")
    diagonal = (x - y) * 0.5**0.5  # y points down: up and to the right
    inside = x**2 + y**2 < (side / 2 - 2) ** 2
    turned = act(torch.cos(0.3 * x)[None, None], 1, C(8), regular=False)[0, 0]
    assert (turned - torch.cos(0.3 * diagonal))[inside].abs().max() < 0.02
