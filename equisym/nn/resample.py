"""Changes of resolution that commute with the pixel grid's symmetries: blur and norm pooling, up-sampling, a mask."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.arguments import Whole, real, whole
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType
from equisym.nn.nonlinearity import _ByField


class BlurPool2d(ConstantModule):
    r"""Low-pass filter, then keep every ``stride``-th pixel; of all poolings the most nearly equivariant off the grid.

    .. math:: y(x) = \sum_d w(d)\, x(s\,x + d), \qquad w(d) \propto e^{-|d|^2 / 2\sigma^2}

    The same round window acts on every channel, so fields of any representation keep their symmetry.

    Args:
        stride: s; at sizes of 1 modulo ``stride`` the corners are kept and quarter turns stay exact.
        sigma: width of the window in pixels; None means ``0.6 * stride / 2``.

    Shape:
        ``(B, C, H, W)`` -> ``(B, C, (H - 1) // stride + 1, (W - 1) // stride + 1)``.

    Raises:
        ValueError: at construction if the stride or the width is not positive.

    >>> import torch
    >>> BlurPool2d(2)(torch.ones(1, 3, 9, 9)).shape
    torch.Size([1, 3, 5, 5])

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again (2019).
    """

    window: Tensor

    def __init__(self, stride: Whole = 2, *, sigma: float | None = None) -> None:
        super().__init__()
        self.stride = whole("stride", stride)
        self.sigma = 0.3 * self.stride if sigma is None else real("sigma", sigma)
        half = max(1, math.ceil(3 * self.sigma))
        d = np.arange(-half, half + 1)
        row = np.exp(-(d**2) / (2 * self.sigma**2))
        window = np.outer(row, row)
        self.register_constant("window", (window / window.sum())[None, None])

    def forward(self, x: Tensor) -> Tensor:
        window = self.window.to(x.dtype).expand(x.shape[-3], 1, -1, -1)
        return functional.conv2d(x, window, stride=self.stride, padding=window.shape[-1] // 2, groups=x.shape[-3])

    def extra_repr(self) -> str:
        return f"{self.stride}, sigma={self.sigma:g}"


class NormMaxPool2d(_ByField):
    """Max pooling of vectors: each field is taken where its norm is largest in the window.

    Args:
        field_type: fields of input and output, of any representations.
        kernel_size: side of the window.
        stride: step; None means ``kernel_size``.

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, field_type.size, H', W')``.

    Raises:
        ValueError: at construction if the window or the step is not positive; at the call for a wrong number of
            channels.

    >>> import torch
    >>> from equisym.groups import O2, irrep
    >>> NormMaxPool2d(FieldType.of((2, irrep(O2, 1))), 2)(torch.randn(1, 4, 6, 6)).shape
    torch.Size([1, 4, 3, 3])
    """

    def __init__(self, field_type: FieldType, kernel_size: Whole, stride: Whole | None = None) -> None:
        super().__init__(field_type)
        self.kernel_size = whole("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else whole("stride", stride)

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        _, where = functional.max_pool2d(self.norms(x), self.kernel_size, self.stride, return_indices=True)
        return x.flatten(2).gather(2, self.spread(where).flatten(2)).unflatten(2, where.shape[-2:])

    def extra_repr(self) -> str:
        return f"{self.field_type!r}, {self.kernel_size}, stride={self.stride}"


class FieldMagnitude2d(_ByField):
    """The norm of each field: scalars that the group leaves unchanged, one per field.

    Args:
        field_type: fields of the input, of any representations.

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, number of fields, H, W)``.

    >>> import torch
    >>> from equisym.groups import SO2, irrep
    >>> FieldMagnitude2d(FieldType.of((3, irrep(SO2, 1))))(torch.randn(1, 6, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        return self.norms(x)


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
        self.size = size if isinstance(size, tuple) or size is None else (size, size)
        for side in self.size or ():
            whole("size", side)

    def forward(self, x: Tensor) -> Tensor:
        size = self.size or (self.factor * (x.shape[-2] - 1) + 1, self.factor * (x.shape[-1] - 1) + 1)
        single = isinstance(x, Tensor) and x.ndim == 3
        y = functional.interpolate(x.unsqueeze(0) if single else x, size, mode="bilinear", align_corners=True)
        return y.squeeze(0) if single else y

    def extra_repr(self) -> str:
        return str(self.factor) if self.size is None else f"size={self.size}"


class DiscMask2d(nn.Module):
    """Sets what lies outside the disc in the square to zero, softly: corners leave the image when it is turned.

    Args:
        margin: pixels between the disc and the border.
        sigma: width of the soft edge in pixels.

    Shape:
        ``(B, C, H, W)`` -> the same.

    >>> import torch
    >>> DiscMask2d()(torch.ones(1, 1, 9, 9))[0, 0, 0, 0] < 0.1
    tensor(True)
    """

    def __init__(self, margin: float = 0.0, *, sigma: float = 1.0) -> None:
        super().__init__()
        self.margin, self.sigma = real("margin", margin, zero=True), real("sigma", sigma)

    def forward(self, x: Tensor) -> Tensor:
        row = torch.ones_like(x[..., :1], dtype=torch.float32).cumsum(-2)
        column = torch.ones_like(x[..., :1, :], dtype=torch.float32).cumsum(-1)
        row, column = row - row.mean(-2, keepdim=True), column - column.mean(-1, keepdim=True)
        edge = torch.minimum(row.amax(-2, keepdim=True), column.amax(-1, keepdim=True)) - self.margin
        beyond = ((row.square() + column.square()).sqrt() - edge).clamp_min(0) / self.sigma
        return x * torch.exp(-beyond.square()).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.margin:g}, sigma={self.sigma:g}"
