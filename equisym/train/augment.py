"""Augmentation of training images: rotations, flips and changes of tone that keep the wallpaper group."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

_BLURS = (0.7, 1.4, 2.8)  # standard deviations in pixels, between which the bands lie


def turn_and_flip(images: Tensor) -> Tensor:
    """Move each image by a random element of D4.

    Args:
        images: square, shape (B, C, N, N).

    Returns:
        The same shape.
    """
    flip, half, quarter = torch.rand((3, len(images), 1, 1, 1), device=images.device) < 0.5
    images = torch.where(flip, images.flip(-1), images)
    images = torch.where(half, images.rot90(2, (-2, -1)), images)
    return torch.where(quarter, images.rot90(1, (-2, -1)), images)


def vary_appearance(images: Tensor) -> Tensor:
    r"""Change the appearance of each image but not its symmetry: random filter, tone, inversion and noise.

    Four bands of spatial frequency, parted by isotropic Gaussians, get random gains, so that an image is blurred or
    sharpened. Then the grey values, at mean 0 and deviation 1, are skewed, stretched or squeezed and inverted,

    .. math:: y = \pm\sinh(\delta\,\mathrm{arsinh}(x) + \epsilon)

    and in every second image a little noise is added. All of it except the noise is the same at all pixels
    and commutes with rotations, flips and translations. One image in four is left as it is.

    Args:
        images: shape (B, C, H, W).

    Returns:
        The same shape, each image at mean 0 and deviation 1.

    Source of the curve: Jones & Pewsey, Sinh-arcsinh distributions (2009).
    """
    count = len(images)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand((count, 1, 1, 1), device=images.device, dtype=images.dtype)

    original = _standardised(images)
    smooth = [original, *(_blurred(original, sigma) for sigma in _BLURS)]
    bands = [*(fine - coarse for fine, coarse in pairwise(smooth)), smooth[-1]]
    look = _standardised(sum((band * draw(-math.log(4), math.log(4)).exp() for band in bands), bands[0] * 0))
    curved = _standardised(torch.sinh(draw(0.5, 2.0) * torch.asinh(look) + draw(-1.5, 1.5)))
    noise = draw(-math.log(50), -math.log(4)).exp() * (draw(0, 1) < 0.5) * torch.randn_like(images)
    varied = curved * torch.where(draw(0, 1) < 0.5, 1.0, -1.0) + noise
    return torch.where(draw(0, 1) < 0.25, original, varied)


def _standardised(images: Tensor) -> Tensor:
    variance, mean = torch.var_mean(images, (-2, -1), keepdim=True)
    return (images - mean) / (variance + 1e-6).sqrt()


def _blurred(images: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(2.5 * sigma)
    steps = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma).square())
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    padded = functional.pad(images, (reach,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel, groups=images.shape[1])
    return functional.conv2d(rows, kernel.transpose(-1, -2), groups=images.shape[1])
