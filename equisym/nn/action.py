"""Action of a group element on images and on regular feature maps, as used in every equivariance test."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from equisym.groups import PointGroup


def act(x: Tensor, g: int, group: PointGroup, *, regular: bool) -> Tensor:
    r"""Apply a group element to an image or to regular fields.

    .. math:: (g f)(h, x) = f(g^{-1} h,\, g^{-1} x)

    Args:
        x: image or feature map, shape ``(B, C, H, W)`` or ``(C, H, W)``; regular fields have the group element fastest.
        g: element of ``group``, 0 .. order - 1.
        group: the point group.
        regular: whether the channels are regular fields (and are permuted) or scalars.

    Returns:
        The moved tensor. Exact (``rot90`` and ``flip``) where g keeps the pixel grid, else bicubic interpolation.

    Raises:
        ValueError: if the channels are not a multiple of the order, or the map is not square although g rotates it.
    """
    if regular:
        if x.shape[-3] % group.order:
            raise ValueError(f"regular fields of {group} need a multiple of {group.order} channels (got {x.shape[-3]})")
        permutation = torch.from_numpy(group.regular_permutation(g)).to(x.device)
        x = x.unflatten(-3, (-1, group.order)).index_select(-3, permutation).flatten(-4, -3)
    return move_pixels(x, g, group)


def move_pixels(x: Tensor, g: int, group: PointGroup) -> Tensor:
    """Apply a group element to the pixels alone: the action on scalar channels."""
    quarter_turns = group.quarter_turns(g)
    if quarter_turns % 2 and x.shape[-1] != x.shape[-2]:
        raise ValueError(f"rotations need square maps (got {x.shape[-2]} x {x.shape[-1]}): crop to the shorter side")
    if g >= group.n:
        x = x.flip(-1)
    if quarter_turns == int(quarter_turns):
        return torch.rot90(x, int(quarter_turns), (-2, -1))
    return _rotate(x, math.pi / 2 * quarter_turns)


def _rotate(x: Tensor, angle: float) -> Tensor:
    if x.ndim == 3:
        return _rotate(x.unsqueeze(0), angle).squeeze(0)
    cos, sin = math.cos(angle), math.sin(angle)
    # grid_sample takes, for each output pixel, the position to read: the inverse rotation, with y down
    theta = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]], dtype=x.dtype, device=x.device)
    grid = functional.affine_grid(theta.expand(len(x), 2, 3), list(x.shape), align_corners=True)
    return functional.grid_sample(x, grid, mode="bicubic", align_corners=True)
