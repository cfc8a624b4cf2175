"""The pooled batch norm of GPUs, its kernels spelled out in ordinary functions; layouts; gradients."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from equisym.groups import C, D
from equisym.nn import FieldBatchNorm2d, FieldType, GroupBatchNorm2d
from equisym.nn.normalisation import ChannelBatchNorm2d, _PooledBatchNorm

EPS = 1e-5


def _stats(x, eps):
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    return mean, (variance + eps).rsqrt()


def _gather(x, mean, invstd, running_mean, running_var, momentum, eps, counts):
    variance, weight = invstd.pow(-2) - eps, (counts / counts.sum())[:, None]
    whole = (weight * mean).sum(0)
    pooled = (weight * (variance + mean.square())).sum(0) - whole.square()
    running_mean.lerp_(whole, momentum)
    running_var.lerp_(pooled * counts.sum() / (counts.sum() - 1), momentum)
    return whole, (pooled + eps).rsqrt()


def _wide(v):
    return v[:, None, None]


def _element(x, weight, bias, mean, invstd, eps):
    return (x - _wide(mean)) * _wide(invstd * weight) + _wide(bias)


def _reduce(dy, x, mean, invstd, weight, *wanted):
    sums = dy.sum((0, 2, 3)), (dy * (x - _wide(mean))).sum((0, 2, 3))
    return *sums, sums[1] * invstd, sums[0]


def _backward(dy, x, mean, invstd, weight, sum_dy, sum_dy_xmu, count):
    n = count.sum()
    rest = dy - _wide(sum_dy / n) - (x - _wide(mean)) * _wide(invstd.square() * sum_dy_xmu / n)
    return rest * _wide(invstd * weight)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_pooled_over_channels_are_those_of_the_fields(monkeypatch, layout):
    names = "stats", "gather_stats_with_counts", "elemt", "backward_reduce", "backward_elemt"
    for name, function in zip(names, (_stats, _gather, _element, _reduce, _backward), strict=True):
        monkeypatch.setattr(torch, f"batch_norm_{name}", function)
    torch.manual_seed(0)
    layer = GroupBatchNorm2d(3, group=D(4), eps=EPS).double()
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    x = (torch.randn(2, 24, 5, 5) + torch.linspace(0, 3, 24)[:, None, None]).double().contiguous(memory_format=layout)
    own, reference = x.clone(memory_format=torch.preserve_format).requires_grad_(), x.contiguous().requires_grad_()
    mean, variance = layer.norm.running_mean.clone(), layer.norm.running_var.clone()
    y = _PooledBatchNorm.apply(own, layer.norm.weight, layer.norm.bias, mean, variance, 0.1, EPS, 8)
    expected = layer(reference)
    weights = torch.randn_like(expected)
    found = torch.autograd.grad((y * weights).sum(), (own, layer.norm.weight, layer.norm.bias))
    right = torch.autograd.grad((expected * weights).sum(), (reference, layer.norm.weight, layer.norm.bias))
    torch.testing.assert_close(
        (y, *found, mean, variance), (expected, *right, layer.norm.running_mean, layer.norm.running_var)
    )
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("training", [True, False])
def test_layout_is_kept_and_changes_nothing(training):
    torch.manual_seed(0)
    layer = GroupBatchNorm2d(3, group=D(4)).train(training)
    x = torch.randn(2, 24, 5, 5)
    y = layer(x.contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, layer(x))


def test_an_empty_batch_leaves_the_running_statistics():
    layer = FieldBatchNorm2d(FieldType.regular(D(4), 2))
    assert layer(torch.zeros(0, 16, 3, 3)).shape == (0, 16, 3, 3)
    assert layer.running_mean.isfinite().all()
    assert torch.equal(layer.running_var, torch.ones(2))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_training_is_that_of_a_batch_norm_of_fields_with_second_derivatives(layout):
    torch.manual_seed(0)
    layer, reference = GroupBatchNorm2d(2, group=D(2)).double(), nn.BatchNorm3d(2).double()
    nn.init.normal_(layer.norm.weight)
    reference.load_state_dict(layer.norm.state_dict())
    x = torch.randn(2, 8, 3, 3, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    y = layer(x)
    assert y._base is None, "a view would cost every ReLU in place three copies"
    torch.testing.assert_close(y, reference(x.unflatten(1, (2, 4))).flatten(1, 2))
    torch.testing.assert_close(layer.norm.state_dict(), reference.state_dict())
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


FUSED = """
import torch
from torch import nn
from equisym.nn import norm_kernel as kernels
torch.manual_seed(0)
kernels.SPAN, kernels.PROGRAMS = 256, 12  # several parts
shapes = (3, 8, (4, 5, 7)), (2, 6, (1, 1, 1)), (7, 12, (3, 9, 9)), (5, 1, (2, 4, 4)), (1, 2, (70, 6, 6))
for fields, order, (batch, *size) in shapes:
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(batch, fields * order, *size) + 100 + torch.arange(fields * order)[:, None, None]
        x = x.contiguous(memory_format=layout)
        right, wide = nn.BatchNorm3d(fields).double(), x.double().requires_grad_()
        nn.init.normal_(right.weight)
        nn.init.normal_(right.bias)
        y = right(wide.unflatten(1, (fields, order))).flatten(1, 2)
        weight, bias, averages = right.weight.detach().float(), right.bias.detach().float(), torch.zeros(2, fields)
        averages[1] = 1
        rest = order, layout == torch.channels_last
        own, figures = kernels.normalise(x, weight, bias, *averages, 0.1, 1e-5, *rest)
        assert own.stride() == x.stride()
        grad = torch.randn_like(x)
        found = own, *averages, *kernels.gradients(x, grad, weight, figures, *rest)
        wanted = y, right.running_mean, right.running_var
        wanted += torch.autograd.grad(y, (wide, right.weight, right.bias), grad.double())
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a.double(), b, rtol=2e-4, atol=2e-4)
        half, _ = kernels.normalise(x.bfloat16(), weight, bias, *averages, 0.1, 1e-5, *rest)
        assert half.dtype == torch.bfloat16 and half.isfinite().all()
