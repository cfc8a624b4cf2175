"""Field mask: the part of an image that shows the specimen, if an aperture or a rotated scan leaves the rest empty."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, binary_opening, label, uniform_filter
from torch import Tensor

_WINDOW = 5  # pixels: side of the squares in which contrast is measured
_EMPTY = 0.1  # of the contrast that a tenth of the squares exceed: less counts as empty
_BORDER = 0.1  # fraction of the border that must be flat before anything can be empty
_MOST, _LEAST = 0.93, 0.05  # of the image: above, there is no mask; below, no field


def field_mask(image: Tensor) -> Tensor | None:
    """Find the convex part of an image outside of which it is empty up to the border.

    Empty means connected to the border and without contrast. The mask is the convex hull of the rest, less a margin
    for the edge. A pattern of spots on a flat background may look the same: compare the results with and without
    the mask.

    Args:
        image: grey image, shape (H, W).

    Returns:
        Which pixels are in the mask, (H, W), or ``None`` if they are all of the image or next to nothing.

    >>> y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    >>> disc = torch.hypot(x - 40, y - 48) < 36
    >>> found = field_mask(disc * (2 + torch.sin(x) + torch.sin(y / 2)))
    >>> bool(found[~disc].any()), bool((found.sum() / disc.sum()) > 0.85)
    (False, True)
    >>> field_mask(2 + torch.sin(x) + torch.sin(y / 2)) is None
    True
    """
    grey = image.detach().cpu().numpy()
    grey = grey - grey.mean()
    edge = np.concatenate([np.abs(np.diff(line)) for line in (grey[0], grey[-1], grey[:, 0], grey[:, -1])])
    if (edge <= _EMPTY * grey.std()).mean() < _BORDER:
        return None
    if _contrasted_border(grey):
        return None
    contrast = _contrast(grey)
    parts = np.asarray(label(contrast <= _EMPTY * np.quantile(contrast, 0.9))[0])  # pyright: ignore[reportIndexIssue]
    border = np.concatenate((parts[0], parts[-1], parts[:, 0], parts[:, -1]))
    seen = ~np.isin(parts, np.setdiff1d(border, 0))
    if seen.mean() > _MOST:
        return None
    seen = np.asarray(binary_opening(seen, iterations=_WINDOW // 2))
    points = np.argwhere(seen)
    if len(points) < _LEAST * seen.size or (np.ptp(points, axis=0) < _WINDOW).any():
        return None
    from scipy.spatial import ConvexHull  # loaded for the few images that need it

    edges = ConvexHull(points).equations  # normal . (row, column) + offset <= 0 inside
    rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
    # the squares reach half a window across the edge; leave out as much again inside it
    inside = np.ones_like(seen)
    for normal_y, normal_x, offset in edges:
        inside &= normal_y * rows + normal_x * columns + offset <= 0
    inside = binary_erosion(inside, iterations=_WINDOW, border_value=1)
    if not _LEAST < inside.mean() < _MOST:
        return None
    return torch.from_numpy(inside).to(image.device)


def _contrast(grey: NDArray[np.floating]) -> NDArray[np.floating]:
    """Standard deviation of the square around each pixel."""
    variance = uniform_filter(grey**2, _WINDOW) - uniform_filter(grey, _WINDOW) ** 2
    return np.sqrt(np.maximum(variance, 0))


def _contrasted_border(grey: NDArray[np.floating]) -> bool:
    """Whether too little of the border lacks contrast for anything to be empty.

    What a convex part of at most ``_MOST`` of a rectangle leaves lies along a fifth of its border at least.
    """
    rows, columns = (side // _WINDOW for side in grey.shape)
    squares = grey[: rows * _WINDOW, : columns * _WINDOW].reshape(rows, _WINDOW, -1)[::2]  # a sample of them
    mean, square = (v.sum(1).reshape(-1, columns, _WINDOW).sum(2) / _WINDOW**2 for v in (squares, squares**2))
    least = 1.5 * _EMPTY * np.quantile(np.sqrt(np.maximum(square - mean**2, 0)), 0.9)  # with room to spare
    strips = [side[: 2 * _WINDOW] for side in (grey, grey[::-1], grey.T, grey.T[::-1])]
    border = np.concatenate([_contrast(strip)[0] for strip in strips])
    return bool((border <= least).mean() < _BORDER)
