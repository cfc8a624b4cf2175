"""Autocorrelation of an image by FFT, each shift normalised by its own overlap."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

_WIDE = 16  # pixels: reach of a Gaussian that is a product of matrices
_RINGS, _OUTER_RINGS = 29, 24  # from a quarter of a cycle per pixel on


def detrend(image: Tensor, order: int = 1, mask: Tensor | None = None) -> Tensor:
    """Subtract the least-squares polynomial of a total degree in x and y: 0 the mean, 1 a plane, 2 a paraboloid.

    With a mask (H, W), only its pixels count, and the others become 0.

    Shape:
        ``(..., H, W)`` to the same.

    >>> ramp = torch.arange(12.0).reshape(3, 4)
    >>> bool(detrend(ramp).abs().max() < 1e-5)
    True
    """
    height, width = image.shape[-2:]
    if mask is None:  # products of orthonormal polynomials in x and in y are orthonormal
        degree = torch.arange(order + 1, device=image.device)
        y, x = (_orthonormal(n, order, image.dtype, image.device) for n in (height, width))
        low = (degree[:, None] + degree <= order)[: y.shape[1], : x.shape[1]]  # few pixels hold few polynomials
        inner = (y.T @ image @ x) * low
        return image - y @ inner @ x.T
    shapes, image = polynomials(height, width, order, image) * mask, image * mask
    basis = torch.linalg.qr(shapes.flatten(1).T)[0]
    flat = image.flatten(-2)
    return (flat - (flat @ basis) @ basis.T).reshape(image.shape)


@lru_cache(maxsize=16)
def _orthonormal(length: int, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Orthonormal polynomials up to a degree on the pixels of a line, (length, order + 1)."""
    x = torch.linspace(-1, 1, length, dtype=dtype, device=device)[:, None]
    return torch.linalg.qr(x ** torch.arange(order + 1, device=device))[0]


def polynomials(height: int, width: int, order: int, like: Tensor) -> Tensor:
    """The monomials in x and y up to a total degree on the pixels of an image, the constant first; (terms, H, W)."""
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device).expand(height, width)
    return torch.stack([x ** (total - j) * y**j for total in range(order + 1) for j in range(total + 1)])


def squared_modulus(values: Tensor) -> Tensor:
    """Of complex numbers, without the roots of ``abs``."""
    return values.real.square() + values.imag.square()


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
    if reach > _WIDE:
        down, across = (_reflected(kernel, n) for n in image.shape[-2:])
        return down @ image @ across.T
    found, weights = functional.pad(image[:, None], (reach,) * 4, mode="reflect")[:, 0], kernel[reach:].tolist()
    for axis in (-1, -2):  # sums of shifted images: faster than convolutions of one channel
        here = [found.narrow(axis, reach + n, image.shape[axis]) for n in range(-reach, reach + 1)]
        found = here[reach] * weights[0]
        for n in range(1, reach + 1):
            found = found.add(here[reach - n] + here[reach + n], alpha=weights[n])
    return found


def _reflected(kernel: Tensor, length: int) -> Tensor:
    """The matrix that convolves a line of pixels, mirrored at its ends, with a kernel; (length, length)."""
    reach = len(kernel) // 2
    pixel, step = (torch.arange(n, device=kernel.device) for n in (length, len(kernel)))
    source = (pixel[:, None] + step - reach).abs()
    source = length - 1 - (length - 1 - source).abs()
    return kernel.new_zeros(length, length).scatter_add(1, source, kernel.expand(length, -1))


def normalise_contrast(image: Tensor, mask: Tensor | None = None, *, scale: float = 1 / 32) -> Tensor:
    """Even out brightness and contrast over an image: step edges, contamination and bright spots no longer outweigh.

    The mean of a neighbourhood is taken off, what is far out is cut at three robust standard deviations, and the rest
    is divided by its local standard deviation.

    Args:
        image: grey image, (H, W).
        mask: which pixels count, (H, W); the others become 0.
        scale: standard deviation of the neighbourhood, as a part of the shorter side.
    """
    sigma = scale * min(image.shape)
    high = image - smooth(image[None], sigma)[0]
    known = high if mask is None else high[mask]
    middle = known.median()
    limit = 3 * 1.4826 * (known - middle).abs().median().clamp(min=1e-6 * known.std())
    high = (high - middle).clamp(-limit, limit)
    local = smooth(high.square()[None], 2 * sigma)[0].sqrt()
    even = high / (local + 0.3 * local.mean()).clamp(min=1e-12)
    return even if mask is None else even * mask


