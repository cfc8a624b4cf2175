"""Kernels on a group: how free weights become the filters of an ordinary convolution.

A kernel is a combination of basis functions on the k x k pixels. Turning a kernel by a group element turns every basis
function; so the whole of the group's action is one array, basis function by element by pixel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from equisym.groups import Group, PointGroup
from equisym.groups.representation import angle_and_flip
from equisym.nn.constant import ConstantModule
from equisym.nn.steerable_kernel import circular_functions, turn_waves


def pixel_basis(kernel_size: int, group: PointGroup) -> NDArray[np.int64]:
    """One basis function per pixel; the group permutes pixels, so the action is exact.

    Args:
        kernel_size: side k of the kernel, odd or even.
        group: C_n or D_n with n dividing 4.

    Returns:
        For each element and pixel, which pixel of the unturned kernel shows there, (order, k*k).
    """
    pixels = np.arange(kernel_size**2).reshape(kernel_size, kernel_size)
    turned = [
        np.rot90(pixels[:, ::-1] if g >= group.n else pixels, (g % group.n) * (4 // group.n))
        for g in range(group.order)
    ]
    return np.stack(turned).reshape(group.order, -1)


def circular_basis(kernel_size: int, group: PointGroup) -> NDArray[np.float64]:
    r"""Circular harmonics on rings, sampled at the pixels: a band-limited basis that can be turned by any angle.

    .. math:: B_{j,m}(r, \phi) = e^{-(r - j)^2 / 2\sigma_j^2} \, \{\cos m\phi, \sin m\phi\}

    for the rings j and frequencies m of :func:`equisym.nn.steerable_kernel.rings`, the same as in steerable kernels.
    Within the basis, turning is exact at every angle; what is left of the error is that the image is sampled on a
    square grid (Weiler, Hamprecht & Storath 2018, section 3).

    Args:
        kernel_size: side k of the kernel, odd.
        group: any C_n or D_n.

    Returns:
        Every basis function turned by every element, (basis, order, k*k), unit norm for the unturned ones.
    """
    back = [angle_and_flip(group, group.inverse(g)) for g in range(group.order)]
    blocks = [
        np.stack([turn_waves(m, *element) @ waves for element in back], 1)
        for m, waves in circular_functions(kernel_size)
    ]
    basis = np.concatenate(blocks)
    return basis / np.linalg.norm(basis[:, :1], axis=-1, keepdims=True)


class GroupKernel(ConstantModule):
    """Expands free weights into the filters of a plain convolution.

    With n dividing 4 there is one weight per pixel and the expansion permutes them: exact, and free of arithmetic. For
    other n, and where it is asked for, the weights are the coefficients of ``circular_basis``.

    Args:
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group.
        lifting: whether the input is an image (no group axis) rather than regular fields.
        basis: ``"pixels"``, only where n divides 4, or ``"circular"``; the first by default where it can be had.
        device: where to make the constants.
        dtype: of the basis.

    Raises:
        ValueError: if the kernel size is not positive, or is even for a group that leaves the pixel grid; for a basis
            that there is not, or not for this group.
    """

    index: Tensor
    back: Tensor
    basis: Tensor
    products: Tensor

    def __init__(
        self,
        kernel_size: int,
        group: PointGroup,
        *,
        lifting: bool,
        basis: str | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_kernel_size(kernel_size, group)
        if basis not in (None, "pixels", "circular"):
            raise ValueError(f"basis must be 'pixels' or 'circular' (got {basis!r})")
        if basis == "pixels" and not group.exact_on_grid and kernel_size > 1:
            raise ValueError(f"basis='pixels' needs a group that keeps the pixel grid (got {group}): use 'circular'")
        if basis == "circular" and kernel_size % 2 == 0:
            raise ValueError(f"basis='circular' needs an odd kernel_size (got {kernel_size}): use {kernel_size + 1}")
        self.kernel_size, self.group, self.lifting = kernel_size, group, lifting
        order = group.order
        # The input element h is read at g^-1 h when the kernel belongs to the output element g.
        element = group.product_table[group.inverse_table]
        self.exact = kernel_size == 1 or (group.exact_on_grid and basis != "circular")
        if self.exact:
            pixels = pixel_basis(kernel_size, group) if group.exact_on_grid else np.zeros((order, 1), np.int64)
            index = pixels if lifting else element[:, :, None] * kernel_size**2 + pixels[:, None]
            index = index.reshape(order, -1)  # for each element a permutation of the weights of a pair of fields
            self.coefficients = kernel_size**2
            self.register_constant("back", np.argsort(index, 1), device=device)
        else:
            functions, index = circular_basis(kernel_size, group), element
            self.coefficients = len(functions)
            self.register_constant("basis", functions, device=device, dtype=dtype)
        self.register_constant("index", index.reshape(-1), device=device)
        if not lifting:
            self.register_constant("products", group.product_table, device=device)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Free weights of one pair of fields: (coefficients,) when lifting, else (order, coefficients)."""
        return (self.coefficients,) if self.lifting else (self.group.order, self.coefficients)

    def forward(self, weight: Tensor, *, channels_last: bool = False) -> Tensor:
        """Expand free weights.

        Under autocast the small weights are cast, not the filters.

        Args:
            weight: free weights.
            channels_last: whether to write the filters of a group that keeps the pixel grid in that layout.

        Shape:
            weight ``(out, in, *weight_shape)`` -> filters ``(out*order, in, k, k)`` when lifting, else
            ``(out*order, in*order, k, k)``.
        """
        order, k = self.group.order, self.kernel_size
        if self.exact:
            return permuted_filters(weight, self.index.view(order, -1), self.back, k, channels_last)
        return turned_filters(weight, self.basis, None if self.lifting else self.index, k)

    @torch.no_grad()
    def project(self, filters: Tensor) -> Tensor:
        """The free weights whose expansion is nearest to given filters: an average over the group.

        Shape:
            filters as :meth:`forward` gives them -> ``(out, in, *weight_shape)``.
        """
        order, inner = self.group.order, 1 if self.lifting else self.group.order
        out, in_ = filters.shape[0] // order, filters.shape[1] // inner
        parts = filters.view(out, order, in_, inner, -1).permute(0, 2, 1, 3, 4)
        size = math.prod(self.weight_shape)
        weight = filters.new_zeros(out, in_, size)
        if self.exact:
            weight.index_add_(2, self.index, parts.flatten(2))
            return (weight / torch.bincount(self.index, minlength=size)).view(out, in_, *self.weight_shape)
        # Each element's turned basis reads the same coefficients: one least-squares problem for all elements.
        stacked = self.basis.to(filters.dtype)
        if self.lifting:
            design, target = stacked.flatten(1).T, parts.flatten(2)
        else:
            design = stacked.flatten(1).T
            back = torch.argsort(self.index.view(order, order), 1)
            target = parts.gather(3, back[None, None, :, :, None].expand_as(parts)).transpose(2, 3).flatten(3)
        found = torch.linalg.pinv(design) @ target.flatten(0, -2).T
        return found.T.reshape(out, in_, *self.weight_shape)

    @torch.no_grad()
    def initialise(self, weight: Tensor, *, gain: float = math.sqrt(2)) -> None:
        """He initialisation of the expanded filters: their fan-in, not that of the free weights, sets the scale."""
        fan_in = weight.shape[1] * (1 if self.lifting else self.group.order)
        if self.exact:
            scale = gain / math.sqrt(fan_in * self.kernel_size**2)
        else:  # unit-norm basis functions: each coefficient adds its square to a filter's power
            scale = gain / math.sqrt(fan_in * self.coefficients)
        weight.normal_(0.0, scale)


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
    if torch.compiler.is_compiling():
        function = _PermutedTraced
    else:
        function = _PermutedUnderTransforms if torch._C._are_functorch_transforms_active() else _Permuted
    return function.apply(weight.flatten(2), index, back, side, working_dtype(weight), channels_last)


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


