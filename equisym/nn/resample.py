"""Changes of resolution that commute with the pixel grid's symmetries: blur pooling, up-sampling, a mask."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.arguments import Whole, count, real, whole
from equisym.nn.constant import ConstantModule


class BlurPool2d(ConstantModule):
    r"""Low-pass filter, then keep every ``stride``-th pixel; of all poolings the most nearly equivariant off the grid.

    .. math:: y(x) = \sum_d w(d)\, x(s\,x + d), \qquad w(d) \propto e^{-|d|^2 / 2\sigma^2}

    The same round window acts on every channel, so fields of any representation keep their symmetry.

    Args:
        stride: s; at sizes of 1 modulo ``stride`` the corners are kept and quarter turns stay exact.
        sigma: width of the window in pixels; None means ``0.6 * stride / 2``.
        radius: pixels from the centre of the window to its border; None means 3 sigma.
        padding: zeros on each side; None means ``radius``, which keeps the size.

    Shape:
        ``(B, C, H, W)`` -> ``(B, C, H', W')`` with H' = (H + 2 (padding - radius) - 1) // stride + 1.

    Raises:
        ValueError: at construction if the stride, the width or the radius is not positive, or the padding negative.

    >>> import torch
    >>> BlurPool2d(2)(torch.ones(1, 3, 9, 9)).shape
    torch.Size([1, 3, 5, 5])

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again (2019).
    """

    window: Tensor

    def __init__(
        self, stride: Whole = 2, *, sigma: float | None = None, radius: int | None = None, padding: int | None = None
    ) -> None:
        super().__init__()
        self.stride = whole("stride", stride)
        self.sigma = 0.3 * self.stride if sigma is None else real("sigma", sigma)
        self.radius = max(1, math.ceil(3 * self.sigma)) if radius is None else whole("radius", radius)
        self.padding = self.radius if padding is None else whole("padding", padding, 0)
        d = np.arange(-self.radius, self.radius + 1)
        row = np.exp(-(d**2) / (2 * self.sigma**2))
        window = np.outer(row, row)
        self.register_constant("window", (window / window.sum())[None, None])

    def forward(self, x: Tensor) -> Tensor:
        window = self.window.to(x.dtype).expand(x.shape[-3], 1, -1, -1)
        return functional.conv2d(x, window, stride=self.stride, padding=self.padding, groups=x.shape[-3])

    def extra_repr(self) -> str:
        text = f"{self.stride}, sigma={self.sigma:g}, radius={self.radius}"
        return text if self.padding == self.radius else f"{text}, padding={self.padding}"


class MaxBlurPool2d(nn.Sequential):
    """The greatest value of each window at every pixel, then a low-pass filter that keeps every ``stride``-th pixel.

    A maximum that steps picks other pixels when the image is turned a little or moved; this one does not.

    Args:
        kernel_size: side of the window, odd.
        stride: step of the filter.
        sigma: width of the filter, as :class:`BlurPool2d` takes it.

    Shape:
        ``(B, C, H, W)`` -> ``(B, C, (H - 1) // stride + 1, (W - 1) // stride + 1)`` with C channels that
        the group permutes.

    Raises:
        ValueError: at construction for an even window, or if a size is not positive.

    >>> import torch
    >>> MaxBlurPool2d(3, 2)(torch.ones(1, 3, 9, 9)).shape
    torch.Size([1, 3, 5, 5])

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again (2019), section 3.
    """

    def __init__(self, kernel_size: Whole = 3, stride: Whole = 2, *, sigma: float | None = None) -> None:
        kernel_size = whole("kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd (got {kernel_size}): use {kernel_size + 1}")
        super().__init__(nn.MaxPool2d(kernel_size, 1, kernel_size // 2), BlurPool2d(stride, sigma=sigma))


class Upsample2d(nn.Module):
    """Bilinear up-sampling that keeps the corner pixels in the corners, and so every symmetry of the square.

    Args:
        factor: new distances in old pixels: H becomes (H - 1) * factor + 1, which undoes layers of that stride at exact
            sizes.
        size: the side of the new map instead, or both sides, such as those of the map that it is added to.

    Shape:
        ``(B, C, H, W)`` -> ``(B, C, (H - 1) * factor + 1, (W - 1) * factor + 1)``, or ``(B, C, *size)``.

    Raises:
        ValueError: at construction if the factor or the size is not positive.

    >>> import torch
    >>> Upsample2d(2)(torch.ones(1, 1, 5, 5)).shape, Upsample2d(size=64)(torch.ones(1, 1, 32, 32)).shape
    (torch.Size([1, 1, 9, 9]), torch.Size([1, 1, 64, 64]))
    """

    def __init__(self, factor: Whole = 2, *, size: int | tuple[int, int] | None = None) -> None:
        super().__init__()
        self.factor = whole("factor", factor)
        self.size = None
        if size is not None:
            sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
            if len(sides) != 2:
                raise ValueError(f"size must be one number or two (got {size})")
            self.size = count("size", sides[0]), count("size", sides[1])

    def forward(self, x: Tensor) -> Tensor:
        size = self.size or (self.factor * (x.shape[-2] - 1) + 1, self.factor * (x.shape[-1] - 1) + 1)
        single = isinstance(x, Tensor) and x.ndim == 3
        y = functional.interpolate(x.unsqueeze(0) if single else x, size, mode="bilinear", align_corners=True)
        return y.squeeze(0) if single else y

    def extra_repr(self) -> str:
        return str(self.factor) if self.size is None else f"size={self.size}"


class DiscMask2d(nn.Module):
    r"""Sets what lies outside the disc in the square to zero, softly: corners leave the image when it is turned.

    Args:
        margin: pixels between the disc, of radius R, and the border.
        sigma: width of the soft edge in pixels.
        profile: how the edge falls with the distance r from the centre: ``"distance"``,
            :math:`e^{-(r - R)^2 / \sigma^2}`, or ``"area"``, :math:`e^{-(r^2 - R^2) / \sigma^2}`, which is sharper.

    Shape:
        ``(B, C, H, W)`` -> the same.

    Raises:
        ValueError: at construction for a negative margin, a width that is not positive or another profile.

    >>> import torch
    >>> DiscMask2d()(torch.ones(1, 1, 9, 9))[0, 0, 0, 0] < 0.1
    tensor(True)
    """

    def __init__(
        self, margin: float = 0.0, *, sigma: float = 1.0, profile: Literal["distance", "area"] = "distance"
    ) -> None:
        super().__init__()
        if profile not in ("distance", "area"):
            raise ValueError(f"profile must be 'distance' or 'area' (got {profile!r})")
        self.margin, self.sigma = real("margin", margin, zero=True), real("sigma", sigma)
        self.profile = profile

    def forward(self, x: Tensor) -> Tensor:
        # at least float32, whose whole numbers are exact; a symbolic trace does not know what will come
        dtype = torch.promote_types(x.dtype, torch.float32) if isinstance(x, Tensor) else torch.float64
        one = x[..., :1, :, :]  # the mask is that of every channel
        row = torch.ones_like(one[..., :1], dtype=dtype).cumsum(-2)
        column = torch.ones_like(one[..., :1, :], dtype=dtype).cumsum(-1)
        row, column = row - row.mean(-2, keepdim=True), column - column.mean(-1, keepdim=True)
        edge = torch.minimum(row.amax(-2, keepdim=True), column.amax(-1, keepdim=True)) - self.margin
        squared = row.square() + column.square()
        if self.profile == "area":
            beyond = (squared - edge.square()).clamp_min(0)
        else:
            beyond = (squared.sqrt() - edge).clamp_min(0).square()
        return x * torch.exp(-beyond / self.sigma**2).to(x.dtype)

    def extra_repr(self) -> str:
        text = f"{self.margin:g}, sigma={self.sigma:g}"
        return text if self.profile == "distance" else f"{text}, profile={self.profile!r}"
