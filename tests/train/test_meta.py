import pytest
import torch
from torch import nn

from equisym.groups import C
from equisym.nn import LiftConv2d, OrbitLinear, ReparamConv2d, ReparamLinear
from equisym.nn.orbit_conv import _pixel_move
from equisym.train.learned_symmetry import (
    effective_dimension,
    group_axioms,
    leading_space,
    nearest_groups,
    principal_angles,
)
from equisym.train.meta import MetaLearner
from equisym.train.synthetic_tasks import LocallyConnectedTasks, RotationLiftTasks


def quarter_turns(*elements):
    return [(m, m) for m in (_pixel_move(3, g) for g in elements)]


def test_symmetry_from_a_group_table_is_the_equivariant_layer():
    orbit = OrbitLinear(9, 9, generators=quarter_turns(1, 4))
    layer = ReparamLinear.from_orbits(orbit)
    x = torch.randn(4, 9)
    torch.testing.assert_close(layer(x), orbit(x))
    nn.init.normal_(layer.weight)  # any free weights stay equivariant
    turned = torch.from_numpy(_pixel_move(3, 1)).argsort()
    bias = layer.bias
    torch.testing.assert_close(layer(x[:, turned]) - bias, (layer(x) - bias)[:, turned])


def test_reparam_conv_from_a_group_table_is_the_lifting_convolution():
    """For C2 the second filter is the first reversed: even plus odd part, and even minus odd part."""
    lift = LiftConv2d(1, 2, 3, group=C(2), basis="pixels", bias=False)
    layer = ReparamConv2d(1, 4, 3, bias=False)
    even_odd = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    with torch.no_grad():
        layer.out_symmetry.copy_(torch.block_diag(even_odd, even_odd))
        w = lift.weight.view(2, 9)
        layer.weight.copy_(torch.stack(((w + w.flip(1)) / 2, (w - w.flip(1)) / 2), 1).view(4, 1, 3, 3))
    x = torch.randn(2, 1, 7, 7)
    torch.testing.assert_close(layer(x), lift(x))
    torch.testing.assert_close(layer.to_plain()(x), lift(x))


def test_kronecker_product_is_the_definition():
    layer = ReparamConv2d(2, 3, 3)
    for name in layer.symmetry_parameters:
        nn.init.normal_(getattr(layer, name))
    whole = torch.kron(torch.kron(layer.out_symmetry, layer.in_symmetry), layer.pixel_symmetry)
    torch.testing.assert_close(layer.filters()[0].flatten(), whole @ layer.weight.flatten())


def test_layers_have_a_bias_unless_told_otherwise():
    for make in (lambda **o: ReparamLinear(2, 3, free_weights=4, **o), lambda **o: ReparamConv2d(2, 3, 3, **o)):
        assert make().bias.shape == (3,)
        assert make(bias=False).bias is None


def test_inner_step_moves_free_weights_only_and_by_the_gradient():
    torch.manual_seed(0)
    model = ReparamLinear(5, 4, free_weights=3, bias=False)
    learner = MetaLearner(model, inner_rate=0.2)
    x, y = torch.randn(2, 5), torch.randn(2, 4)
    adapted = learner.adapt(x, y)
    (slope,) = torch.autograd.grad(nn.functional.mse_loss(model(x), y), [model.weight])
    torch.testing.assert_close(adapted["weight"], model.weight - 0.2 * slope)
    assert adapted["symmetry"] is model.symmetry


def test_outer_loop_learns_a_hidden_convolution():
    torch.manual_seed(0)
    tasks = LocallyConnectedTasks(1, seed=0)
    learner = MetaLearner(ReparamLinear(70, 68, free_weights=6, bias=False), outer_rate=1e-2)
    held_out = tasks(50, torch.Generator().manual_seed(1))
    before = learner.evaluate(held_out)
    learner.fit(tasks, steps=150, tasks_per_step=16)
    assert learner.evaluate(held_out) < 0.35 < before
    truth = tasks.weight_space().flatten(1)
    assert principal_angles(leading_space(learner.model.symmetry, 3), truth).max() < 20


def test_the_same_seed_learns_the_same():
    tasks = LocallyConnectedTasks(2, seed=0)
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        learner = MetaLearner(ReparamLinear(70, 68, free_weights=4, bias=False))
        losses.append(learner.fit(tasks, steps=3, seed=5))
    assert losses[0] == losses[1]


def test_nearest_group_of_an_equivariant_space():
    layer = OrbitLinear(9, 9, generators=quarter_turns(1))
    space = nn.functional.one_hot(layer.index, layer.weight.numel()).T.double()
    mixed = torch.randn(12, len(space), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) @ space
    candidates = {"C1": quarter_turns(0), "C2": quarter_turns(2), "C4": quarter_turns(1), "D4": quarter_turns(1, 4)}
    found = nearest_groups(mixed, (9, 9), candidates)
    assert [c.name for c in found] == ["C4", "C2", "C1", "D4"]
    assert found[0].residual < 1e-9
    assert found[0].largest_angle < 1e-3
    assert found[-1].residual > 0.05


def test_group_axioms_hold_for_rotated_filters_and_fail_for_random_ones():
    generator = torch.Generator().manual_seed(0)
    kernel = RotationLiftTasks().kernel
    filters = kernel(torch.randn(60, 1, *kernel.weight_shape, generator=generator)).view(60, 8, 9)
    axioms = group_axioms(filters)
    assert max(axioms.fit, axioms.identity, axioms.inverse, axioms.closure, axioms.cyclic) < 1e-3
    assert "8 maps" in str(axioms)
    random = group_axioms(torch.randn(60, 8, 9, generator=generator))
    assert random.closure > 0.3
    assert random.fit > 0.3


def test_effective_dimension():
    assert effective_dimension(torch.eye(20)[:, :4]) == pytest.approx(4)


def test_tasks_are_what_they_say():
    tasks = LocallyConnectedTasks(2, seed=0)
    drawn = tasks(3, torch.Generator().manual_seed(0))
    space = tasks.weight_space()
    design = torch.einsum("doi,ni->nod", space, drawn.query_x[0]).reshape(-1, 6)
    target = drawn.query_y[0].reshape(-1, 1)
    assert (design @ torch.linalg.lstsq(design, target).solution - target).abs().max() < 1e-4
    lift = RotationLiftTasks()(4, torch.Generator().manual_seed(0))
    assert lift.query_y.shape == (4, 19, 24, 30, 30)
    assert 0.5 < lift.query_y.var() < 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReparamLinear(0, 3, free_weights=2), "in_features must be at least 1 .got 0"),
        (lambda: ReparamConv2d(1, 1, 0), "kernel_size must be at least 1 .got 0"),
        (lambda: ReparamConv2d(2, 1, 3)(torch.zeros(1, 3, 5, 5)), "2 channels .got 3"),
        (
            lambda: ReparamLinear.from_orbits(OrbitLinear(9, 9, generators=quarter_turns(1), channels=(1, 1))),
            "no channels",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