class _Permuted(torch.autograd.Function):
    """Filters ``[o, g, i, p] = weight[o, i, index[g, p]]``, and a gradient that gathers instead of scattering.

    Each ``index[g]`` is a permutation, so the adjoint reads with the inverse one, ``back[g]``, and sums over g: no
    atomic additions, and the same sum in every run.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, *rest: Any) -> Tensor:
        """What every training step runs: a forward with ``setup_context`` would read its own signature each time."""
        _remember(ctx, (weight, *rest))
        return _permute(weight, *rest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _adjoint(ctx, grads[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return _permute(tangents[0], *ctx.saved_tensors, *ctx.options)


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
    _, back = ctx.saved_tensors
    order, size = back.shape
    grad = grad.reshape(grad.shape[0] // order, order, -1, size)
    return grad.gather(3, back[None, :, None].expand(grad.shape)).sum(1, dtype=ctx.own), *(None,) * 5


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


def check_kernel_size(kernel_size: int, group: Group) -> None:
    """Refuse even kernels where a rotation would take their corners off the pixels."""
    if kernel_size % 2 == 0 and not group.exact_on_grid:
        raise ValueError(
            f"kernel_size must be odd for {group} (got {kernel_size}): only quarter turns and flips keep an even "
            f"kernel; use {kernel_size - 1} or {kernel_size + 1}"
        )
