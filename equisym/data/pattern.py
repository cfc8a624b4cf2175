"""Patterns: functions on the plane with exactly the symmetry of a wallpaper group, and images of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equisym.data.bravais import Cell, draw_cell
from equisym.data.guard import strongest_forbidden
from equisym.data.motif import Texture, atom_texture, noise_texture, photo_texture
from equisym.data.photographs import Photographs, photographs
from equisym.data.poster import draw_poster
from equisym.groups import WALLPAPER_GROUPS, WallpaperGroup
from equisym.groups.asymmetric_unit import fold, fold_planes

FAMILIES = ("noise", "photo", "atom")
"""The kinds of motif: random pixels, pieces of photographs, atoms."""
VERSION_OF_DRAWS = 2
"""The same seed gives the same images as long as this number stands."""
GUARD_GRID = 48
LEAST_SPREAD = 0.01  # an image with a standard deviation below this is blank: three grey levels of a photograph
_TRIES_PER_CELL = 100


@dataclass(frozen=True)
class PatternOptions:
    """Options of generated patterns.

    Attributes:
        repeats: fewest and most repeats of the primitive cell along the image's side.
        min_cell: smallest side of the primitive cell in pixels (root of its area); takes precedence over ``repeats``.
        margin: the label guard's margin; no forbidden operation correlates above ``1 - margin``.
        correlation: least and greatest correlation length of the noise family, in pixels.
        independent: fraction of the noise family whose values are independent from pixel to pixel.
        colour: three channels instead of one.
        photos: folder of photographs for the photo family; ``None`` for the bundled ones.
        split: which of the photographs to use: train, valid or test.
        preset: ``"poster"`` for the published distributions, which repeats, min_cell, margin, correlation and
            independent do not touch: one cell area for each group, no label guard.
    """

    repeats: tuple[float, float] = (2.5, 12.0)
    min_cell: float = 16.0
    margin: float = 0.1
    correlation: tuple[float, float] = (1.0, 6.0)
    independent: float = 0.25
    colour: bool = False
    photos: Path | str | None = None
    split: str = "train"
    preset: str | None = None

    def __post_init__(self) -> None:
        if self.preset not in (None, "poster"):
            raise ValueError(f"preset must be poster or left out (got {self.preset!r})")


@dataclass(frozen=True)
class Pattern:
    r"""A periodic function of the plane, invariant under every operation of its group.

    .. math:: f(p) = m + c\,t(A\,\mathrm{fold}(A^{-1}(p - o)))

    with cell basis A, origin o, texture t on the asymmetric unit, mean m and contrast c.

    Attributes:
        group: the wallpaper group.
        cell: where its conventional cell lies in the image.
        texture: what fills the asymmetric unit.
        mean: grey value of the average, added last.
        contrast: factor on the texture.
        rejected: draws that the label guard refused before this one.
    """

    group: WallpaperGroup
    cell: Cell
    texture: Texture
    mean: float = 0.0
    contrast: float = 1.0
    rejected: int = 0

    def __call__(self, points: Tensor) -> Tensor:
        """Values at pixel positions (x right, y down); (..., 2) -> (channels, ...)."""
        basis = torch.from_numpy(self.cell.basis).to(points)
        origin = torch.from_numpy(self.cell.origin).to(points)
        return self.at_fractional((points - origin) @ torch.linalg.inv(basis).T)

    def at_fractional(self, u: Tensor) -> Tensor:
        """Values at fractional coordinates of the conventional cell; (..., 2) -> (channels, ...)."""
        basis = torch.from_numpy(self.cell.basis).to(u)
        folded = fold(u.reshape(-1, 2), self.group) @ basis.T
        values = self.mean + self.contrast * self.texture(folded)
        return values.reshape(-1, *u.shape[:-1])

    @property
    def primitive_basis(self) -> np.ndarray:
        """Primitive lattice vectors in pixels, columns, shape (2, 2)."""
        return self.cell.basis @ self.group.primitive_basis

    def sample(self, u: Tensor, v: Tensor) -> Tensor:
        """Values at fractional coordinates given as two planes; (rows, columns) twice -> (channels, rows, columns).

        As :meth:`at_fractional`, with the texture read from its raster, which is faster; images are made with it.
        """
        values = self.texture.raster.sample(*fold_planes(u, v, self.group), self.cell.basis)
        return values.mul_(self.contrast).add_(self.mean)

    def primitive_cell(self, size: int = GUARD_GRID, dtype: torch.dtype = torch.float32) -> Tensor:
        """The pattern on a grid over one primitive cell, row along b and column along a; (channels, size, size)."""
        return self.sample(*_planes(np.zeros(2), self.group.primitive_basis / size, size, dtype))

    def planes(self, size: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Fractional coordinates of the centres of size x size pixels, as two planes."""
        inverse = np.linalg.inv(self.cell.basis)
        return _planes(-inverse @ self.cell.origin, inverse, size, dtype)

    def image(self, size: int) -> Tensor:
        """The pattern at the centres of size x size pixels, clipped to 0..1; (channels, size, size) float32."""
        return self.sample(*self.planes(size)).clamp_(0, 1)


