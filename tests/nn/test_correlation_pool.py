"""Correlation pooling: its definition summed element by element, classes, gradients, what it says of an image."""

import os
import subprocess
import sys

import pytest
import torch

from equisym.groups import C, D
from equisym.nn import CorrelationPool2d, LiftConv2d
from equisym.nn.correlation_pool import _Fused

GROUPS = (C(2), C(3), C(4), C(5), C(6), C(12), D(1), D(2), D(3), D(4), D(5), D(6), D(12))


def fields_of(group, *, fields=3, size=2):
    torch.manual_seed(0)
    return torch.randn(2, fields * group.order, size, size, dtype=torch.float64)


def summed(x, group):
    """c(h, x) by its definition."""
    d = x.unflatten(1, (-1, group.order))
    d = d - d.mean(2, keepdim=True)
    c = torch.zeros_like(d)
    for h in range(group.order):
        for g in range(group.order):
            c[:, :, h] += d[:, :, g] * d[:, :, group.product(h, g)]
    return c


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_correlations_are_the_sum_over_the_group(group):
    x = fields_of(group)
    pool = CorrelationPool2d(group=group).double()
    torch.testing.assert_close(pool.correlations(x), summed(x, group), rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_maps_are_what_the_docstring_says(group):
    x = fields_of(group)
    pool = CorrelationPool2d(group=group).double()
    each, together = pool(x).split([3 * (2 + len(pool.classes)), len(pool.classes)], 1)
    c = summed(x, group)
    square = c[:, :, :1] + pool.eps
    found = [x.unflatten(1, (3, -1)).mean(2, keepdim=True), square.sqrt()]
    found += [(c[:, :, members] / square.sqrt()).amax(2, keepdim=True) for members in pool.classes]
    torch.testing.assert_close(each.unflatten(1, (3, -1)), torch.cat(found, 2))
    rho = c.sum(1) / (c[:, :, 0].sum(1, keepdim=True) + pool.eps)
    torch.testing.assert_close(together, torch.stack([rho[:, members].amax(1) for members in pool.classes], 1))


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_classes_are_closed_under_conjugation_and_inversion_and_hold_every_element_once(group):
    classes = CorrelationPool2d(group=group).classes
    assert sorted(h for members in classes for h in members) == list(range(1, group.order))
    for members in classes:
        h = members[0]
        conjugates = {group.product(group.product(group.inverse(k), h), k) for k in range(group.order)}
        assert set(members) == conjugates | {group.inverse(g) for g in conjugates}


@pytest.mark.parametrize("group", [C(3), C(4), D(2), D(3), D(4)], ids=str)
def test_gradients(group):
    x = fields_of(group, fields=2, size=1).requires_grad_()
    pool = CorrelationPool2d(group=group).double()
    assert torch.autograd.gradcheck(pool, x)
    assert torch.autograd.gradgradcheck(pool, x)


@pytest.mark.filterwarnings("ignore:.*jit.script:FutureWarning")  # torch's own, of forward derivatives
@pytest.mark.parametrize("group", [C(5), D(4), D(6)], ids=str)
def test_the_gradient_written_out_is_that_of_each_operation(group):
    pool, x = CorrelationPool2d(group=group).double(), fields_of(group)
    weights = torch.randn(pool(x).shape, dtype=x.dtype)

    def total(x):
        return (pool(x) * weights).sum()

    (written_out,) = torch.autograd.grad(total(leaf := x.clone().requires_grad_()), leaf)
    composed = torch.func.grad(total)(x)  # transforms differentiate each operation
    torch.testing.assert_close(written_out, composed, rtol=0, atol=1e-12)
    along = torch.randn_like(x)
    _, slope = torch.func.jvp(total, (x,), (along,))
    torch.testing.assert_close((written_out * along).sum(), slope)


def test_a_field_without_deviation_has_a_gradient():
    x = torch.ones(1, 8, 1, 1, requires_grad=True)
    CorrelationPool2d(group=D(4))(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_it_says_which_symmetry_holds_about_a_pixel():
    torch.manual_seed(0)
    quarter = torch.rand(1, 1, 9, 9, dtype=torch.float64)
    image = sum(quarter.rot90(k, (-2, -1)) for k in range(4))  # four-fold about the middle, no mirror
    lift = LiftConv2d(1, 6, 9, group=D(4)).double()
    pool = CorrelationPool2d(group=D(4)).double()
    rho = pool(lift(image))[0, -len(pool.classes) :, 0, 0]
    held = dict(zip(pool.classes, rho.tolist(), strict=True))
    assert held[1, 3] == pytest.approx(1, abs=1e-4)
    assert held[(2,)] == pytest.approx(1, abs=1e-4)
    assert max(held[4, 6], held[5, 7]) < 0.95


def test_a_group_without_elements_to_compare_is_refused():
    with pytest.raises(ValueError, match=r"group must have an element besides the identity \(got C1\): try C2"):
        CorrelationPool2d(group=C(1))


FUSED = """
import torch
from equisym.groups import C, D
from equisym.nn import CorrelationPool2d, correlation_kernel
from equisym.nn.correlation_pool import _Fused
torch.manual_seed(0)
for group in (C(2), C(3), D(1), D(4), D(6)):
    pool = CorrelationPool2d(group=group)
    for size, layout in (((3, 5), "contiguous_format"), ((4, 3), "channels_last"), ((1, 1), "channels_last")):
        layout = getattr(torch, layout)
        x = torch.randn(2, 3 * group.order, *size).to(memory_format=layout).requires_grad_()
        weights, found = torch.randn_like(pool(x)), []
        for answer in (_Fused.apply(x, pool, correlation_kernel), pool(x)):
            found += [answer, *torch.autograd.grad((answer * weights).sum(), x)]
        torch.testing.assert_close(found[0], found[2])
        torch.testing.assert_close(found[1], found[3], rtol=2e-3, atol=1e-4)
        assert found[0].is_contiguous(memory_format=layout) and found[1].is_contiguous(memory_format=layout)
    half = x.detach().bfloat16()
    torch.testing.assert_close(_Fused.apply(half, pool, correlation_kernel), pool(half), rtol=2e-2, atol=2e-2)
"""


def test_the_fused_kernels_agree_in_the_interpreter():
    pytest.importorskip("triton")
    subprocess.run([sys.executable, "-c", FUSED], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})


def test_the_gradient_of_the_fused_kernels_has_a_gradient():
    class Kernels:  # what the kernels compute, by the operations
        @staticmethod
        def pool(x, *rest):
            return pool._pool(x), x

    pool, x = CorrelationPool2d(group=D(3)), fields_of(D(3), size=1).float().requires_grad_()
    weights = torch.randn_like(pool(x))

    def twice(answer):
        (first,) = torch.autograd.grad((answer * weights).sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(twice(_Fused.apply(x, pool, Kernels)), twice(pool(x)), rtol=1e-4, atol=1e-5)


def test_modules_in_half_precision_keep_their_constants_exact():
    x, pool = fields_of(D(3)).bfloat16(), CorrelationPool2d(group=D(3))
    torch.testing.assert_close(pool.bfloat16()(x), CorrelationPool2d(group=D(3)).double()(x.double()).bfloat16())


@pytest.mark.parametrize(("group", "layout"), [(D(4), "contiguous"), (D(4), "channels_last"), (D(6), "channels_last")])
def test_the_fused_kernels_compile_for_a_gpu_without_matrix_products(group, layout):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    from equisym.nn import correlation_kernel as kernels

    tables, last = CorrelationPool2d(group=group)._tables, layout == "channels_last"
    _, tile = kernels._tile(torch.empty(2, 1, 81), 8, group.order)
    constants = kernels._constants(tables, tile, last) | tables._asdict()
    unit = "_channel" if last else "_pixel"
    for kernel in (kernels._pool, kernels._gradient):
        ones = {n: 1 for n in kernel.arg_names if n.endswith(unit)}
        fixed = ones | {n: v for n, v in constants.items() if n in kernel.arg_names}
        signature = {n: "*fp32" if n.endswith("_ptr") else "i32" for n in kernel.arg_names}
        signature |= {"eps": "fp32"} | dict.fromkeys(fixed, "constexpr")
        source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=fixed)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": kernels.WARPS}).asm
        assert "tt.dot" not in made["ttir"]
        assert ".local" not in made["ptx"]  # no registers spilled
