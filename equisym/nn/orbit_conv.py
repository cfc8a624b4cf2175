"""A convolution that commutes with permutations of its channels and symmetries of its pixels, by sharing weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equisym.groups import D
from equisym.groups.orbit import check_permutation, orbits
from equisym.nn.arguments import Whole, count, tuples
from equisym.nn.expanded_conv import ExpandedConv2d, GridOptions

Generator = tuple[Sequence[int] | NDArray[Any], Sequence[int] | NDArray[Any], int]


class OrbitConv2d(ExpandedConv2d):
    r"""Convolution whose weights are shared along the orbits of channel permutations joined to pixel symmetries.

    .. math:: W_{m,n}(x) = W_{g m,\, g n}(g x), \qquad b_m = b_{g m}

    g runs over the group that ``generators`` generate; it takes input channel n to ``g n``, output channel m to ``g m``
    and the pixel x of the kernel to ``g x``, a symmetry of the square. With regular permutations this is the group
    convolution; other sharing patterns are stated in the same way.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        generators: triples of a permutation of the input channels, one of the output channels, and an element of D(4)
            (0..3 quarter turns counter-clockwise, 4..7 the same after the left-right flip).
        bias: whether to add a learned number per orbit of the output channels.
        device: where to make the weights.
        dtype: of the weights.
        options: ``stride``, ``padding``, ``dilation`` and ``padding_mode``, as :class:`GroupConv2d` takes them.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H', W')``.

    Raises:
        ValueError: at construction for bad permutations or elements; at the call for a wrong number of channels.

    >>> turn = [1, 2, 3, 0]
    >>> OrbitConv2d(4, 4, 3, generators=[(turn, turn, 1)]).weight.numel()
    36

    Source: Ravanbakhsh, Schneider & Poczos, Equivariance Through Parameter-Sharing (2017), section 4.
    """

    index: Tensor
    bias_index: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        generators: Sequence[Generator],
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[GridOptions],
    ) -> None:
        super().__init__(kernel_size, **options)
        kernel_size = self.kernel_size
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)
        moves, outer = [], []
        for number, (g_in, g_out, element) in enumerate(tuples("generators", generators, 3)):
            p_in = check_permutation(g_in, in_channels, f"input permutation {number}")
            p_out = check_permutation(g_out, out_channels, f"output permutation {number}")
            pixels = _pixel_move(kernel_size, element)
            pair = p_out[:, None, None] * in_channels + p_in[None, :, None]
            moves.append((pair * kernel_size**2 + pixels[None, None]).ravel())
            outer.append(p_out)
        index = orbits(moves, out_channels * in_channels * kernel_size**2)
        bias_index = orbits(outer, out_channels)
        self.generators = len(moves)
        self.register_constant("index", index, device=device)
        self.register_constant("bias_index", bias_index, device=device)
        self.weight = nn.Parameter(torch.empty(int(index.max()) + 1, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(int(bias_index.max()) + 1, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all free weights uniformly, with the bound of :class:`torch.nn.Conv2d`."""
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size**2)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the output."""
        return self.in_channels, self.out_channels

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution performed."""
        k = self.kernel_size
        full = self.weight[self.index].view(self.out_channels, self.in_channels, k, k)
        return full, None if self.bias is None else self.bias[self.bias_index]

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, generators=<{self.generators} triples>"


def _pixel_move(kernel_size: int, element: int) -> NDArray[np.int64]:
    """Where an element of D(4) moves each pixel of the kernel."""
    square = D(4)
    if not 0 <= element < square.order:
        raise ValueError(f"pixel element must be one of 0..7, an element of D(4) (got {element})")
    half = (kernel_size - 1) / 2
    y, x = np.indices((kernel_size, kernel_size)) - half
    moved = square.matrix(element) @ np.stack((x.ravel(), y.ravel())) + half
    columns, rows = moved.round().astype(np.int64)
    return rows * kernel_size + columns
