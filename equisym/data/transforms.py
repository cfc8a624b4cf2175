r"""Input transforms: what a network may be given besides the image, each a torch module, stackable as channels.

What each keeps of the symmetry, and what it loses (t a translation, R a rotation or reflection about the centre):

=============== ================================= ==============================================================
input           how it moves with the image       what it cannot tell
=============== ================================= ==============================================================
image           turns and shifts along            nothing
fft             invariant to t, turns with R      p1 from p2, p3 from p6, a mirror from a glide: always 2-fold
phase           t adds a linear ramp              nothing by itself; meaningless where the magnitude vanishes
autocorrelation invariant to t, turns with R      as fft: its own Fourier transform is the squared magnitude
radon           R shifts the angles (a mirror     nothing in principle; with as many angles as columns it is
                turns them about)                 invertible up to resolution
log_polar       R shifts (or flips) the angles,   nothing near the centre; a translation is no longer a shift
                scaling shifts the radii
=============== ================================= ==============================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Identity(nn.Identity):
    """The image itself: (B, C, H, W) to the same."""


class LogMagnitude(nn.Module):
    r"""Logarithm of the Fourier magnitude, frequency 0 at pixel (H//2, W//2), scaled to 0..1.

    .. math:: y(k) = \log(1 + |\hat x(k)|) / \max_k, \qquad \hat x \text{ of } x - \bar x

    Shape:
        (B, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        centred = x - x.mean((-2, -1), keepdim=True)
        magnitude = torch.log1p(torch.fft.fftshift(torch.fft.fft2(centred).abs(), dim=(-2, -1)))
        return magnitude / magnitude.amax((-2, -1), keepdim=True).clamp_min(1e-12)


class Phase(nn.Module):
    r"""Fourier phase in -1..1 (units of :math:`\pi`), frequency 0 at pixel (H//2, W//2).

    Shape:
        (B, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        return torch.fft.fftshift(torch.fft.fft2(x).angle(), dim=(-2, -1)) / math.pi


class Autocorrelation(nn.Module):
    r"""Periodic autocorrelation of the centred image, 1 at shift 0, which is pixel (H//2, W//2).

    .. math:: y(t) = \sum_p x(p)\,x(p + t) / \sum_p x(p)^2

    Shape:
        (B, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        spectrum = torch.fft.rfft2(x - x.mean((-2, -1), keepdim=True))
        correlation = torch.fft.irfft2(spectrum.abs().square(), s=x.shape[-2:])
        peak = correlation[..., :1, :1].clamp_min(1e-12)
        return torch.fft.fftshift(correlation / peak, dim=(-2, -1))


class Radon(nn.Module):
    """Line integrals over the inscribed disc: row i at the angle pi i / H, column j at the distance of pixel j.

    Row i is the mean over the lines of the image turned by the angle; values are deviations from the image's mean.

    Shape:
        (B, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        rows, columns = x.shape[-2:]
        s = torch.linspace(-1, 1, columns, dtype=x.dtype, device=x.device)
        t = torch.linspace(-1, 1, rows, dtype=x.dtype, device=x.device)
        inside = (s.square() + t[:, None].square() <= 1).to(x)
        centred = x - x.mean((-2, -1), keepdim=True)
        lines = []
        for k in range(rows):
            c, z = math.cos(math.pi * k / rows), math.sin(math.pi * k / rows)
            grid = torch.stack((c * s - z * t[:, None], z * s + c * t[:, None]), -1)
            turned = functional.grid_sample(centred, grid.expand(len(x), -1, -1, -1), align_corners=True)
            lines.append((turned * inside).sum(-2) / rows)
        return torch.stack(lines, -2)


class LogPolar(nn.Module):
    """The image about its centre: row i at the angle 2 pi i / H, columns at radii from one pixel to the border.

    Shape:
        (B, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        rows, columns = x.shape[-2:]
        angle = torch.arange(rows, dtype=x.dtype, device=x.device)[:, None] * (2 * math.pi / rows)
        radius = torch.logspace(math.log10(2 / (min(rows, columns) - 1)), 0, columns, dtype=x.dtype, device=x.device)
        grid = torch.stack((torch.cos(angle) * radius, torch.sin(angle) * radius), -1)
        return functional.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=True)


TRANSFORMS: dict[str, type[nn.Module]] = {
    "image": Identity,
    "fft": LogMagnitude,
    "phase": Phase,
    "autocorrelation": Autocorrelation,
    "radon": Radon,
    "log_polar": LogPolar,
}
"""The input transforms by name."""


class Inputs(nn.Module):
    """Several inputs of the same image, stacked as channels.

    Args:
        names: names out of ``TRANSFORMS``, in order, as a list or comma-separated.

    Shape:
        (B, C, H, W) to (B, C * len(names), H, W), one block of C channels for each name.

    Raises:
        ValueError: if a name is unknown.

    >>> Inputs("image,fft,radon")(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(self, names: str | Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names.split(",") if isinstance(names, str) else names)
        for name in self.names:
            if name not in TRANSFORMS:
                raise ValueError(f"inputs must be chosen from {', '.join(TRANSFORMS)} (got {name!r})")
        self.transforms = nn.ModuleList(TRANSFORMS[name]() for name in self.names)

    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch."""
        return torch.cat([transform(x) for transform in self.transforms], 1)

    def extra_repr(self) -> str:
        """The call."""
        return ",".join(self.names)
