"""Convolution on a torus that commutes with every operation of a wallpaper group, glides included."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import WALLPAPER_GROUPS, WallpaperGroup
from equisym.groups.orbit import orbits
from equisym.nn.arguments import Place, Whole, channels_of, count, whole
from equisym.nn.constant import ConstantModule


class WallpaperConv2d(ConstantModule):
    r"""Local linear layer on a periodic image, exactly equivariant to a whole wallpaper group.

    .. math:: y(p) = b(p) + \sum_{d} W(p, d)\, x(p + d), \qquad W(g p,\, A d) = W(p, d), \quad b(g p) = b(p)

    p is a pixel of the torus, d an offset in a window, g any operation of ``group`` and A its linear part. All
    translations by whole cells belong to the group, so W repeats with the cell; inside the cell it may vary, as far as
    rotations, mirrors and glides allow. With ``cell=1`` and a group without glides it is an ordinary convolution with a
    symmetric kernel. Hexagonal groups act on pixel axes at 120 degrees.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the smallest window; it is completed to a set that is closed under the point group.
        group: one of ``WALLPAPER_GROUPS``, or its name.
        cell: side of the conventional cell in pixels; even for groups with glides or centring.
        bias: whether to add a learned number per channel and orbit of pixels.
        place: ``device`` and ``dtype`` of the weights.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H, W)``; H and W are multiples of the cell, at least the
        window, and equal where the group has rotations of order above 2.

    Raises:
        ValueError: at construction for an unknown group, an even kernel or an odd cell where a half is needed; at the
            call for a wrong number of channels or size.

    >>> layer = WallpaperConv2d(1, 4, 3, group="p4g", cell=4)
    >>> layer(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 4, 8, 8])

    Source: Ravanbakhsh, Schneider & Poczos, Equivariance Through Parameter-Sharing (2017), section 3, for plane groups.
    """

    index: Tensor
    bias_index: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        group: WallpaperGroup | str,
        cell: int,
        bias: bool = True,
        **place: Unpack[Place],
    ) -> None:
        super().__init__()
        if isinstance(group, str):
            if group not in WALLPAPER_GROUPS.names:
                names = " ".join(WALLPAPER_GROUPS.names)
                raise ValueError(f"group must be one of {names} (got {group!r})")
            group = WALLPAPER_GROUPS[group]
        if not isinstance(group, WallpaperGroup):
            raise TypeError(f"group must be a wallpaper group or its name, such as 'p4g' (got {group!r})")
        kernel_size, cell = whole("kernel_size", kernel_size), count("cell", cell)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd (got {kernel_size}): use {kernel_size + 1}")
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)
        self.kernel_size, self.group, self.cell = kernel_size, group, cell
        window = _window(group, kernel_size // 2)
        self.offsets: list[list[int]] = window.tolist()
        index, bias_index = _shared(group, cell, window)
        self.register_constant("index", index, **place)
        self.register_constant("bias_index", bias_index, **place)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, int(index.max()) + 1, **place))
        self.bias = nn.Parameter(torch.zeros(out_channels, int(bias_index.max()) + 1, **place)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all free weights with the scale of He; set the bias to zero."""
        nn.init.normal_(self.weight, 0.0, math.sqrt(2 / (self.in_channels * len(self.offsets))))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        height, width = x.shape[-2:]
        cell = self.cell
        reach = max(abs(d) for offset in self.offsets for d in offset)
        padded = functional.pad(x, (reach,) * 4, mode="circular") if reach else x
        # One block of columns per position in the cell: gather that position's neighbours from every cell, all at once.
        near = torch.stack(
            [padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width] for dx, dy in self.offsets],
            -3,
        )
        near = near.unflatten(-1, (width // cell, cell)).unflatten(-3, (height // cell, cell))
        weight = self.weight.index_select(2, self.index).unflatten(2, (cell, cell, len(self.offsets)))
        out = torch.einsum("...idycxe,oiced->...oycxe", near, weight).flatten(-2).flatten(-3, -2)
        if self.bias is not None:
            bias = self.bias.index_select(1, self.bias_index).view(-1, cell, cell)
            out = out + bias.repeat(1, height // cell, width // cell)
        return out

    @torch.no_grad()
    def to_plain(self) -> nn.Module:
        """The same function as a circular :class:`torch.nn.Conv2d` whose channels are the positions in a cell."""
        cell, weight = self.cell, self.weight.index_select(2, self.index)
        weight = weight.unflatten(2, (cell, cell, len(self.offsets)))
        reach = -(-max(abs(d) for offset in self.offsets for d in offset) // cell)  # in whole cells
        side = 2 * reach + 1
        filters = weight.new_zeros(self.out_channels, cell, cell, self.in_channels, cell, cell, side, side)
        for y, x in np.ndindex(cell, cell):
            for number, (dx, dy) in enumerate(self.offsets):
                (qy, ry), (qx, rx) = divmod(y + dy, cell), divmod(x + dx, cell)
                filters[:, y, x, :, ry, rx, qy + reach, qx + reach] += weight[:, :, y, x, number]
        mixed = filters.flatten(3, 5).flatten(0, 2)
        bias = self.bias is not None
        plain = nn.Conv2d(mixed.shape[1], len(mixed), side, padding=reach, padding_mode="circular", bias=bias).to(mixed)
        plain.weight.copy_(mixed)
        if self.bias is not None and plain.bias is not None:
            plain.bias.copy_(self.bias.index_select(1, self.bias_index).flatten())
        return nn.Sequential(nn.PixelUnshuffle(cell), plain, nn.PixelShuffle(cell)).train(self.training)

    def _check(self, x: Tensor) -> None:
        if channels_of(x) != self.in_channels:
            raise ValueError(f"input must have {self.in_channels} channels (got {x.shape[-3]})")
        height, width = x.shape[-2:]
        if height % self.cell or width % self.cell:
            raise ValueError(f"sides must be multiples of the cell, {self.cell} (got {height} x {width})")
        if self.group.rotation_order > 2 and height != width:
            raise ValueError(f"{self.group} needs a square torus (got {height} x {width})")

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, group='{self.group}', cell={self.cell}"
        return text + ("" if self.bias is not None else ", bias=False")


def _window(group: WallpaperGroup, half: int) -> np.ndarray:
    """Offsets (dx, dy) within ``half`` pixels on each axis, with their images under the point group."""
    square = [(dx, dy) for dy in range(-half, half + 1) for dx in range(-half, half + 1)]
    linear = {op.W for op in group.operations}
    moved = {(a * dx + b * dy, c * dx + d * dy) for (a, b), (c, d) in linear for dx, dy in square}
    return np.array(sorted(moved, key=lambda d: (d[1], d[0])))


def _shared(group: WallpaperGroup, cell: int, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orbits of (pixel of the cell, offset) and of the pixels of the cell."""
    y, x = np.indices((cell, cell)).reshape(2, -1)
    place = {tuple(d): i for i, d in enumerate(offsets.tolist())}
    on_pixels, on_pairs = [], []
    for op in group.operations:
        shift = [t * cell for t in op.w]
        if any(t.denominator != 1 for t in shift):
            raise ValueError(f"cell must be even for {group}, whose glides and centring are half cells (got {cell})")
        (a, b), (c, d) = op.W
        pixel = ((c * x + d * y + int(shift[1])) % cell) * cell + (a * x + b * y + int(shift[0])) % cell
        offset = np.array([place[a * dx + b * dy, c * dx + d * dy] for dx, dy in offsets.tolist()])
        on_pixels.append(pixel)
        on_pairs.append((pixel[:, None] * len(offsets) + offset[None]).ravel())
    return orbits(on_pairs, cell * cell * len(offsets)), orbits(on_pixels, cell * cell)