def whiten(image: Tensor, *, longest: float = 1 / 16, strength: float = 0.3) -> Tensor:
    r"""Filter an image so that the detail that repeats outweighs shading, blotches and pixel noise.

    .. math:: w(q)^2 = S(q) / P(q)^{1 + \text{strength}}

    on every shell of frequencies q, after a Gaussian high-pass: P is the power, S the part of it above the noise, which
    is the least power of the outer shells.

    Args:
        image: grey images.
        longest: standard deviation of the Gaussian average that is subtracted, as a fraction of the shorter side.
        strength: how far strong shells are damped; 0 keeps the spectrum of the signal, 1 makes it white.

    Shape:
        ``(B, H, W)`` to the same.
    """
    height, width = image.shape[-2:]
    q, shell, count = _frequencies(height, width, image.dtype, image.device)
    coefficients = torch.fft.rfft2(image) * _high_pass(height, width, longest, image.dtype, image.device)
    power = image.new_zeros(len(image), _RINGS + 1)
    power = power.index_add(1, shell, squared_modulus(coefficients).flatten(1))
    power = power / count.clamp(min=1)
    outer = torch.where(count > 0, power, torch.inf)[:, _OUTER_RINGS:]
    noise = torch.maximum(outer.amin(1, keepdim=True), 1e-3 * power.amax(1, keepdim=True))
    signal = torch.maximum(power - noise, 1e-3 * noise)
    gain = (signal / torch.maximum(power, 1e-12 * power.amax(1, keepdim=True)) ** (1 + strength)).sqrt()
    gain = torch.where((count > 0) & (power > 0), gain, 0)
    return torch.fft.irfft2(coefficients * gain[:, shell].unflatten(1, q.shape), s=(height, width))


