"""What the layers of fields compute, value by value, and what they refuse; the contract suite holds their symmetry."""

import math

import pytest
import torch

from equisym.groups import O2, SO2, C, D, induced, irrep, quotient, regular, trivial, vector
from equisym.nn import (
    ConcatenatedNonlinearity,
    DiscMask2d,
    FieldBatchNorm2d,
    FieldBranches2d,
    FieldLinear,
    FieldMagnitude2d,
    FieldMax2d,
    FieldMLP,
    FieldType,
    GatedNonlinearity,
    NormNonlinearity,
    RingBasis,
    SelectFields2d,
    SplitFields2d,
    SteerableConv2d,
    TensorProductNonlinearity,
    Upsample2d,
)
from equisym.testing import assert_equivariant, equivariance_error

SPEED = FieldType.of((3, vector(D(4))))


def maps(field_type: FieldType, side: int = 5) -> torch.Tensor:
    return torch.randn(2, field_type.size, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("function", "expected"),
    [("relu", 4.0), ("softplus", math.log1p(math.exp(4))), ("sigmoid", 1 / (1 + math.exp(-4))), ("squash", None)],
)
def test_norm_nonlinearity_moves_the_length_alone(function, expected):
    layer = NormNonlinearity(FieldType.of((1, irrep(SO2, 1))), function, bias=function != "squash")
    if layer.bias is not None:
        torch.nn.init.constant_(layer.bias, -1)
    y = layer(torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)).flatten()
    length = 5 / 6 if expected is None else expected
    torch.testing.assert_close(y, length * torch.tensor([0.6, -0.8]))


def test_parts_of_an_induced_field_have_lengths_and_gates_of_their_own():
    fields = FieldType.of((1, induced(O2, irrep(SO2, 1))))
    x = torch.tensor([3.0, 4.0, 0.3, 0.4]).view(1, 4, 1, 1)
    assert FieldMagnitude2d(fields, part=2)(x).flatten().tolist() == pytest.approx([5, 0.5])
    kept = NormNonlinearity(fields, part=2)
    torch.nn.init.constant_(kept.bias, -1)
    torch.testing.assert_close(kept(x).flatten(), torch.tensor([2.4, 3.2, 0, 0]))
    gate = GatedNonlinearity(fields, part=2)
    y = gate(torch.cat((x, torch.tensor([0.0, 100.0]).view(1, 2, 1, 1)), 1)).flatten()
    torch.testing.assert_close(y, torch.tensor([1.5, 2.0, 0.3, 0.4]))


def test_each_field_has_its_own_bias():
    fields = FieldType.of((1, irrep(O2, 1)), (1, induced(O2, irrep(SO2, 1))))
    mixed = NormNonlinearity(FieldType.of((1, trivial(O2)), (1, irrep(O2, 1))))
    layers = [(NormNonlinearity(fields, part=2), [3.0, 4, 3, 4, 3, 4], [1.8, 2.4, 0.6, 0.8, 0.6, 0.8])]
    layers += [(mixed, [5.0, 3, 4], [3, 0.6, 0.8])]
    for layer, x, expected in layers:
        with torch.no_grad():
            layer.bias.copy_(torch.tensor([-2.0, -4.0]))
        torch.testing.assert_close(layer(torch.tensor(x).view(1, -1, 1, 1)).flatten(), torch.tensor(expected))


def test_greatest_component_of_fields_of_several_sizes():
    fields = FieldType.of((1, trivial(D(4))), (1, regular(D(4))), (1, quotient(D(4), C(4))))
    x = maps(fields)
    torch.testing.assert_close(FieldMax2d(fields)(x), torch.stack((x[:, 0], x[:, 1:9].amax(1), x[:, 9:].amax(1)), 1))


def test_both_signs_stand_side_by_side():
    layer = ConcatenatedNonlinearity(FieldType.of((1, irrep(C(2), 1)), (1, trivial(C(2)))))
    y = layer(torch.tensor([-2.0, 3.0]).view(1, 2, 1, 1)).flatten()
    assert y.tolist() == [0, 2, 3, 0]
    assert all(rep.is_permutation for rep in layer.out_type.fields)


