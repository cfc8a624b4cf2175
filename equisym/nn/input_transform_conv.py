"""The group convolution computed by turning its input instead of its kernels: for wide layers on small maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.nn.action import move_pixels


def turning_is_cheaper(
    x: Tensor, weight: Tensor, *, group: PointGroup, kernel_size: int, stride: int, padding: int, dilation: int
) -> bool:
    """Whether :func:`convolve_turned` applies to this input and copies fewer numbers than expanding the kernels.

    It applies to square maps of groups that keep the pixel grid, at sizes that the stride samples symmetrically.
    Exported and traced programs expand the kernels, which leaves batch and size free.
    """
    if not isinstance(x, Tensor) or x.device.type != "cpu" or x.ndim != 4:  # a GPU counts launches
        return False
    if _exporting() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return False
    if not group.exact_on_grid or group.order == 1:
        return False
    side, reach = x.shape[-1], dilation * (kernel_size - 1)
    room = side + 2 * padding - reach - 1
    if x.shape[-2] != side or room < 0 or room % stride or not x.is_contiguous():
        return False
    turned = group.order * (x.numel() + x.shape[0] * weight.shape[0] * (room // stride + 1) ** 2)
    filters = group.order**2 * weight.shape[0] * weight.shape[1] * kernel_size**2
    return turned < filters


def convolve_turned(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    sources: Tensor,
    group: PointGroup,
    kernel_size: int,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
) -> Tensor:
    r"""Group convolution with one small convolution on every turned input.

    .. math:: y(g, \cdot) = g \,\bigl(\psi \star (g^{-1} f)\bigr)

    Turning the kernels gives the same numbers, but writes the ``order`` times larger filters first; where the maps are
    smaller than the filters, that and the convolution with them cost more than this.

    Args:
        x: regular fields, shape ``(B, in * order, N, N)``.
        weight: free weights, one per element and pixel, shape ``(out, in / groups, order, kernel_size**2)``.
        bias: one number per output field, or None.
        sources: the element g h at [g, h], shape (order, order).
        group: the point group, which must keep the pixel grid.
        kernel_size: side of the kernel.
        stride: step; it must sample the padded side symmetrically.
        padding: zeros added on each side.
        dilation: distance between the kernel's pixels.
        groups: equal consecutive parts that are connected only to each other.

    Returns:
        ``(B, out * order, N', N')``.
    """
    elements = range(group.order)
    fields = x.unflatten(1, (-1, group.order))
    moved = [fields.index_select(2, sources[g]).flatten(1, 2) for g in elements]  # (g^-1 f)(h) = f(g h)
    turned = torch.cat([move_pixels(moved[g], group.inverse(g), group) for g in elements])
    kernels = weight.flatten(1, 2).unflatten(2, (kernel_size, kernel_size))
    answers = functional.conv2d(turned, kernels, bias, stride, padding, dilation, groups).chunk(group.order)
    return torch.stack([move_pixels(answers[g], g, group) for g in elements], 2).flatten(1, 2)


_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # torch 2.6 has only the second
