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

from equisym.groups import PointGroup
from equisym.groups.representation import angle_and_flip
from equisym.nn.constant import ConstantModule
from equisym.nn.steerable_kernel import circular_functions, turn_waves


def pixel_basis(kernel_size: int, group: PointGroup) -> Tensor:
    """One basis function per pixel; the group permutes pixels, so the action is exact.

    Args:
        kernel_size: side k of the kernel, odd unless the group is trivial.
        group: C_n or D_n with n dividing 4.

    Returns:
        For each element and pixel, which pixel of the unturned kernel shows there; long, (order, k*k).
    """
    pixels = torch.arange(kernel_size**2).reshape(kernel_size, kernel_size)
    turned = []
    for g in range(group.order):
        image = pixels.flip(-1) if g >= group.n else pixels
        turned.append(torch.rot90(image, (g % group.n) * (4 // group.n), (-2, -1)))
    return torch.stack(turned).flatten(1)


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
    other n the weights are the coefficients of ``circular_basis``.

    Args:
        kernel_size: side of the kernel, odd unless the group is trivial.
        group: the point group.
        lifting: whether the input is an image (no group axis) rather than regular fields.

    Raises:
        ValueError: if the kernel size is not positive, or is even for a group that is not trivial.
    """

    index: Tensor
    basis: Tensor

    def __init__(self, kernel_size: int, group: PointGroup, *, lifting: bool) -> None:
        super().__init__()
        check_kernel_size(kernel_size, group)
        self.kernel_size, self.group, self.lifting = kernel_size, group, lifting
        order = group.order
        # The input element h is read at g^-1 h when the kernel belongs to the output element g.
        element = torch.from_numpy(group.product_table[group.inverse_table])
        if group.exact_on_grid or kernel_size == 1:
            pixels = pixel_basis(kernel_size, group) if group.exact_on_grid else torch.zeros(order, 1, dtype=torch.long)
            index = pixels if lifting else element[:, :, None] * kernel_size**2 + pixels[:, None]
            self.coefficients = kernel_size**2
            self.register_buffer("index", index.reshape(-1), persistent=False)
        else:
            basis = circular_basis(kernel_size, group)
            self.coefficients = len(basis)
            self.register_buffer("index", element.reshape(-1), persistent=False)
            self.register_constant("basis", basis)
        self.exact = group.exact_on_grid or kernel_size == 1

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Free weights of one pair of fields: (coefficients,) when lifting, else (order, coefficients)."""
        return (self.coefficients,) if self.lifting else (self.group.order, self.coefficients)

    def forward(self, weight: Tensor) -> Tensor:
        """Expand free weights.

        Shape:
            weight ``(out, in, *weight_shape)`` -> filters ``(out*order, in, k, k)`` when lifting, else
            ``(out*order, in*order, k, k)``.
        """
        fields_out, fields_in = weight.shape[:2]
        order, k = self.group.order, self.kernel_size
        inner = 1 if self.lifting else order
        if self.exact:
            # gather writes the filters in their final order at once; it is several times faster than index_select
            shape = (fields_out, order, fields_in, inner * k * k)
            source = weight.flatten(2).unsqueeze(1).expand(*shape[:3], -1)
            filters = source.gather(3, self.index.view(1, order, 1, -1).expand(shape))
            return filters.reshape(fields_out * order, fields_in * inner, k, k)
        basis = self.basis.to(weight.dtype)
        if self.lifting:
            turned = torch.einsum("oib,bgp->oigp", weight, basis)[:, :, :, None]
        else:
            gathered = weight.index_select(2, self.index)
            gathered = gathered.view(fields_out, fields_in, order, order, self.coefficients)
            turned = torch.einsum("oighb,bgp->oighp", gathered, basis)
        return turned.permute(0, 2, 1, 3, 4).reshape(fields_out * order, fields_in * inner, k, k)

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


def check_kernel_size(kernel_size: int, group: PointGroup) -> None:
    """Refuse kernels that have no centre pixel to turn about."""
    if kernel_size < 1:
        raise ValueError(f"kernel_size must be at least 1 (got {kernel_size})")
    if kernel_size % 2 == 0 and group.order > 1:
        raise ValueError(
            f"kernel_size must be odd for {group} (got {kernel_size}): an even kernel has no centre pixel to rotate "
            f"about; use {kernel_size - 1} or {kernel_size + 1}"
        )
