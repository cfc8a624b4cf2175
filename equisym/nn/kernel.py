"""Kernels on a group: how free weights become the filters of an ordinary convolution.

A kernel is a combination of basis functions on the k x k pixels. Turning a kernel by a group element turns every basis
function; so the whole of the group's action is one array, basis function by element by pixel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.groups import Group, PointGroup, regular, trivial
from equisym.groups.representation import angle_and_flip
from equisym.nn.constant import ConstantModule
from equisym.nn.steerable_kernel import circular_functions, steerable_basis, turn_waves
from equisym.nn.weight_expansion import combined_filters, permuted_filters, steered_filters, turned_filters


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
        np.rot90(pixels[:, ::-1] if g >= group.n else pixels, int(group.quarter_turns(g))) for g in range(group.order)
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


_STEERABLE_POWER = 8.0
"""Mean square of a steerable function's output. The larger it is, the smaller are the weights, and the more of a kernel
a step of Adam changes. With the best peak rate of each, 1, 3 and 8 reach the same within the spread of three seeds
(``eval/results/kernel_scale.md``); 8 was best on validation images by a little."""

BASES = ("pixels", "circular", "steerable")
"""What the free weights of a kernel can be."""


class GroupKernel(ConstantModule):
    """Expands free weights into the filters of a plain convolution.

    With ``basis="pixels"`` there is one weight per pixel and the expansion permutes them: exact, without arithmetic.
    With ``"circular"`` the weights are the coefficients of ``circular_basis``. With ``"steerable"`` they are those of
    ``steerable_basis`` between regular fields, which is sorted by the group's irreps: the same kernels as the circular
    ones in other coordinates, in which optimisers that scale each coordinate, such as Adam, learn faster.

    Args:
        kernel_size: side of the kernel; even only where n divides 4.
        group: the point group.
        lifting: whether the input is an image (no group axis) rather than regular fields.
        basis: ``"steerable"``, the default; ``"circular"``, only of odd kernels; or ``"pixels"``, only where n divides
            4, and the default of C(1).
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
        if basis not in (None, *BASES):
            raise ValueError(f"basis must be 'pixels', 'circular' or 'steerable' (got {basis!r})")
        if basis == "pixels" and not group.exact_on_grid and kernel_size > 1:
            raise ValueError(f"basis='pixels' needs a group that keeps the pixel grid (got {group}): use 'circular'")
        if basis == "circular" and kernel_size % 2 == 0:
            raise ValueError(f"basis='circular' needs an odd kernel_size (got {kernel_size}): use {kernel_size + 1}")
        self.kernel_size, self.group, self.lifting = kernel_size, group, lifting
        basis = basis or ("steerable" if group.order > 1 else "pixels")
        self.steerable = basis == "steerable"
        order = group.order
        # The input element h is read at g^-1 h when the kernel belongs to the output element g.
        index = element = group.product_table[group.inverse_table]
        self.exact = kernel_size == 1 or (group.exact_on_grid and basis != "circular")
        constants = {"device": device, "dtype": dtype}
        index = element
        if self.exact:
            pixels = pixel_basis(kernel_size, group) if group.exact_on_grid else np.zeros((order, 1), np.int64)
            index = pixels if lifting else element[:, :, None] * kernel_size**2 + pixels[:, None]
            index = index.reshape(order, -1)  # for each element a permutation of the weights of a pair of fields
            self.coefficients = kernel_size**2
            self.register_constant("back", np.argsort(index, 1), device=device)
        elif not self.steerable:
            functions = circular_basis(kernel_size, group)
            self.coefficients = len(functions)
            self.register_constant("basis", functions, **constants)
        if self.steerable:
            inner, outer = trivial(group) if lifting else regular(group), regular(group)
            functions = _STEERABLE_POWER**0.5 * steerable_basis(inner, outer, kernel_size)
            self.coefficients = len(functions)
            # on the grid, the filters of one element hold all weights: the others permute them
            self.register_constant(
                "basis", functions[:, 0].reshape(len(functions), -1) if self.exact else functions, **constants
            )
        if self.exact or not self.steerable:
            self.register_constant("index", index.reshape(-1), device=device)
        if not lifting:
            self.register_constant("products", group.product_table, device=device)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Free weights of one pair of fields: (coefficients,), or (order, coefficients) of pixels and rings."""
        return (self.coefficients,) if self.lifting or self.steerable else (self.group.order, self.coefficients)

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
            index = self.index.view(order, -1)
            if self.steerable and isinstance(weight, Tensor):  # not a symbolic trace
                filters = steered_filters(weight, self.basis, index, self.back, k, channels_last)
                if filters is not None:
                    return filters
            return permuted_filters(self.pixel_weights(weight), index, self.back, k, channels_last)
        if self.steerable:
            return combined_filters(weight, self.basis, k)
        return turned_filters(weight, self.basis, None if self.lifting else self.index, k)

    def pixel_weights(self, weight: Tensor) -> Tensor:
        """One weight per pixel and, between fields, element, of a kernel that permutes them.

        Shape:
            weight ``(out, in, *weight_shape)`` -> ``(out, in, k*k)`` when lifting, else ``(out, in, order, k*k)``.
        """
        if not self.steerable:
            return weight
        pixels = weight @ self.basis.to(weight.dtype)
        return pixels if self.lifting else pixels.unflatten(2, (self.group.order, -1))

    @torch.no_grad()
    def project(self, filters: Tensor) -> Tensor:
        """The free weights whose expansion is nearest to given filters: an average over the group.

        Shape:
            filters as :meth:`forward` gives them -> ``(out, in, *weight_shape)``.
        """
        order, inner = self.group.order, 1 if self.lifting else self.group.order
        out, in_ = filters.shape[0] // order, filters.shape[1] // inner
        parts = filters.view(out, order, in_, inner, -1).permute(0, 2, 1, 3, 4)
        if self.exact:
            size = inner * self.kernel_size**2
            weight = filters.new_zeros(out, in_, size).index_add_(2, self.index, parts.flatten(2))
            weight = weight / torch.bincount(self.index, minlength=size)
            if self.steerable:
                return weight @ torch.linalg.pinv(self.basis.to(filters.dtype))
            return weight.view(out, in_, *self.weight_shape)
        if self.steerable:
            return parts.flatten(2) @ torch.linalg.pinv(self.basis.to(filters.dtype).flatten(1))
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
    def in_every_orientation(self, kernels: Tensor) -> Tensor:
        """The free weights with which each element reads the image, or the same element, through a kernel it turns.

        Band-limited bases hold the nearest kernel that they can.

        Shape:
            ``(out, in, k, k)`` -> ``(out, in, *weight_shape)``.
        """
        if self.steerable:
            basis = "pixels" if self.exact else "circular"
            other = GroupKernel(self.kernel_size, self.group, lifting=self.lifting, basis=basis).to(kernels)
            return self.project(other(other.in_every_orientation(kernels)))
        pixels = kernels.flatten(2)
        free = pixels if self.exact else pixels @ torch.linalg.pinv(self.basis[:, 0].to(kernels.dtype))
        if self.lifting:
            return free
        weight = free.new_zeros(*free.shape[:2], *self.weight_shape)
        weight[:, :, 0] = free
        return weight

    @torch.no_grad()
    def initialise(self, weight: Tensor, *, gain: float = math.sqrt(2)) -> None:
        """He initialisation of the expanded filters: their fan-in, not that of the free weights, sets the scale."""
        fan_in = weight.shape[1] * (1 if self.lifting else self.group.order)
        if self.steerable:  # a coefficient of 1 gives an output of that power
            scale = gain / math.sqrt(weight.shape[1] * self.coefficients * _STEERABLE_POWER)
        elif self.exact:
            scale = gain / math.sqrt(fan_in * self.kernel_size**2)
        else:  # unit-norm basis functions: each coefficient adds its square to a filter's power
            scale = gain / math.sqrt(fan_in * self.coefficients)
        weight.normal_(0.0, scale)


def check_kernel_size(kernel_size: int, group: Group) -> None:
    """Refuse even kernels where a rotation would take their corners off the pixels."""
    if kernel_size % 2 == 0 and not group.exact_on_grid:
        raise ValueError(
            f"kernel_size must be odd for {group} (got {kernel_size}): only quarter turns and flips keep an even "
            f"kernel; use {kernel_size - 1} or {kernel_size + 1}"
        )
