"""From weights to filters: gathered by permutations or combined from a basis, with gradients that gather as well."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from equisym.nn.fused import fused_kernels


@fx.wrap
def permuted_filters(weight: Tensor, index: Tensor, back: Tensor, side: int, channels_last: bool) -> Tensor:
    """Filters ``(out * order, in * inner, k, k)`` that hold each weight once for every element of the group.

    Args:
        weight: one number per pixel and, between fields, element: ``(out, in, ...)``.
        index: for each element a permutation of the weights of a pair of fields, ``(order, size)``.
        back: the inverse permutations.
        side: k.
        channels_last: whether to write them in that layout.
    """
    own = weight.flatten(2), index, back, side, working_dtype(weight), channels_last
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return _permute(*own)  # TorchScript saves no function of ours
    if torch.compiler.is_compiling():
        function = _PermutedTraced
    else:
        function = _PermutedUnderTransforms if torch._C._are_functorch_transforms_active() else _Permuted
    return function.apply(*own)


def steered_filters(
    weight: Tensor, basis: Tensor, index: Tensor, back: Tensor, side: int, channels_last: bool
) -> Tensor | None:
    """:func:`permuted_filters` of combinations of basis functions, as one function on a GPU; None elsewhere.

    Args:
        weight: coefficients, ``(out, in, basis)``.
        basis: functions, each as the weights of a pair of fields, ``(basis, size)``.
        index: as there.
        back: as there.
        side: as there.
        channels_last: as there.
    """
    kernels = fused_kernels(weight, "expansion_kernel")
    if kernels is None or weight.dtype != basis.dtype or weight.dtype not in kernels.DTYPES:
        return None
    return _Steered.apply(weight, basis, index, back, side, working_dtype(weight), channels_last, kernels)


@fx.wrap
def turned_filters(weight: Tensor, basis: Tensor, element: Tensor | None, side: int) -> Tensor:
    """Filters ``(out * order, in * inner, k, k)`` that are combinations of turned basis functions.

    Args:
        weight: coefficients, ``(out, in, basis)`` when lifting, else ``(out, in, order, basis)``.
        basis: every function turned by every element, ``(basis, order, k * k)``.
        element: which element's coefficients are read at [g, h], flat; None when lifting.
        side: k.
    """
    (out, inner), order, dtype = weight.shape[:2], basis.shape[1], working_dtype(weight)
    weight, basis = weight.to(dtype), basis.to(dtype)
    if element is None:
        turned = torch.einsum("oib,bgp->ogip", weight, basis)
        return turned.reshape(out * order, inner, side, side)
    gathered = weight.index_select(2, element).unflatten(2, (order, order))
    turned = torch.einsum("oighb,bgp->ogihp", gathered, basis)
    return turned.reshape(out * order, inner * order, side, side)


@fx.wrap
def combined_filters(weight: Tensor, basis: Tensor, side: int) -> Tensor:
    """Filters ``(out * order, in * inner, k, k)`` that are combinations of whole kernels between two fields.

    Args:
        weight: coefficients, ``(out, in, basis)``.
        basis: the kernels, ``(basis, order, inner, k * k)``.
        side: k.
    """
    (out, fields), (order, inner), dtype = weight.shape[:2], basis.shape[1:3], working_dtype(weight)
    found = torch.einsum("oib,bghp->ogihp", weight.to(dtype), basis.to(dtype))
    return found.reshape(out * order, fields * inner, side, side)


class _Permuted(torch.autograd.Function):
    """Filters ``[o, g, i, p] = weight[o, i, index[g, p]]``, and a gradient that gathers instead of scattering.

    Each ``index[g]`` is a permutation, so the adjoint reads with the inverse one, ``back[g]``, and sums over g: no
    atomic additions, and the same sum in every run.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, *rest: Any) -> Tensor:
        """What every training step runs: a forward with ``setup_context`` would read its own signature each time."""
        _remember(ctx, (weight, *rest))
        ctx.shape, ctx.kernels = weight.shape, fused_kernels(weight, "expansion_kernel")
        index, _, side, dtype, channels_last = rest
        if ctx.kernels is not None and {weight.dtype, dtype} <= set(ctx.kernels.DTYPES):
            return ctx.kernels.expand(weight, index, side, dtype, channels_last)
        return _permute(weight, *rest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        kernels = ctx.kernels
        if kernels is None or torch.is_grad_enabled() or not {ctx.own, grads[0].dtype} <= set(kernels.DTYPES):
            return _adjoint(ctx, grads[0])
        return kernels.summed(grads[0], ctx.saved_tensors[1], ctx.shape, ctx.own), *(None,) * 5

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return _permute(tangents[0], *ctx.saved_tensors, *ctx.options)


class _Steered(torch.autograd.Function):
    """Combinations of basis functions, then :class:`_Permuted`: two products and two kernels in a whole step.

    The products are of small matrices and stay in the precision of the weights, also under autocast, which leaves
    calls with ``out=`` alone.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, basis: Tensor, *rest: Any) -> Tensor:
        index, back, side, dtype, channels_last, ctx.kernels = rest
        ctx.save_for_backward(basis, back)
        ctx.shape, ctx.own = weight.shape, weight.dtype
        pixels = weight.new_empty(*weight.shape[:2], basis.shape[1])
        torch.mm(weight.detach().flatten(0, 1), basis, out=pixels.view(-1, basis.shape[1]))
        return ctx.kernels.expand(pixels, index, side, dtype, channels_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        basis, back = ctx.saved_tensors
        (out, inner, _), size = ctx.shape, basis.shape[1]
        if torch.is_grad_enabled() or grads[0].dtype not in ctx.kernels.DTYPES:
            found = _gathered(grads[0], back, ctx.own) @ basis.T
        else:
            pixels = ctx.kernels.summed(grads[0], back, torch.Size((out, inner, size)), ctx.own)
            found = basis.new_empty(ctx.shape)
            torch.mm(pixels.view(-1, size), basis.T, out=found.view(-1, len(basis)))
        return found, *(None,) * 7


class _PermutedTraced(torch.autograd.Function):
    """The same for torch.compile, which cannot trace forward-mode derivatives."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, index: Tensor, back: Tensor, side: int, dtype: torch.dtype, last: bool) -> Tensor:
        return _permute(weight, index, back, side, dtype, last)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        _remember(ctx, inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _adjoint(ctx, grads[0])


class _PermutedUnderTransforms(_PermutedTraced):
    """The same for torch.func."""

    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return _permute(tangents[0], *ctx.saved_tensors, *ctx.options)


def _remember(ctx: Any, inputs: tuple[Any, ...]) -> None:
    weight, index, back, *ctx.options = inputs
    ctx.own = weight.dtype
    ctx.save_for_backward(index, back)
    ctx.save_for_forward(index, back)


def _adjoint(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return _gathered(grad, ctx.saved_tensors[1], ctx.own), *(None,) * 5


def _gathered(grad: Tensor, back: Tensor, dtype: torch.dtype) -> Tensor:
    """The gradient of weights from that of their filters, (out, in, size)."""
    order, size = back.shape
    grad = grad.reshape(grad.shape[0] // order, order, -1, size)
    return grad.gather(3, back[None, :, None].expand(grad.shape)).sum(1, dtype=dtype)


def _permute(
    weight: Tensor,
    index: Tensor,
    back: Tensor,  # noqa: ARG001 - of the adjoint
    side: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    """Filters in their final order and layout by one gather, which is faster than index_select and a copy."""
    (out, inner, size), order, pixels = weight.shape, len(index), side**2
    if channels_last:  # [o, g and p, i, h] instead of [o, g, i, h and p]
        index = index.view(order, -1, pixels).transpose(1, 2).reshape(order * pixels, -1)
    shape = (out, len(index), inner, index.shape[1])
    source = weight.to(dtype).unsqueeze(1).expand(*shape[:3], size)
    filters = source.gather(3, index[None, :, None].expand(shape))
    if channels_last:
        return filters.view(out * order, side, side, -1).permute(0, 3, 1, 2)
    return filters.view(out * order, -1, side, side)


def working_dtype(weight: Tensor) -> torch.dtype:
    """The dtype in which a convolution with these weights runs: autocast's where it is on, else their own."""
    if not isinstance(weight, Tensor):  # a symbolic trace
        return weight.dtype
    device = weight.device.type
    if weight.dtype == torch.float32 and device in ("cpu", "cuda") and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return weight.dtype
