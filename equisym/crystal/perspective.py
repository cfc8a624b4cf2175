"""Perspective of an image taken at an angle: found without a lattice, by the sharpness of the spectrum, and removed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equisym.crystal.autocorrelate import detrend, squared_modulus
from equisym.crystal.tuned_constants import PerspectiveOptions

OPTIONS = PerspectiveOptions()


def find_perspective(image: Tensor, options: PerspectiveOptions = OPTIONS) -> tuple[float, float]:
    r"""How much a plane pattern is magnified from one edge of the image to the other, along x and along y.

    The pattern p was taken as :math:`f(x) = p(x / (1 + a x + b y))`, with x and y from -1/2 to 1/2 over the image. Its
    waves are sharp peaks in the spectrum of p, and smeared in that of f. Of all a and b those are right with which

    .. math:: \sum_q P(q)^2 \Big/ \Bigl( \sum_q P(q) \Bigr)^2

    is greatest, P being the power of the image without it: first for waves of few periods over the image, which a
    small perspective does not smear, then for ever finer ones. An image whose fine waves any small perspective would
    smear has none.

    Args:
        image: grey image, (H, W).
        options: constants.

    >>> y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    >>> d = 1 + 0.06 * (x / 160 - 0.5)
    >>> image = sum(torch.cos(2 * torch.pi * ((v - 80) / d) / 11) for v in (x, y))
    >>> a, b = find_perspective(image)
    >>> abs(a - 0.06) < 0.01, abs(b) < 0.01
    (True, True)
    """
    flat = detrend(image.float(), 2)
    flat = _reduced(flat, max(image.shape) // options.side)
    if _is_straight(flat, options):
        return 0.0, 0.0
    best, width = np.zeros(2), options.largest
    for turn, finest in enumerate(options.periods):
        tried = _grid(width, options.steps) + best
        if turn == 1:  # a pattern of many repeats has none but fine waves, and the first round saw nothing of it
            tried = np.concatenate((tried, _grid(options.largest, options.anew)))
        elif turn:
            tried = np.concatenate((tried, _grid(width, options.steps)))
        best = tried[int(_sharpness(flat, tried, finest).argmax())]
        width /= options.closer
    return float(best[0]), float(best[1])


def _is_straight(flat: Tensor, options: PerspectiveOptions) -> bool:
    """Whether the finest waves are clearly sharper in an image as it is than without a small perspective."""
    tried = np.concatenate([_grid(reach, 3) for reach in options.small])
    sharpness, none = _sharpness(flat, tried, options.periods[-1]), ~tried.any(1)
    return bool(sharpness[none].min() > options.straight * sharpness[~none].max())


def _grid(reach: float, steps: int) -> np.ndarray:
    line = np.linspace(-reach, reach, steps)
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


def without_perspective(image: Tensor, perspective: tuple[float, float]) -> Tensor:
    """The pattern of which an image (..., H, W) was taken with a perspective; mirrored where it was not seen."""
    planes = image.reshape(1, -1, *image.shape[-2:]).float()
    places = _places(np.array([perspective]), planes).to(planes)
    options = {"mode": "bicubic", "padding_mode": "reflection", "align_corners": False}
    return functional.grid_sample(planes, places, **options)[0].reshape(image.shape).to(image.dtype)


def _places(perspectives: np.ndarray, like: Tensor) -> Tensor:
    """Where the points of the pattern are in the image, from -1 to 1, (n, H, W, 2)."""
    height, width = like.shape[-2:]
    y, x = ((torch.arange(n) + 0.5) * 2 / n - 1 for n in (height, width))
    at = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    tilt = torch.from_numpy(perspectives).float()[:, None, None, :]
    return at / (1 - (tilt * at / 2).sum(-1, keepdim=True))


def _sharpness(flat: Tensor, perspectives: np.ndarray, finest: float) -> np.ndarray:
    """How much of the power of the waves of up to so many periods is in few of them, for each perspective."""
    flat = _reduced(flat, int(min(flat.shape) / (OPTIONS.samples * finest)))
    height, width = flat.shape
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    rows, columns = torch.fft.fftfreq(height)[:, None] * height, torch.fft.rfftfreq(width) * width
    columns = columns[columns < finest]
    radius = torch.hypot(rows, columns)
    band = ((radius > 1.5) & (radius < finest)).flatten().nonzero()[:, 0]
    ring = radius.flatten().long()[band]

    def power(seen: Tensor) -> Tensor:
        waves = torch.fft.fft(torch.fft.rfft(seen * window)[:, : len(columns)], dim=0)  # only the columns that count
        return squared_modulus(waves.flatten().index_select(0, band))

    # means of wide rings, since a ring between the waves of a straight pattern is all but empty
    total = torch.zeros(int(ring.max()) + 2).index_add_(0, ring + 1, power(flat)).cumsum(0)
    count = torch.zeros_like(total).index_add_(0, ring + 1, torch.ones_like(band, dtype=total.dtype)).cumsum(0)
    middle = torch.arange(len(total) - 1.0)
    first, last = (middle / OPTIONS.ring).long(), (middle * OPTIONS.ring).long().clamp(max=len(total) - 2) + 1
    mean = (total[last] - total[first]) / (count[last] - count[first]).clamp(min=1)
    even = mean.clamp(min=1e-9 * float(mean.max()))[ring] ** -0.5
    at = _places(np.zeros((1, 2)), flat)
    x, y = at[0, 0, :, 0], at[0, :, :1, 1]
    places, out = torch.empty_like(at), []
    for a, b in (perspectives / 2).tolist():
        nearer = (1 - a * x - b * y).reciprocal_()
        torch.mul(x, nearer, out=places[0, ..., 0])
        torch.mul(y, nearer, out=places[0, ..., 1])
        seen = functional.grid_sample(flat[None, None], places, padding_mode="reflection", align_corners=False)
        found = power(seen[0, 0]) * even
        out.append(float(found.square().sum() / found.sum().square().clamp(min=1e-30)))
    return np.array(out)


def _reduced(image: Tensor, step: int) -> Tensor:
    """An image averaged over squares of ``step`` pixels a side."""
    if step < 2:
        return image
    height, width = (n // step * step for n in image.shape)
    return functional.avg_pool2d(image[None, None, :height, :width], step)[0, 0]
