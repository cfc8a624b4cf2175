"""Planar faults: a line across which the pattern is shifted by a part of its cell, or changes in brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal.lattice_search import Lattice
from equisym.crystal.local_waves import Complex, flattened, local_waves, strongest_waves
from equisym.crystal.shifts import Array
from equisym.crystal.tuned_constants import FaultLimits

Kind = Literal["none", "shift", "step", "shift and step"]

LIMITS = FaultLimits()


@dataclass(frozen=True)
class Fault:
    """A line across an image on whose sides the pattern is shifted, or differs in brightness.

    Attributes:
        kind: "none", "shift", "step" (in brightness) or both.
        point: of the line, x and y in pixels.
        angle: of the line in degrees, 0 along x, from x to y, below 180.
        shift: of the side to which (sin, -cos) of the angle points against the other, in parts of a and b, -1/2 to 1/2.
        step: by how much that side is brighter, in standard deviations of the image.
        kept: part of the waves' power that one phase on either side explains; 1 without noise.
        cell: side of the cell that is shifted, in pixels.
    """

    kind: Kind
    point: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    step: float = 0.0
    kept: float = 1.0
    cell: float = 0.0

    def sides(self, shape: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which pixels of an image of shape (H, W) are on either side of the line, the larger first.

        The line is known to about a cell: those within one of it are on neither.
        """
        y, x = np.mgrid[: shape[0], : shape[1]]
        turn = np.radians(self.angle)
        above = (x - self.point[0]) * np.sin(turn) - (y - self.point[1]) * np.cos(turn)
        found = above > self.cell, above < -self.cell
        return found if (above > 0).mean() >= 0.5 else found[::-1]

    def larger_side(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Which pixels of an image of shape (H, W) are on the larger side of the line, and a cell or more from it."""
        return self.sides(shape)[0]

    def larger_part(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the largest rectangle on the larger side of an image of shape (H, W).

        >>> Fault("shift", (30.0, 20.0), 90.0, (0.5, 0.0), 0.0, 1.0, 4.0).larger_part((40, 64))
        (slice(0, 40, None), slice(35, 64, None))
        """
        side = self.larger_side(shape)
        sizes = [np.unique(np.linspace(1, n, 64).astype(int)) for n in shape]
        best, area = (slice(0, 0), slice(0, 0)), 0
        for flip in ((1, 1), (1, -1), (-1, 1), (-1, -1)):  # from each corner of the image: a half-plane is convex
            seen = side[:: flip[0], :: flip[1]]
            h, w = np.meshgrid(*sizes, indexing="ij")
            inside = seen[0, 0] & seen[h - 1, 0] & seen[0, w - 1] & seen[h - 1, w - 1]
            at = int((h * w * inside).argmax())
            if inside.flat[at] and h.flat[at] * w.flat[at] > area:
                height, width = int(h.flat[at]), int(w.flat[at])
                area = height * width
                rows = slice(0, height) if flip[0] > 0 else slice(shape[0] - height, shape[0])
                columns = slice(0, width) if flip[1] > 0 else slice(shape[1] - width, shape[1])
                best = rows, columns
        return best

    @property
    def line(self) -> str:
        """Where it is, in words."""
        return f"a line at {self.angle:.0f} degrees through ({self.point[0]:.0f}, {self.point[1]:.0f})"

    def __str__(self) -> str:
        """In words; empty without a fault."""
        line = self.line
        shift = f"shifted by ({self.shift[0]:.2f}, {self.shift[1]:.2f}) of the cell"
        words = {
            "none": "",
            "shift": f"{shift} across {line}",
            "step": f"a step in brightness across {line}",
            "shift and step": f"{shift}, with a step in brightness, across {line}",
        }
        return words[self.kind]


def find_fault(image: Tensor, lattice: Lattice) -> Fault:
    r"""Look for one planar fault: an antiphase boundary, a stacking fault, the edge of a terrace.

    The lattice's strongest waves are demodulated, :math:`A_k(c)`. Of all lines that part the image, the one is taken
    on whose sides single phases explain most of their power,

    .. math:: \sum_k \Big( \Big|\sum_{c \in +} A_k(c)\Big|^2 / n_+ + \Big|\sum_{c \in -} A_k(c)\Big|^2 / n_- \Big)

    and is a fault if nearly all is explained that a single phase all over does not. The jumps of phase are those of one
    shift. The same is done with the local mean, against a quadratic trend.

    Args:
        image: grey image, (H, W).
        lattice: a short one that holds on either side.

    >>> import torch
    >>> y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    >>> def wave(x): return torch.cos(torch.pi * x / 5)
    >>> image = torch.where(x < 70, wave(x), wave(x + 3)) + wave(y)
    >>> found = find_fault(image, Lattice(np.eye(2) * 10, np.zeros((2, 2)), 1.0, 160.0))
    >>> print(found)
    shifted by (-0.30, 0.00) of the cell across a line at 90 degrees through (67, 64)
    """
    side = float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    sigma = LIMITS.cells * side
    x, y = (np.linspace(0, n - 1, int(np.clip(2 * n / sigma, 8, LIMITS.points))) for n in image.shape[::-1])
    if lattice.repeats < 16:
        return Fault("none")
    k = strongest_waves(flattened(image), lattice.basis, LIMITS.waves)
    q = np.concatenate((k, k[: len(k) // 2 + 1] + 0.5)) @ np.linalg.inv(lattice.basis)
    waves = local_waves(flattened(image), q, x, y, sigma).reshape(len(q), -1)
    noise = float((np.abs(waves[len(k) :]) ** 2).mean())
    level = image.detach().float()
    spread = float(level.std().clamp(min=1e-12))
    mean = local_waves((level - level.mean()) / spread, np.zeros((1, 2)), x, y, 0.7 * sigma).real.reshape(1, -1)
    lines = _Lines(x, y, (image.shape[1] - 1, image.shape[0] - 1))
    shifted, stepped = _shift(waves[: len(k)], k, noise, lines, sigma), _step(mean, lines)
    if shifted is not None:
        which, shift, kept = shifted
    elif stepped is not None:
        which, shift, kept = stepped, (0.0, 0.0), 1.0
    else:
        return Fault("none")
    kind: Kind = "step" if shifted is None else "shift" if stepped is None else "shift and step"
    return Fault(kind, lines.point(which), lines.angle(which), shift, float(lines.jump(mean, which)[0]), kept, side)


class _Lines:
    """Lines that part a grid of points, and sums over their sides."""

    def __init__(self, x: Array, y: Array, size: tuple[int, int]) -> None:
        self.middle = np.array(size) / 2
        turn = np.arange(LIMITS.angles) * np.pi / LIMITS.angles
        normal = np.stack((np.sin(turn), -np.cos(turn)), -1)  # of a line along (cos, sin)
        across = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2) - self.middle
        self.across, self.coordinates = across, (across / self.middle).T
        distance = across @ normal.T  # (points, angles)
        reach = np.abs(normal) @ self.middle
        part = np.linspace(-0.8, 0.8, LIMITS.offsets)
        offset = reach[:, None] * part
        above = distance.T[:, None] > offset[..., None]
        self.above = above.reshape(-1, len(across)).astype(np.float32)
        self.normal, self.offset = np.repeat(normal, LIMITS.offsets, 0), offset.ravel()
        share = self.above.mean(1)
        self.usable = np.minimum(share, 1 - share) >= LIMITS.least

    def explained(self, values: NDArray[Any]) -> NDArray[np.floating]:
        """Squares of the sums over either side by their numbers, of several fields (fields, points); (lines,)."""
        count = self.above.sum(1)
        first = values @ self.above.T
        second = values.sum(1, keepdims=True) - first
        rest = np.maximum(self.above.shape[1] - count, 1)
        total = (np.abs(first) ** 2 / np.maximum(count, 1) + np.abs(second) ** 2 / rest).sum(0)
        return np.where(self.usable, total, -np.inf)

    def jump(self, values: NDArray[Any], which: int) -> NDArray[Any]:
        """Mean above a line less that below."""
        above = self.above[which]
        return values @ above / above.sum() - values @ (1 - above) / (1 - above).sum()

    def away(self, which: int, least: float) -> NDArray[np.bool_]:
        """Which points are farther from a line than the windows reach; all, if too few are on either side."""
        far = np.abs(self.across @ self.normal[which] - self.offset[which]) > least
        sides = [(far & (self.above[which] == side)).sum() for side in (0, 1)]
        return far if min(sides) >= 4 else np.ones_like(far)

    def point(self, which: int) -> tuple[float, float]:
        x, y = self.middle + self.normal[which] * self.offset[which]
        return float(x), float(y)

    def angle(self, which: int) -> float:
        return float(np.degrees(np.arctan2(self.normal[which, 0], -self.normal[which, 1])) % 180)


def _shift(
    waves: Complex, k: NDArray[np.int64], noise: float, lines: _Lines, sigma: float
) -> tuple[int, tuple[float, float], float] | None:
    """The line across which phases jump, the shift that makes them, and how much of the power is explained."""
    power = (np.abs(waves) ** 2).sum(0)
    waves = waves / np.sqrt(np.maximum(power, 0.1 * np.median(power)))  # whatever the contrast
    scale = float(np.median(power))
    total = float((np.abs(waves) ** 2).sum()) - len(k) * noise / scale * waves.shape[1]
    one = float((np.abs(waves.sum(1)) ** 2).sum() / waves.shape[1])
    explained = lines.explained(waves)
    which = int(explained.argmax())
    loss, left = 1 - one / total, max(1 - float(explained[which]) / total, 0.0)
    if loss < LIMITS.loss or left > LIMITS.sharp * loss:
        return None
    above, away = lines.above[which] > 0, lines.away(which, 1.5 * sigma)
    turn = waves[:, above & away].sum(1) * waves[:, ~above & away].sum(1).conj()  # of phase -2 pi k t
    turn = turn / np.sqrt(np.abs(turn) + 1e-12)
    at = np.arange(48) / 48 - 0.5
    t = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    for step in (0.0, 1 / 96, 1 / 480):
        if step:
            n = np.arange(-3, 4) * step
            t = t + np.stack(np.meshgrid(n, n), -1).reshape(-1, 2)
        value = (turn[:, None] * np.exp(2j * np.pi * k @ t.T)).real.sum(0)
        best = int(value.argmax())
        t, agree = t[best], float(value[best] / np.abs(turn).sum())
    t = t - np.rint(t)
    if agree < LIMITS.agree or np.linalg.norm(t) < LIMITS.shift:
        return None
    return which, (float(t[0]), float(t[1])), 1 - left


def _step(mean: NDArray[np.floating], lines: _Lines) -> int | None:
    """The line across which the brightness jumps."""
    centred = mean - mean.mean()
    total = float((centred**2).sum())
    explained = lines.explained(centred)
    which = int(explained.argmax())
    jump = float(lines.jump(mean, which)[0])
    left = total - float(explained[which])
    x, y = lines.coordinates
    trend = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), -1)
    smooth = centred[0] - trend @ np.linalg.lstsq(trend, centred[0], rcond=None)[0]
    if abs(jump) < LIMITS.step or left > min(LIMITS.plain * total, LIMITS.rough * float((smooth**2).sum())):
        return None
    return which
