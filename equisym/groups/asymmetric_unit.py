"""Folding the plane onto the asymmetric unit of a wallpaper group, by half-plane tests alone.

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

    Points on the unit's boundary that a rotation or a glide identifies may go to either of their images.

    >>> from equisym.groups import WALLPAPER_GROUPS
    >>> fold(torch.tensor([[0.75, 0.8], [0.25, 0.2]]), WALLPAPER_GROUPS["p2"])
    tensor([[0.2500, 0.2000],
            [0.2500, 0.2000]])
    """
    x, y = points.unbind(-1)
    if group.family == "hexagonal":
        return _fold_hexagonal(x, y, group.name)
    return torch.stack(_RECTANGULAR[group.name](x, y), -1)


def _frac(x: Tensor) -> Tensor:
    return x - torch.floor(x)


def _mirror(x: Tensor) -> Tensor:
    """Fold by the mirrors at 0 and 1/2."""
    return (x - torch.round(x)).abs()


def _p2(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y = y - torch.round(y)
    return _frac(torch.where(y < 0, -x, x)), y.abs()


def _pg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y = 2 * _frac(y)
    return _frac(torch.where(y >= 1, -x, x)), _frac(y) / 2


def _cm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    y = 2 * _frac(y)
    return _mirror(torch.where(y >= 1, x + 0.5, x)), _frac(y) / 2


def _pmg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p2(x, y)
    return _mirror(x - 0.25) + 0.25, y  # mirrors at 1/4 and 3/4


def _pgg(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p2(x, y)
    return torch.where(x >= 0.5, x - 0.5, x), torch.where(x >= 0.5, 0.5 - y, y)


def _cmm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _mirror(x), _mirror(y)
    far = y > 0.25  # the 2-fold axis at (1/4, 1/4)
    return torch.where(far, 0.5 - x, x), torch.where(far, 0.5 - y, y)


def _p4(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = x - torch.round(x), y - torch.round(y)
    turn = x * y < 0
    return torch.where(turn, y.abs(), x.abs()), torch.where(turn, x.abs(), y.abs())


def _p4m(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _mirror(x), _mirror(y)
    return torch.maximum(x, y), torch.minimum(x, y)


def _p4g(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _p4(x, y)
    over = x + y > 0.5
    return torch.where(over, 0.5 - y, x), torch.where(over, 0.5 - x, y)


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


def _fold_hexagonal(x: Tensor, y: Tensor, name: str) -> Tensor:
    """Fold by the triangles whose corners are the 3-fold axes, of three kinds: 0, (2/3, 1/3) and (1/3, 2/3).

    A point lies in an upright or an inverted triangle and has three barycentric weights, one for each kind of corner.
    p3 keeps kinds and uprightness apart; mirrors and 2-fold axes merge them.
    """
    i_real, j_real = 2 * x - y, 2 * y - x
    i, j = torch.floor(i_real), torch.floor(j_real)
    p, q = i_real - i, j_real - j
    inverted = p + q > 1
    w0 = torch.where(inverted, p + q - 1, 1 - p - q)
    w1 = torch.where(inverted, 1 - q, p)
    w2 = torch.where(inverted, 1 - p, q)
    kind = torch.remainder(i + 2 * j, 3)  # kind of the corner that w0 belongs to; w1 and w2 follow in turn
    a = torch.where(kind == 0, w1, torch.where(kind == 1, w0, w2))  # weight of the corner (2/3, 1/3)
    b = torch.where(kind == 0, w2, torch.where(kind == 1, w1, w0))  # weight of the corner (1/3, 2/3)
    if name == "p6":  # the 2-fold axes turn triangles over and swap the two kinds
        a, b = torch.where(inverted, b, a), torch.where(inverted, a, b)
    if name in ("p31m", "p6m"):  # mirrors along the lattice vectors swap the two kinds
        a, b = torch.maximum(a, b), torch.minimum(a, b)
    u, v = (2 * a + b) / 3, (a + 2 * b) / 3
    if name in ("p3", "p31m"):  # an inverted triangle has the far corner (1, 1) in place of 0
        far = torch.where(inverted, 1 - a - b, torch.zeros_like(a))
        u, v = u + far, v + far
    return torch.stack((u, v), -1)
