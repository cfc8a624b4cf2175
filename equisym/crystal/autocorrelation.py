"""Autocorrelation of an image by FFT, each shift normalised by its own overlap."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def remove_trend(image: Tensor, order: int = 1) -> Tensor:
    """Subtract the least-squares polynomial of a total degree in x and y: 0 the mean, 1 a plane, 2 a paraboloid.

    Shape:
        ``(..., H, W)`` to the same.

    >>> ramp = torch.arange(12.0).reshape(3, 4)
    >>> bool(remove_trend(ramp).abs().max() < 1e-5)
    True
    """
    height, width = image.shape[-2:]
    shapes = polynomials(height, width, order, image)
    basis = torch.linalg.qr(shapes.flatten(1).T)[0]
    flat = image.flatten(-2)
    return (flat - (flat @ basis) @ basis.T).reshape(image.shape)


def polynomials(height: int, width: int, order: int, like: Tensor) -> Tensor:
    """The monomials in x and y up to a total degree on the pixels of an image, the constant first; (terms, H, W)."""
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device).expand(height, width)
    return torch.stack([x ** (total - j) * y**j for total in range(order + 1) for j in range(total + 1)])


def smooth(image: Tensor, sigma: float) -> Tensor:
    """Gaussian low-pass in real space with mirrored borders.

    Shape:
        ``(B, H, W)`` to the same.
    """
    if sigma <= 0:
        return image
    reach = min(int(4 * sigma) + 1, min(image.shape[-2:]) - 1)
    k = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (k / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[:, None], (reach,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])[:, 0]


def autocorrelation(image: Tensor, min_overlap: float = 0.05) -> tuple[Tensor, Tensor]:
    r"""The correlation coefficient of an image with itself shifted, over the pixels where both are known.

    .. math:: \rho(t) = \mathrm{corr}\{(f(x), f(x + t)) : x, x + t \in \text{image}\}

    It is 1 at every translation of a noise-free periodic image, whatever part of a cell the border cuts.

    Args:
        image: real images.
        min_overlap: shifts that leave a smaller fraction of the image are given the value 0.

    Returns:
        The map and the overlap as a fraction of the image, zero shift at index ``(H - 1, W - 1)``.

    Shape:
        ``(B, H, W)`` to ``(B, 2H - 1, 2W - 1)`` and ``(2H - 1, 2W - 1)``.

    >>> stripes = torch.tensor([0.0, 1.0, 0.0, -1.0]).repeat(8, 4)
    >>> rho, overlap = autocorrelation(stripes[None])
    >>> [round(v, 6) for v in rho[0, 7, 15:20].tolist()]
    [1.0, 0.0, -1.0, 0.0, 1.0]
    """
    height, width = image.shape[-2:]
    shape = (_fast_size(2 * height - 1), _fast_size(2 * width - 1))
    image = image - image.mean((-2, -1), keepdim=True)

    def spectrum(x: Tensor) -> Tensor:
        return torch.fft.rfft2(x, s=shape)

    def real(s: Tensor) -> Tensor:
        shifted = torch.fft.irfft2(s, s=shape).roll((height - 1, width - 1), (-2, -1))
        return shifted[..., : 2 * height - 1, : 2 * width - 1]

    f, mask = spectrum(image), spectrum(torch.ones_like(image[:1]))
    count = real(mask.abs().square())[0].round().clamp(min=1)
    cross = real(f.abs().square())
    first = real(f * mask.conj())  # sum over the overlap of f(x + t); that of f(x) is its mirror image
    power = real(spectrum(image.square()) * mask.conj())
    variance = power - first.square() / count
    covariance = cross - first * first.flip((-2, -1)) / count
    floor = 1e-9 * image.square().sum((-2, -1), keepdim=True) + torch.finfo(image.dtype).eps ** 2
    product = variance.clamp(min=0) * variance.flip((-2, -1)).clamp(min=0)
    rho = covariance / (product + floor.square()).sqrt()
    overlap = count / (height * width)
    return torch.where(overlap >= min_overlap, rho, torch.zeros_like(rho)), overlap


def _fast_size(n: int) -> int:
    """The least size from n on with no prime factor beyond 5."""
    while True:
        rest = n
        for p in (2, 3, 5):
            while rest % p == 0:
                rest //= p
        if rest == 1:
            return n
        n += 1
