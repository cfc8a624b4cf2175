"""Fold the plane onto the asymmetric unit of a wallpaper group, with half-plane tests alone.

Each point of the plane has one representative in the asymmetric unit. A function of the representative is invariant
under the whole group, whatever the function, which is how this package draws images with an exact symmetry.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equisym.groups.wallpaper import WallpaperGroup


def fold(points: Tensor, group: WallpaperGroup) -> Tensor:
    r"""Map fractional coordinates to their representatives in the asymmetric unit.

    .. math:: \mathrm{fold}(g\,u) = \mathrm{fold}(u) \quad\text{for every operation } g \text{ of the group}

    Args:
        points: fractional coordinates in the conventional cell, shape ``(..., 2)``, any floating dtype.
        group: the wallpaper group.

    Returns:
        Representatives, shape ``(..., 2)``. The asymmetric unit has the area of the cell divided by ``group.order``.

    A boundary point that a rotation or glide maps to another boundary point may go to either of the two.

    >>> from equisym.groups import WALLPAPER_GROUPS
    >>> fold(torch.tensor([[0.75, 0.8], [0.25, 0.2]]), WALLPAPER_GROUPS["p2"])
    tensor([[0.2500, 0.2000],
            [0.2500, 0.2000]])
    """
    x, y = points.unbind(-1)
    return torch.stack(fold_planes(x, y, group), -1)


def fold_planes(x: Tensor, y: Tensor, group: WallpaperGroup) -> tuple[Tensor, Tensor]:
    """:func:`fold` for two separate coordinate arrays, which is faster; images are drawn with it.

    Args:
        x: first fractional coordinates, any shape.
        y: second fractional coordinates, same shape.
        group: the wallpaper group.

    Returns:
        The two coordinates of the representatives.
    """
    if group.family == "hexagonal":
        return _fold_hexagonal(x, y, group.name)
    return _RECTANGULAR[group.name](x, y)


def _frac(x: Tensor) -> Tensor:
    return x - torch.floor(x)


def _mirror(x: Tensor) -> Tensor:
    """Fold by the mirrors at 0 and 1/2."""
    return (x - torch.round(x)).abs()


def _sign(x: Tensor) -> Tensor:
    return torch.copysign(torch.ones((), dtype=x.dtype, device=x.device), x)


def _halves(y: Tensor) -> tuple[Tensor, Tensor]:
    """Position within half a period, and 0 or 1/2 to say which half. Arithmetic is several times faster than masks."""
    n = torch.floor(2 * y)
    return y - 0.5 * n, _frac(0.5 * n)


def _p2_mirrored(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y = y - torch.round(y)
    return x * _sign(y), y.abs()


def _p2(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p2_mirrored(x, y)
    return _frac(x), y


def _pg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y, half = _halves(y)
    return _frac(x * (1 - 4 * half)), y


def _cm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y, half = _halves(y)
    return _mirror(x + half), y


def _pmg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p2_mirrored(x, y)
    return _mirror(x - 0.25) + 0.25, y  # mirrors at 1/4 and 3/4


def _pgg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p2_mirrored(x, y)
    x, half = _halves(x)
    return x, (half - y).abs()


def _cmm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _mirror(x), _mirror(y)
    far = torch.ceil(y - 0.25)  # 1 beyond the 2-fold axis at (1/4, 1/4), else 0
    return (0.5 * far - x).abs(), torch.minimum(y, 0.5 - y)


def _p4(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = x - torch.round(x), y - torch.round(y)
    turn = 0.5 - 0.5 * _sign(x * y)
    x, y = x.abs(), y.abs()
    swap = turn * (y - x)
    return x + swap, y - swap


def _p4m(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _mirror(x), _mirror(y)
    return torch.maximum(x, y), torch.minimum(x, y)


def _p4g(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p4(x, y)
    over = torch.relu(x + y - 0.5)
    return x - over, y - over


_RECTANGULAR = {
    "p1": lambda x, y: (_frac(x), _frac(y)),
    "p2": _p2,
    "pm": lambda x, y: (_mirror(x), _frac(y)),
    "pg": _pg,
    "cm": _cm,
    "pmm": lambda x, y: (_mirror(x), _mirror(y)),
    "pmg": _pmg,
    "pgg": _pgg,
    "cmm": _cmm,
    "p4": _p4,
    "p4m": _p4m,
    "p4g": _p4g,
}


def _fold_hexagonal(x: Tensor, y: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Fold by the triangles whose corners are the 3-fold axes, of three kinds: 0, (2/3, 1/3) and (1/3, 2/3).

    A point lies in an upright or an inverted triangle and has three barycentric weights, one for each kind of corner.
    In p3 all three kinds and both orientations differ; mirrors and 2-fold axes make some of them equivalent.
    """
    p, q = 2 * x - y, 2 * y - x
    i, j = torch.floor(p), torch.floor(q)
    p, q = p - i, q - j
    w0 = 1 - p - q  # negative in an inverted triangle
    below = torch.clamp(w0, max=0)
    w1, w2 = p + below, q + below
    inverted = 0.5 - 0.5 * _sign(w0)
    w0 = w0.abs()
    i = i - j
    kind = i - 3 * torch.floor((i + 0.5) / 3)  # 0, 1, 2: kind of the corner that w0 belongs to; the others follow
    first = kind * (2 - kind)  # 1 where kind is 1
    second = 0.5 * (kind - first)  # 1 where kind is 2
    a = w1 + first * (w0 - w1) + second * (w2 - w1)  # weight of the corner (2/3, 1/3)
    b = w2 + first * (w1 - w2) + second * (w0 - w2)  # weight of the corner (1/3, 2/3)
    if name == "p6":  # the 2-fold axes turn triangles over and swap the two kinds
        swap = inverted * (b - a)
        a, b = a + swap, b - swap
    if name in ("p31m", "p6m"):  # mirrors along the lattice vectors swap the two kinds
        a, b = torch.maximum(a, b), torch.minimum(a, b)
    u, v = (2 * a + b) / 3, (a + 2 * b) / 3
    if name in ("p3", "p31m"):  # an inverted triangle has the far corner (1, 1) in place of 0
        far = inverted * (1 - a - b)
        u, v = u + far, v + far
    return u, v
