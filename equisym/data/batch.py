"""Images of many patterns at once, on any device, with one pass for each wallpaper group among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.data.pattern import Pattern
from equisym.groups.asymmetric_unit import fold_planes


def images(patterns: Sequence[Pattern], size: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Render many patterns; the result equals :meth:`Pattern.image` of each.

    On a GPU each step is one kernel launch for a group. On a CPU one image at a time is as fast: it fits the cache.

    Args:
        patterns: with equal numbers of channels.
        size: side in pixels.
        device: where to compute; the result stays there.

    Returns:
        Shape (B, channels, size, size), float32 in 0..1.
    """
    rasters = [pattern.texture.raster for pattern in patterns]
    result = torch.empty((len(patterns), len(rasters[0].values), size, size), device=device)
    for group in {pattern.group for pattern in patterns}:
        members = [k for k, pattern in enumerate(patterns) if pattern.group == group]
        u, v = fold_planes(*_planes([patterns[k] for k in members], size, device), group)
        rows, columns = (max(rasters[k].values.shape[axis] for k in members) for axis in (1, 2))
        table = result.new_zeros((len(members), result.shape[1], rows, columns))
        maps = []
        for row, k in zip(table, members, strict=True):
            values = rasters[k].values
            row[:, : values.shape[1], : values.shape[2]] = values.to(device)
            m, c = rasters[k].normalised(patterns[k].cell.basis, (rows, columns))
            maps.append([[*m[0], c[0]], [*m[1], c[1]]])
        m = torch.tensor(maps, device=device)[..., None, None]
        grid = torch.stack([m[:, i, 0] * u + m[:, i, 1] * v + m[:, i, 2] for i in range(2)], -1)
        values = functional.grid_sample(table, grid, padding_mode="border", align_corners=True)
        scale = torch.tensor([[patterns[k].contrast, patterns[k].mean] for k in members], device=device)
        result[members] = torch.addcmul(scale[:, 1, None, None, None], values, scale[:, 0, None, None, None])
    return result.clamp_(0, 1)


def _planes(patterns: Sequence[Pattern], size: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    inverses = np.stack([np.linalg.inv(pattern.cell.basis) for pattern in patterns])
    starts = -np.einsum("nij,nj->ni", inverses, np.stack([pattern.cell.origin for pattern in patterns]))
    k = np.arange(size)
    along_x = torch.from_numpy(inverses[:, :, :1] * k + starts[..., None]).float().to(device)
    along_y = torch.from_numpy(inverses[:, :, 1:] * k).float().to(device)
    planes = along_x[:, :, None, :] + along_y[:, :, :, None]
    return planes[:, 0], planes[:, 1]