def test_products_of_a_vector_hold_its_square_and_its_doubled_angle():
    fields = FieldType.of((1, irrep(O2, 1)))
    for rep, expected in ((trivial(O2), [25.0]), (irrep(O2, 2), [-7.0, 24.0])):
        layer = TensorProductNonlinearity(fields, FieldType.of((1, rep)))
        y = layer(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).flatten()
        torch.testing.assert_close(
            y / y.norm(),
            torch.tensor(expected) / torch.tensor(expected).norm() * y[0].sign() * math.copysign(1, expected[0]),
        )


def test_fields_selected_split_and_led_apart():
    fields = FieldType.of((1, trivial(D(4))), (1, vector(D(4))), (1, regular(D(4))))
    x = maps(fields)
    torch.testing.assert_close(SelectFields2d(fields, (2, 1))(x), torch.cat((x[:, 3:], x[:, 1:3]), 1))
    inner = fields.restrict(D(1))
    split = SplitFields2d(inner)
    assert [rep.size for rep in split.out_type.fields] == [1, 1, 1, 2, 2, 2, 2]
    assert split.out_type.fields[3:] == (regular(D(1)),) * 4
    assert sorted(split(x)[0, :, 0, 0].tolist()) == sorted(x[0, :, 0, 0].tolist())
    both = FieldBranches2d(fields, [((0,), torch.nn.Tanh()), ((1, 2), torch.nn.Identity())])
    torch.testing.assert_close(both(x), torch.cat((x[:, :1].tanh(), x[:, 1:]), 1))


def test_one_mean_for_a_restricted_field_is_batch_norm_of_the_whole_field():
    fields = FieldType.regular(D(4), 2).restrict(D(1))
    x = maps(fields)
    layer = FieldBatchNorm2d(fields, one_mean=True).double()
    expected = torch.nn.BatchNorm3d(2).double()(x.unflatten(1, (2, 8))).flatten(1, 2)
    torch.testing.assert_close(layer(x), expected)
    assert layer.bias is not None
    assert layer.bias.shape == (2,)
    assert FieldBatchNorm2d(fields).bias.shape == (8,)


def test_rings_carry_the_kernels():
    ring, scalar = RingBasis(((1.2, 0.5, 4),)), FieldType.of((1, trivial(O2)))
    layer = SteerableConv2d(scalar, scalar, 5, basis=ring)
    y, x = torch.meshgrid(*(torch.arange(5) - 2.0,) * 2, indexing="ij")
    expected = torch.exp(-((torch.hypot(x, y) - 1.2) ** 2) / (2 * 0.5**2))
    found = layer.filters()[0][0, 0]
    torch.testing.assert_close(found / found[2, 2], expected / expected[2, 2])
    assert SteerableConv2d(scalar, FieldType.of((1, irrep(O2, 4))), 5, basis=ring).weight.numel() == 1
    assert "basis=RingBasis(rings=((1.2, 0.5, 4),))" in repr(layer)


def test_a_mask_of_the_area_falls_with_the_square_of_the_distance():
    mask = DiscMask2d(1, sigma=2, profile="area")(torch.ones(1, 1, 9, 9))[0, 0]
    assert mask[4, 7] == 1
    assert mask[4, 8].item() == pytest.approx(math.exp(-(16 - 9) / 4))


@pytest.mark.parametrize("group", [C(3), D(4), D(1, axis=45), O2], ids=str)
def test_linear_maps_and_perceptrons_commute_with_the_group(group):
    fields = FieldType.of((2, vector(group)), (1, trivial(group)))
    layers = [FieldLinear(fields, fields)]
    if group != O2:
        layers.append(FieldMLP(fields, FieldType.regular(group, 4), FieldType.regular(group, 3), fields))
    for layer in layers:
        layer.double()
        x = torch.randn(4, fields.size, dtype=torch.float64)
        for angle, flip in ((0.7, True),) if group == O2 else [(math.pi / 2 * group.quarter_turns(1), group.n < 2)]:
            torch.testing.assert_close(
                layer(fields.act_on_channels(x, angle, flip)), fields.act_on_channels(layer(x), angle, flip)
            )
        plain = layers[0].to_plain()
        torch.testing.assert_close(plain(x), layers[0](x))