def _planes(start: np.ndarray, step: np.ndarray, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Coordinates start + step (column, row), as two (size, size) planes."""
    k = np.arange(size)
    along = [
        [torch.from_numpy(row[0] * k + first), torch.from_numpy(row[1] * k)]
        for first, row in zip(start, step, strict=True)
    ]
    u, v = (x.to(dtype)[None, :] + y.to(dtype)[:, None] for x, y in along)
    return u, v


def draw_pattern(
    group: WallpaperGroup | str, family: str, seed: int | tuple[int, ...], size: int, options: PatternOptions
) -> Pattern:
    """Draw a pattern whose cell has exactly the symmetry of its label.

    The cell is drawn once; only its contents are drawn again when the guard refuses them (a hundred times, after which
    the cell is drawn afresh as well). Mean and contrast do not depend on the group.

    Args:
        group: a wallpaper group or its name.
        family: noise, photo or atom.
        seed: one number or several; the same seed gives the same pattern on every machine.
        size: side in pixels of the image that the cell is meant for.
        options: all other options.

    Raises:
        ValueError: if the family is unknown, the size is not positive, or the guard refuses 2,000 draws.
    """
    group = WALLPAPER_GROUPS[group] if isinstance(group, str) else group
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)} (got {family!r})")
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels (got {size}): nothing repeats in less")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    sources = photographs(options.photos, options.split) if family == "photo" else None
    channels = 3 if options.colour else 1
    if options.preset == "poster":
        return _draw_unguarded(group, family, rng, channels, sources)
    mean, contrast = rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.2)
    rejected = 0
    while rejected < 20 * _TRIES_PER_CELL:
        cell = draw_cell(group, size, rng, repeats=options.repeats, min_cell=options.min_cell)
        for _ in range(_TRIES_PER_CELL):
            if family == "noise":
                length, share = options.correlation, options.independent
                texture = noise_texture(group, cell, rng, channels=channels, correlation=length, independent=share)
            elif sources is not None:
                texture = photo_texture(group, cell, rng, channels=channels, photographs=sources)
            else:
                texture = atom_texture(group, cell, rng, channels=channels)
            pattern = Pattern(group, cell, texture)
            image = pattern.primitive_cell()
            spread = image.std(unbiased=False).item()
            if (
                spread > LEAST_SPREAD
                and strongest_forbidden(image, pattern.primitive_basis, group) < 1 - options.margin
            ):
                scale = contrast / spread
                return replace(pattern, mean=mean - scale * image.mean().item(), contrast=scale, rejected=rejected)
            rejected += 1
    raise ValueError(
        f"the label guard refused {rejected} draws of {group} {family} at size {size} with margin {options.margin}: "
        "lower the margin, or allow larger cells with fewer repeats"
    )


def _draw_unguarded(
    group: WallpaperGroup, family: str, rng: np.random.Generator, channels: int, sources: Photographs | None
) -> Pattern:
    for rejected in range(_TRIES_PER_CELL):
        cell, texture = draw_poster(group, family, rng, channels=channels, photographs=sources)
        pattern = Pattern(group, cell, texture, rejected=rejected)
        if pattern.primitive_cell().std(unbiased=False).item() > LEAST_SPREAD:
            return pattern
    raise ValueError(f"{_TRIES_PER_CELL} draws of {group} {family} were all blank: give photographs with contrast")


def render(
    group: WallpaperGroup | str,
    family: str,
    seed: int | tuple[int, ...],
    size: int = 256,
    *,
    options: PatternOptions | None = None,
    **changes,
) -> Tensor:
    """Draw an image with the symmetry of a wallpaper group.

    Args:
        group: a wallpaper group or its name.
        family: noise, photo or atom.
        seed: the same seed gives the same image.
        size: side in pixels.
        options: pattern options.
        **changes: single options by name, such as ``colour=True``.

    Shape:
        ``(1, size, size)`` float32 in 0..1, or ``(3, size, size)`` in colour.

    Raises:
        ValueError: as :func:`draw_pattern`.

    >>> render("p4m", "noise", seed=0, size=64).shape
    torch.Size([1, 64, 64])
    """
    return draw_pattern(group, family, seed, size, replace(options or PatternOptions(), **changes)).image(size)
