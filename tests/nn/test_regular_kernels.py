"""How regular layers make their kernels and run: turned inputs, weights in a basis, gradients, precision."""

import os
import subprocess
import sys

import pytest
import torch

from equisym.groups import C, D, trivial
from equisym.nn import FieldType, GroupConv2d, LiftConv2d, SteerableConv2d, act
from equisym.nn.input_transform_conv import turning_is_cheaper


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


@pytest.mark.parametrize("make", [GroupConv2d, LiftConv2d])
@pytest.mark.parametrize("last", [False, True])
def test_steered_filters_as_one_function_are_those_of_the_operations(make, last, monkeypatch):
    from equisym.nn import weight_expansion

    class Kernels:  # what the GPU kernels compute, by the operations
        DTYPES = (torch.float32, torch.float64, torch.bfloat16)

        @staticmethod
        def expand(weight, index, side, dtype, channels_last):
            return weight_expansion._permute(weight.to(dtype), index, index, side, dtype, channels_last)

        @staticmethod
        def summed(grad, back, shape, dtype):
            return weight_expansion._gathered(grad, back, dtype).view(shape)

    torch.manual_seed(0)
    layer = make(2, 3, 3, group=D(4)).double()
    right = layer.kernel(layer.weight, channels_last=last)
    weights = torch.randn_like(right)
    wanted = torch.autograd.grad((right * weights).sum(), layer.weight)
    monkeypatch.setattr(weight_expansion, "fused_kernels", lambda x, module: Kernels)
    found = layer.kernel(layer.weight, channels_last=last)
    assert type(found.grad_fn).__name__ == "_SteeredBackward"
    torch.testing.assert_close(found, right)
    torch.testing.assert_close(torch.autograd.grad((found * weights).sum(), layer.weight), wanted)
    assert torch.autograd.gradgradcheck(lambda w: layer.kernel(w, channels_last=last).square(), layer.weight)
    layer, right = layer.float(), right.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer.kernel(layer.weight, channels_last=last)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, right.bfloat16(), rtol=8e-3, atol=1e-6)  # rounded once, at the end
    found.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


FUSED = """
import torch
from equisym.groups import C, D
from equisym.nn import GroupConv2d, LiftConv2d, expansion_kernel
from equisym.nn.weight_expansion import _Permuted
torch.manual_seed(0)
for make in (GroupConv2d, LiftConv2d):
    for group, side in ((C(2), 3), (D(4), 3), (C(4), 2), (D(1), 1)):
        kernel = make(2, 3, side, group=group, basis="pixels").kernel
        index, back = kernel.index.view(group.order, -1), kernel.back
        weight = torch.randn(3, 2, index.shape[1], requires_grad=True)
        for last in (False, True):
            right = _Permuted.apply(weight, index, back, side, torch.float32, last)
            found = expansion_kernel.expand(weight.detach(), index, side, torch.float32, last)
            assert torch.equal(found, right), (group, side, last)
            assert side == 1 or found.stride() == right.stride(), (group, side, last)
            for layout in (torch.contiguous_format, torch.channels_last):
                grad = torch.randn_like(right).contiguous(memory_format=layout)
                (wanted,) = torch.autograd.grad(right, weight, grad, retain_graph=True)
                torch.testing.assert_close(expansion_kernel.summed(grad, back, weight.shape, weight.dtype), wanted)
                part = torch.randn(*right.shape[:2], side + 2, side + 1)[:, :, 1:-1, 1:]  # of a larger one
                (wanted,) = torch.autograd.grad(right, weight, part, retain_graph=True)
                torch.testing.assert_close(expansion_kernel.summed(part, back, weight.shape, weight.dtype), wanted)
        half = expansion_kernel.expand(weight.detach(), index, side, torch.bfloat16, True)
        torch.testing.assert_close(half, right.bfloat16(), rtol=1e-2, atol=1e-4)
"""


def test_the_fused_expansion_agrees_in_the_interpreter():
    pytest.importorskip("triton")
    subprocess.run([sys.executable, "-c", FUSED], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_the_fused_expansion_compiles_for_a_gpu(kind):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    from equisym.nn import expansion_kernel as kernels

    def compiled(kernel, pointers, numbers, **constants):
        signature = pointers | dict.fromkeys(numbers, "i32") | dict.fromkeys(constants, "constexpr")
        source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants)
        return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]

    for last in (False, True):
        pointers = {"weight_ptr": "*fp32", "index_ptr": "*i64", "filters_ptr": f"*{kind}"}
        numbers = ("order", "count", "size")
        assert "st.global" in compiled(kernels._expand, pointers, numbers, pixels=9, channels_last=last, block=512)
    pointers = {"grad_ptr": f"*{kind}", "back_ptr": "*i64", "found_ptr": "*fp32"}
    numbers = ("grad_out", "grad_in", "grad_y", "grad_x", "count", "size", "side")
    assert "ld.global" in compiled(kernels._summed, pointers, numbers, order=8, block=512)
