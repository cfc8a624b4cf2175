"""Symmetry filters: how symmetric an image is, locally about each pixel and globally under every translation."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import C, D, PointGroup
from equisym.nn.action import act
from equisym.nn.arguments import Place, Whole, channels_of, check_group, check_real, count, real, whole
from equisym.nn.constant import ConstantModule
from equisym.nn.kernel import GroupKernel

KINDS = ("rotation", "mirror", "glide")


class SymmetryFilter2d(ConstantModule):
    r"""Agreement of the responses of a learned kernel and its images under one symmetry, at each pixel.

    .. math:: r_g(x) = (g K \star f)(x + t_g), \qquad
              y(x) = 1 - \sqrt{\frac{\sum_g (r_g - \bar r)^2}{\sum_g r_g^2 + \epsilon}}

    K is one of ``out_channels`` learned kernels with its mean removed, g runs over the rotations of ``order`` (kind
    ``"rotation"``) or over the identity and a mirror (``"mirror"``, ``"glide"``); t_g is zero, but for a glide the
    ``shift`` along the line. Where the image f has the symmetry about x all responses agree, for every K, and
    y = 1; where they are unrelated y is near 0. If the image is rotated, y rotates with it.

    Args:
        in_channels: channels of the image.
        out_channels: learned kernels.
        kernel_size: side of the kernel, odd: how far the symmetry must reach.
        kind: ``"rotation"``, ``"mirror"`` or ``"glide"``.
        order: of the rotation, at least 2; 2 and 4 are exact on pixels.
        axis: direction of the mirror line in degrees counter-clockwise from x: 0, 45, 90 or 135.
        shift: length of the glide in pixels along the line (in diagonal steps for 45 and 135).
        eps: keeps y defined where all responses are 0.
        place: ``device`` and ``dtype`` of the kernels.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H, W)``, values from 0 to 1.

    Raises:
        ValueError: at construction for an unknown kind, an order below 2, another axis or an even kernel.

    >>> f = SymmetryFilter2d(1, 2, 5, kind="mirror", axis=90)
    >>> x = torch.rand(1, 1, 9, 9)
    >>> bool((f(x + x.flip(-1))[..., 4] > 0.999).all())
    True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        kind: str = "rotation",
        order: int = 2,
        axis: int = 90,
        shift: int = 0,
        eps: float = 1e-6,
        **place: Unpack[Place],
    ) -> None:
        super().__init__()
        kernel_size, order = whole("kernel_size", kernel_size), count("order", order, 0)
        if kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd (got {kernel_size}): every pixel is a centre; use {kernel_size + 1}"
            )
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)} (got {kind!r})")
        if order < 2:
            raise ValueError(f"order must be at least 2 (got {order}): every image has the rotation of order 1")
        if axis not in (0, 45, 90, 135):
            raise ValueError(f"axis must be 0, 45, 90 or 135 degrees (got {axis}): other lines leave the pixel grid")
        if (kind == "glide") != (shift != 0):
            raise ValueError(f"shift must be other than 0 for a glide and 0 for the rest (got {shift} for {kind})")
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)
        self.kernel_size, self.kind, self.order, self.axis, self.shift = kernel_size, kind, order, axis, shift
        self.eps = real("eps", eps)
        group = C(order) if kind == "rotation" else D(4)
        self.kernel = GroupKernel(kernel_size, group, lifting=True, **place)
        # r^i s mirrors in the line at 90 + 45 i degrees
        self.elements = list(range(order)) if kind == "rotation" else [0, 4 + (axis - 90) // 45 % 4]
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel.weight_shape, **place))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new kernels."""
        self.kernel.initialise(self.weight)

    def responses(self, x: Tensor) -> Tensor:
        """Responses of the kernel's images, shape ``(B, out_channels, images, H, W)``."""
        filters = self.kernel(self.weight)
        filters = filters - filters.mean((-3, -2, -1), keepdim=True)
        filters = filters.unflatten(0, (self.out_channels, -1))
        # Views, as a list of indices is copied to the GPU in every call, and no graph can be recorded with it.
        filters = torch.stack([filters.select(1, element) for element in self.elements], 1).flatten(0, 1)
        answers = functional.conv2d(x, filters, padding=self.kernel_size // 2)
        answers = answers.unflatten(-3, (self.out_channels, len(self.elements)))
        if self.shift:
            angle = math.radians(self.axis)
            dx, dy = round(self.shift * math.copysign(1, math.cos(angle))), round(-self.shift)
            steps = {0: (dx, 0), 45: (dx, dy), 90: (0, dy), 135: (dx, dy)}[self.axis]
            still, moving = answers.unbind(-3)
            answers = torch.stack((still, torch.roll(moving, (-steps[1], -steps[0]), (-2, -1))), -3)
        return answers

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and channels_of(x) != self.in_channels:  # a symbolic trace has no shape yet
            raise ValueError(f"input must have {self.in_channels} channels (got {x.shape[-3]})")
        check_real(x)
        answers = self.responses(x)
        deviation = torch.linalg.vector_norm(answers - answers.mean(-3, keepdim=True), dim=-3)  # its slope at 0 is 0
        return 1 - deviation / (answers.square().sum(-3) + self.eps).sqrt()

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, kind={self.kind!r}"
        if self.kind == "rotation":
            return text + f", order={self.order}"
        return text + f", axis={self.axis}" + (f", shift={self.shift}" if self.shift else "")


class SymmetryCorrelation2d(nn.Module):
    r"""Normalised correlation of a map with its own image under each element of a group, over all translations.

    .. math:: c_g(t) = \frac{\langle f,\, T_t\, g f\rangle}{\sqrt{\langle f, f\rangle\,\langle T_t g f, T_t g f\rangle}}

    f is the input less its mean, g an element of ``group``, T_t the translation by t pixels; products run over channels
    and pixels. The peaks of c_g are the symmetry elements: a value of 1 at t says that the operation "g, then t" maps
    the image to itself. Computed by FFT for all t at once. On a torus (``periodic``) the products run over all pixels;
    otherwise over those where image and moved image overlap, at least ``overlap`` of them, and c is 0 elsewhere.

    Args:
        group: the point group whose elements are tried.
        regular: whether the channels are regular fields of the group, which it also permutes.
        periodic: whether the image is one or more whole cells, so that its edges meet.
        overlap: smallest share of pixels that must overlap, for images that are not periodic.

    Shape:
        ``(B, C, N, N)`` -> ``(B, order, N, N)`` if periodic, t in 0 .. N-1 by rows and columns; otherwise
        ``(B, order, 2N-1, 2N-1)`` with t = 0 in the middle.

    Raises:
        ValueError: at the call for maps that are not square although the group rotates them.

    >>> from equisym.groups import C
    >>> tile = torch.rand(1, 1, 4, 4)
    >>> tile = tile + tile.rot90(2, (-2, -1))
    >>> SymmetryCorrelation2d(group=C(2))(tile.tile(2, 2))[0, 1].amax().round(decimals=3)
    tensor(1.)
    """

    def __init__(
        self, *, group: PointGroup, regular: bool = False, periodic: bool = True, overlap: float = 0.25
    ) -> None:
        super().__init__()
        check_group(group)
        if not 0 < overlap <= 1:
            raise ValueError(f"overlap must be above 0 and at most 1 (got {overlap})")
        self.group, self.regular, self.periodic, self.overlap = group, regular, periodic, overlap

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 3:
            return self.forward(x.unsqueeze(0)).squeeze(0)
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        x = x - x.mean((-2, -1), keepdim=True) if not self.regular else x - x.mean((1, 2, 3), keepdim=True)
        images = torch.stack([act(x, g, self.group, regular=self.regular) for g in range(self.group.order)], 1)
        whole = x.square().sum((1, 2, 3))[:, None, None, None] + torch.finfo(x.dtype).tiny
        if self.periodic:
            return _correlate(x[:, None], images, tuple(x.shape[-2:])).sum(2) / whole
        height, width = x.shape[-2:]
        size = (2 * height - 1, 2 * width - 1)
        ones = torch.ones(1, 1, 1, height, width, dtype=x.dtype, device=x.device)
        product = _correlate(x[:, None], images, size).sum(2)
        fixed = _correlate(x[:, None].square(), ones, size).sum(2)
        moved = _correlate(ones, images.square(), size).sum(2)
        shared = _correlate(ones, ones, size)[:, :, 0] >= self.overlap * height * width - 0.5
        power = (fixed.clamp_min(0) * moved.clamp_min(0)).sqrt()
        values = product / power.clamp_min(1e-6 * whole)
        return torch.fft.fftshift(values * shared, (-2, -1)).clamp(-1, 1)

    def extra_repr(self) -> str:
        text = f"group={self.group!r}" + (", regular=True" if self.regular else "")
        return text + ("" if self.periodic else f", periodic=False, overlap={self.overlap:g}")


def _correlate(f: Tensor, h: Tensor, size: tuple[int, ...]) -> Tensor:
    """sum_x f(x) h(x - t) for every t, on a torus of the given size."""
    return torch.fft.irfft2(torch.fft.rfft2(f, size) * torch.fft.rfft2(h, size).conj(), size)