def test_a_perceptron_can_tell_what_the_group_leaves_apart():
    torch.manual_seed(0)
    mlp = FieldMLP(SPEED, FieldType.regular(D(4), 16), FieldType.of((1, trivial(D(4)))))
    x = torch.randn(256, 6)
    target = (x[:, :2] * x[:, 2:4]).sum(1, keepdim=True)  # an inner product: invariant, not linear
    optimizer = torch.optim.Adam(mlp.parameters(), 0.03)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (mlp(x) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.2 * target.var()


def test_a_perceptron_takes_vectors_in_any_number_of_rows():
    torch.manual_seed(0)
    mlp = FieldMLP(SPEED, FieldType.regular(D(4), 5), FieldType.regular(D(4), 4), SPEED)
    x = torch.randn(2, 3, 7, 6)
    torch.testing.assert_close(mlp(x), mlp(x.flatten(0, 2)).unflatten(0, (2, 3, 7)))
    torch.testing.assert_close(mlp(x[0]), mlp(x)[0])


@pytest.mark.parametrize(("profile", "height", "width"), [("distance", 9, 9), ("area", 8, 11)])
def test_the_disc_is_as_precise_as_the_maps(profile, height, width):
    mask = DiscMask2d(1, sigma=1.5, profile=profile)
    found = mask(torch.ones(1, 2, height, width, dtype=torch.float64))
    radius = (min(height, width) - 1) / 2 - 1
    for y in range(height):
        for x in range(width):
            r = math.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
            beyond = max(r - radius, 0) ** 2 if profile == "distance" else max(r**2 - radius**2, 0)
            assert found[0, 1, y, x].item() == pytest.approx(math.exp(-beyond / 1.5**2), rel=1e-13)


def test_up_sampling_takes_sides_in_any_form():
    x = torch.randn(1, 2, 5, 6)
    for size in ([9, 7], (9, 7), torch.Size((9, 7))):
        assert Upsample2d(size=size)(x).shape == (1, 2, 9, 7)


def test_equivariance_between_field_types_is_measured():
    layer = SteerableConv2d(SPEED, FieldType.of((2, regular(D(4)))), 3, padding=1).double()
    assert_equivariant(layer, maps(SPEED), group=D(4), input=SPEED, output=layer.out_type)
    assert equivariance_error(layer, maps(SPEED), group=D(4), input=SPEED, output="image") > 0.1
    circle = FieldType.of((1, irrep(SO2, 2)))
    free = SteerableConv2d(circle, circle, 3, padding=1).double()
    assert_equivariant(free, maps(circle), group=C(4), input=circle, output=circle)
    mlp = FieldMLP(SPEED, FieldType.regular(D(4), 4), SPEED).double()
    assert_equivariant(mlp, maps(SPEED)[..., 0, 0], group=D(4), input=SPEED, output=SPEED)
    with pytest.raises(ValueError, match="D4 does not act on fields of SO2"):
        assert_equivariant(free, maps(circle), group=D(4), input=circle, output=circle)
    with pytest.raises(ValueError, match="a FieldType, output one of these .*'vectors'"):
        assert_equivariant(free, maps(circle), group=C(4), input=circle, output="vectors")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NormNonlinearity(SPEED, "gelu"), "must be one of relu, softplus.*got 'gelu'"),
        (lambda: FieldMagnitude2d(SPEED, part=3), "does not permute parts of 3"),
        (lambda: FieldMax2d(SPEED), "use FieldMagnitude2d"),
        (lambda: SelectFields2d(SPEED, (0, 3)), "some of 0 .. 2 .got .0, 3"),
        (lambda: FieldBranches2d(SPEED, []), "at least one pair"),
        (lambda: ConcatenatedNonlinearity(FieldType.of((1, irrep(C(3), 1)))), "use NormNonlinearity"),
        (lambda: TensorProductNonlinearity(SPEED, SPEED), "no product of vector.* transforms as vector"),
        (lambda: TensorProductNonlinearity(SPEED, FieldType.of((1, trivial(D(4))))), "equally many fields"),
        (lambda: FieldBatchNorm2d(SPEED, one_mean=True), "one_mean needs fields that the group permutes"),
        (lambda: RingBasis(((1.0, 0.0, 2),)), "positive width"),
        (lambda: RingBasis(()), "triples"),
        (lambda: DiscMask2d(profile="square"), "'distance' or 'area' .got 'square'"),
        (lambda: FieldMLP(SPEED), "at least .got 1"),
        (lambda: FieldMLP(SPEED, SPEED, SPEED), "permutes"),
        (lambda: FieldLinear(SPEED, SPEED)(torch.zeros(1, 5)), "6 features.*got 5"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