@lru_cache(maxsize=4)
def _high_pass(height: int, width: int, longest: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What a Gaussian average leaves of each frequency of a real transform."""
    q = _frequencies(height, width, dtype, device)[0]
    return -torch.expm1(-2 * (torch.pi * longest * min(height, width) * q).square())


@lru_cache(maxsize=4)
def _frequencies(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Length of each frequency of a real transform in cycles per pixel, its shell, flat, and how many are on each."""
    y = torch.fft.fftfreq(height, dtype=dtype, device=device)[:, None]
    q = torch.hypot(y, torch.fft.rfftfreq(width, dtype=dtype, device=device))
    edges = torch.logspace(-8, -1, _RINGS, base=2, dtype=dtype, device=device)
    shell = torch.bucketize(q, edges).flatten()
    return q, shell, torch.bincount(shell, minlength=_RINGS + 1)


def autocorrelation(image: Tensor, min_overlap: float = 0.05, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""The correlation coefficient of an image with itself shifted, over the pixels where both are known.

    .. math:: \rho(t) = \mathrm{corr}\{(f(x), f(x + t)) : x, x + t \in \text{image}\}

    It is 1 at every translation of a noise-free periodic image, whatever part of a cell the border cuts.

    Args:
        image: real images.
        min_overlap: shifts that leave a smaller fraction of the image are given the value 0.
        mask: which pixels are known, (H, W); all if not given.

    Returns:
        The map and the overlap as a fraction of the known pixels, zero shift at index ``(H - 1, W - 1)``.

    Shape:
        ``(B, H, W)`` to ``(B, 2H - 1, 2W - 1)`` and ``(2H - 1, 2W - 1)``.

    >>> stripes = torch.tensor([0.0, 1.0, 0.0, -1.0]).repeat(8, 4)
    >>> rho, overlap = autocorrelation(stripes[None])
    >>> [round(v, 6) + 0.0 for v in rho[0, 7, 15:20].tolist()]
    [1.0, 0.0, -1.0, 0.0, 1.0]
    """
    height, width = image.shape[-2:]
    shape = _fast_length(2 * height - 1), _fast_length(2 * width - 1)
    area = height * width
    if mask is not None:
        area = int(mask.sum())
        image = (image - (image * mask).sum((-2, -1), keepdim=True) / area) * mask
    else:
        image = image - image.mean((-2, -1), keepdim=True)

    def across(down: Tensor) -> Tensor:
        full = torch.fft.irfft(down, n=shape[1])
        return torch.cat((full[..., shape[1] - width + 1 :], full[..., :width]), -1)

    def own(a: Tensor) -> Tensor:
        """Sum of a(x) a(x + t) from the transform of a, at shifts of half the plane: along y first, by real numbers."""
        return across(torch.fft.ihfft(squared_modulus(a), dim=-2)[..., :height, :])

    def correlated(a: Tensor, b: Tensor) -> Tensor:
        """Sum of a(x) b(x + t) from the transforms of a and b: along y first, where only some rows are wanted."""
        down = torch.fft.ifft(a.conj() * b, dim=-2)
        return across(torch.cat((down[..., shape[0] - height + 1 :, :], down[..., :height, :]), -2))

    def below(values: Tensor) -> Tensor:  # at shifts t of half the plane; the map is symmetric
        return values[..., height - 1 :, :]

    def opposite(values: Tensor) -> Tensor:  # at -t
        return values[..., :height, :].flip((-2, -1))

    spectrum = torch.fft.rfft2(image, s=shape)
    if mask is None:
        count, overlap = _overlaps(height, width, image.dtype, image.device)
        first = _overlap_sums(image)  # of f(x + t) over the overlap; that of f(x) is its mirror image
        second = _overlap_sums(image.square())
    else:
        known = torch.fft.rfft2(mask.to(image), s=shape)
        count = _mirrored(own(known).round())
        overlap = count / area
        first = correlated(known, spectrum)
        second = correlated(known, torch.fft.rfft2(image.square(), s=shape))
    pixels = below(count).clamp(min=1)
    there, here = (half(first) for half in (below, opposite))
    mean_there, mean_here = there / pixels, here / pixels
    spread = torch.addcmul(below(second), there, mean_there, value=-1).clamp_(min=0)
    spread *= torch.addcmul(opposite(second), here, mean_here, value=-1).clamp_(min=0)
    floor = 1e-9 * image.square().sum((-2, -1), keepdim=True) + torch.finfo(image.dtype).eps ** 2
    rho = torch.addcmul(own(spectrum), there, mean_here, value=-1)
    rho /= spread.add_(floor.square()).sqrt_()
    return _mirrored(rho.masked_fill_(below(overlap) < min_overlap, 0)), overlap


def _mirrored(half: Tensor) -> Tensor:
    """A symmetric map from its half with shifts t_y from 0 on."""
    return torch.cat((half[..., 1:, :].flip((-2, -1)), half), -2)


@lru_cache(maxsize=2)
def _overlaps(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """How many pixels of an image overlap under each shift, and which part of all that is, (2H - 1, 2W - 1)."""
    rows, columns = (n - (torch.arange(2 * n - 1, dtype=dtype, device=device) - n + 1).abs() for n in (height, width))
    count = torch.outer(rows, columns)
    return count, count / (height * width)


@lru_cache
def _fast_length(least: int) -> int:
    """The next length without prime factors above 5, at which transforms are fast.

    >>> _fast_length(511), _fast_length(7)
    (512, 8)
    """
    while 60**20 % least:  # divides a high power of 2 * 3 * 5 where 2, 3 and 5 are its only factors
        least += 1
    return least


def _overlap_sums(values: Tensor) -> Tensor:
    """Sum of the values at x + t over the overlap of an image with itself shifted by t; (B, H, W) to (B, 2H-1, 2W-1).

    The overlap is a rectangle at one corner, so running sums from the four corners give all of them.
    """
    down = values.cumsum(-2)  # up to each row; from it on
    both = torch.cat((down, (down[..., -1:, :] - down[..., :-1, :])), -2)
    across = both.cumsum(-1)
    return torch.cat((across, across[..., -1:] - across[..., :-1]), -1)
