"""Layers on features in irreps: the equation, the count of free weights, blocks in place, the fused kernel."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from equisym.groups import C, D
from equisym.models import build
from equisym.nn import (
    IsotypicInvariants,
    IsotypicLinear,
    IsotypicNonlinearity,
    IsotypicNorm,
    IsotypicTransform,
    OrbitLinear,
    to_plain,
)
from equisym.nn.fused import _imported, fused_kernels
from equisym.nn.isotypic import _rows
from equisym.nn.isotypic_linear import _BlockDiagonal, block_diagonal
from equisym.testing import assert_equivariant

GROUPS = [C(1), C(2), C(3), C(4), C(6), C(8), D(1), D(2), D(3), D(4), D(6), D(8)]


def network(group):
    torch.manual_seed(0)
    layers = [IsotypicTransform(group=group), IsotypicLinear(3, 5, group=group), IsotypicNonlinearity(group=group)]
    layers += [IsotypicNorm(5, group=group), IsotypicTransform(group=group, inverse=True)]
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
    return nn.Sequential(*layers)


def move(x, g, group):
    return x.unflatten(-1, (-1, group.order))[..., group.regular_permutation(g)].flatten(-2)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-4)], ids=["f64", "f32"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_equivariance_equation(group, dtype, bound):
    net, x = network(group).to(dtype), torch.randn(2, 4, 3 * group.order, dtype=dtype)
    y = net(x)
    pooled = IsotypicInvariants(5, group=group)
    to_irreps = IsotypicTransform(group=group).to(dtype)
    for g in range(group.order):
        assert (net(move(x, g, group)) - move(y, g, group)).abs().max() < bound
        assert (pooled(to_irreps(move(y, g, group))) - pooled(to_irreps(y))).abs().max() < bound


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_every_commuting_matrix_is_reached(group):
    """As many free weights as orbits of pairs, counted by another layer, and linearly independent."""
    orbits = OrbitLinear(
        group.order, group.order, generators=[(group.product_table[g],) * 2 for g in range(group.order)], bias=False
    )
    layer = IsotypicLinear(1, 1, group=group, bias=False).double()
    free = sum(p.numel() for p in layer.parameters())
    assert free == orbits.weight.numel() == group.order
    matrices = []
    for number in range(free):
        nn.utils.vector_to_parameters(torch.eye(free, dtype=torch.float64)[number], layer.parameters())
        matrices.append(layer(torch.eye(group.order, dtype=torch.float64)).flatten())
    assert torch.linalg.matrix_rank(torch.stack(matrices)) == free


@pytest.mark.parametrize("group", [C(4), D(4), D(6)], ids=str)
def test_blocks_written_in_place_are_the_blocks_joined(group):
    torch.manual_seed(0)
    layer, x = IsotypicLinear(3, 5, group=group).double(), torch.randn(7, 3 * group.order, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    x.requires_grad_()
    ways = [
        lambda: block_diagonal(x, layer.blocks(), layer.bias),
        lambda: _BlockDiagonal.apply(x, layer.bias, *layer.blocks()),
    ]
    found = []
    for way in ways:
        y = way()
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    torch.testing.assert_close(found[0], found[1])


def test_blocks_are_a_fraction_of_the_dense_layer():
    layer = IsotypicLinear(4, 4, group=D(4), bias=False)
    products = sum(block.numel() for block in layer.blocks())
    assert (32 * 32) / products == pytest.approx(16 / 3)


def test_folding_and_refusal():
    layer = IsotypicLinear(3, 5, group=C(4)).eval()
    x = torch.randn(2, 12)
    torch.testing.assert_close(to_plain(layer)(x), layer(x))
    assert repr(layer) == "IsotypicLinear(3, 5, group=C(4))"
    assert repr(IsotypicTransform(group=C(4))) == "IsotypicTransform(group=C(4))"
    assert repr(IsotypicTransform(group=C(4), inverse=True)) == "IsotypicTransform(group=C(4), inverse=True)"
    with pytest.raises(ValueError, match="12 features, 3 fields of C4 .got 13"):
        layer(torch.randn(2, 13))
    with pytest.raises(ValueError, match="one of gelu, relu, silu .got 'tanh'"):
        IsotypicNonlinearity(group=D(4), function="tanh")


FUSED = """
import torch
from equisym.groups import C, D
from equisym.nn import IsotypicNonlinearity, IsotypicTransform
from equisym.nn.isotypic import _rows
from equisym.nn.isotypic_kernel import fused_pointwise, fused_transform
torch.manual_seed(0)
def check(layer, fused, x):
    weights = torch.randn_like(x)
    for a, b in zip(*([y, *torch.autograd.grad((y * weights).sum(), x)] for y in (layer(x), fused(x))), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
for group in (D(4), C(4), D(3), D(1)):
    x = torch.randn(5, 70, 3 * group.order, requires_grad=True)
    for function in ("gelu", "relu", "silu"):
        layer = IsotypicNonlinearity(group=group, function=function)
        check(layer, lambda x: fused_pointwise(x, _rows(group), function), x)
    for inverse in (False, True):
        layer = IsotypicTransform(group=group, inverse=inverse)
        check(layer, lambda x: fused_transform(x, _rows(group), inverse), x)
"""


class OnGPU(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = property(lambda self: True)  # type: ignore[assignment]


@pytest.mark.parametrize("module", ["isotypic_kernel", "correlation_kernel", "expansion_kernel", "norm_kernel"])
def test_a_gpu_that_is_old_or_has_no_triton_takes_the_plain_way(module, monkeypatch):
    x = torch.ones(3).as_subclass(OnGPU)
    assert fused_kernels(x, module) is None  # a subclass may mean anything
    monkeypatch.setattr("equisym.nn.fused.is_plain_call", lambda x: True)
    monkeypatch.setattr("equisym.nn.fused._is_new_enough", lambda device: True)
    monkeypatch.setitem(sys.modules, f"equisym.nn.{module}", None)  # its import fails
    _imported.cache_clear()
    assert fused_kernels(x, module) is None
    monkeypatch.setitem(sys.modules, f"equisym.nn.{module}", sys)
    _imported.cache_clear()
    assert fused_kernels(x, module) is sys
    _imported.cache_clear()
    monkeypatch.setattr("equisym.nn.fused._is_new_enough", lambda device: False)
    assert fused_kernels(x, module) is None


def test_the_fused_kernels_agree_in_the_interpreter():
    pytest.importorskip("triton")
    subprocess.run([sys.executable, "-c", FUSED], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("group", [D(4), D(6)])
@pytest.mark.parametrize("backward", [False, True])
def test_the_fused_kernels_hold_fields_in_registers(group, backward):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    from equisym.nn import isotypic_kernel as kernels

    def compiled(kernel, pointers, alike, **constants):
        names = kernel.arg_names
        signature = dict.fromkeys(pointers, "*bf16") | {"count": "i32", "fields": "i32"}
        signature |= dict.fromkeys(constants, "constexpr")
        aligned = {(names.index(n),): [["tt.divisibility", 16]] for n in (*pointers, *alike)}
        source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm
        assert ".local" not in made["ptx"], "no registers are spilled"
        assert "tt.dot" not in made["ttir"], "TensorFloat-32 keeps three digits"
        return made["ptx"]

    _, _, constants = kernels._launch_of(torch.empty(7, 3 * group.order), _rows(group))
    text = compiled(
        kernels._pointwise, ("x_ptr", "grad_ptr", "y_ptr"), ["fields"], function=0, backward=backward, **constants
    )
    assert ".shared" not in text
    power = group.order & (group.order - 1) == 0
    ordered = kernels.places(group.order) if power else ()
    constants = constants | {"inverse": backward, "order_places": ordered}
    text = compiled(kernels._change_of_basis, ("x_ptr", "y_ptr"), [], **constants)
    assert ".shared" not in text
    if power:
        assert "global.v4" in text, "numbers that lie side by side go as one"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("e2vit", {"width": 6, "depth": 2}),
        ("e2vit", {"width": 6, "depth": 2, "group": "C4"}),
        ("e2convnext", {"width": (2, 4), "depths": (1, 2)}),
        ("e2convnext", {"width": (2, 4), "depths": (1, 1), "group": "D2"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [64, 128])
def test_networks_are_exactly_invariant_at_even_sizes(name, options, size):
    torch.manual_seed(0)
    model = build(name, **options).double().eval()
    x = torch.rand(1, 1, size, size, dtype=torch.float64)
    assert model(x).std() > 1e-3
    assert_equivariant(model, x, group=model.group, output="invariant")
    assert model.nearest_exact_size(224) == 224