"""


def test_the_kernels_agree_with_torch_in_the_interpreter():
    pytest.importorskip("triton")
    subprocess.run([sys.executable, "-c", FUSED], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("last", [False, True])
def test_the_kernels_compile_for_a_gpu(last):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    from equisym.nn import norm_kernel as kernels

    plan = kernels._plan(torch.Size((2, 176, 9, 9)), 8, last)
    values = {"channels_last": last, "order": 8} | dict(zip(("rows", "columns"), plan.tile, strict=True))
    values |= dict(zip(("tall", "wide"), plan.members, strict=True))
    for name in ("_moments", "_merge_moments", "_normalise", "_sums", "_merge_sums", "_gradient"):
        kernel = getattr(kernels, name)
        fixed = {n: v for n, v in values.items() if n in kernel.arg_names}
        maps = {"x_ptr", "y_ptr", "grad_ptr", "dx_ptr"}
        signature = {
            n: f"*{'bf16' if n in maps else 'fp32'}" if n.endswith("_ptr") else "i32" for n in kernel.arg_names
        }
        signature |= dict.fromkeys(fixed, "constexpr") | dict.fromkeys({"momentum", "eps"} & set(signature), "fp32")
        source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=fixed)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm
        assert ".local" not in made["ptx"], f"{name} spills registers"


def test_the_norm_of_channels_is_that_of_torch():
    torch.manual_seed(0)
    own, right = ChannelBatchNorm2d(3), nn.BatchNorm2d(3)
    nn.init.normal_(own.weight)
    right.load_state_dict(own.state_dict())
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(own(x), right(x))
    plain = own.eval().to_plain()
    assert type(plain) is nn.BatchNorm2d
    torch.testing.assert_close(plain(x), right.eval()(x))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own decompositions
def test_training_under_transforms_is_that_of_torch():
    torch.manual_seed(0)
    x, towards = torch.randn(2, 3, 8, 5, 5, dtype=torch.float64).unbind(0)
    norm = GroupBatchNorm2d(2, group=C(4)).double()
    twin = nn.Sequential(nn.Unflatten(1, (2, 4)), nn.BatchNorm3d(2), nn.Flatten(1, 2)).double()
    found = []
    for layer in (norm, twin):
        weights = dict(layer.named_parameters())

        def maps(weights, x, layer=layer):
            state = {name: values.clone() for name, values in layer.named_buffers()}  # a transform owns what it changes
            return torch.func.functional_call(layer, (weights, state), (x,)).sin()

        gradients = torch.func.grad(lambda *given, maps=maps: maps(*given).sum(), argnums=(0, 1))(weights, x)
        _, slope = torch.func.jvp(lambda x, maps=maps, weights=weights: maps(weights, x), (x,), (towards,))
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, towards))).tangent
        found.append([*gradients[0].values(), gradients[1], slope, tangent])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
