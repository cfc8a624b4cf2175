"""The published distributions ("poster" preset), drawn by our exact rule: cell shapes by group, nearly constant area.

The asymmetric unit has an area of N(960, 10) square pixels, so the cell's size gives the group away, as it does there.
No label guard is applied. How many of these images really have the symmetry of their label is a property of the
distribution; ``eval/decidability.py`` measures it.
"""

from __future__ import annotations

import math

import numpy as np

from equisym.data.bravais import Cell, draw_cell
from equisym.data.motif import Texture, atoms_of, noise_texture, photo_texture, unit_box
from equisym.data.photographs import Photographs
from equisym.groups import WallpaperGroup

UNIT_AREA = (960.0, 10.0)  # mean and standard deviation, in square pixels
ATOM_RADIUS = (8.0, 12.0)  # pixels; the unit then has the area 8 r^2


def draw_poster(
    group: WallpaperGroup, family: str, rng: np.random.Generator, *, channels: int, photographs: Photographs | None
) -> tuple[Cell, Texture]:
    """Cell and texture as published, with values in 0..1 and neither mean nor contrast adjusted.

    Args:
        group: the wallpaper group.
        family: noise, photo or atom.
        rng: source of randomness.
        channels: 3 as published, or 1 for grey.
        photographs: the source of the photo family.
    """
    radius = rng.uniform(*ATOM_RADIUS)
    unit = 8 * radius**2 if family == "atom" else rng.normal(*UNIT_AREA)
    primitive = unit * group.order / (2 if group.centred else 1)
    cell = draw_cell(group, 256, rng, area=primitive, turn=math.radians(int(rng.integers(360))))
    if family == "noise":
        return cell, noise_texture(group, cell, rng, channels=channels, correlation=(1, 1), independent=1.0)
    if photographs is not None:
        return cell, photo_texture(group, cell, rng, channels=channels, photographs=photographs)
    return cell, _two_atoms(group, cell, radius, rng, channels)


def _two_atoms(group: WallpaperGroup, cell: Cell, radius: float, rng: np.random.Generator, channels: int) -> Texture:
    """A green atom on the cell's corners and a red one that touches it, on black; a radius is two deviations."""
    turn = rng.uniform(0, 2 * math.pi)
    touching = np.linalg.solve(cell.basis, 2 * radius * np.array([math.cos(turn), math.sin(turn)]))
    orbits, species = [], []
    for kind, point in enumerate((np.zeros(2), touching)):
        images = np.stack([op(point) for op in group.operations]) % 1
        _, first = np.unique((images.round(9) % 1), axis=0, return_index=True)
        orbits.append(images[first])
        species.append(np.full(len(first), kind))
    colours = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])  # rows red, green, blue; columns corner, touching
    weights = colours if channels == 3 else np.array([[0.6, 0.3]])  # their luminance, roughly
    return atoms_of(
        cell,
        np.concatenate(orbits),
        np.concatenate(species),
        np.full(2, radius / 2),
        weights,
        np.zeros(2),
        unit_box(group, cell),
    )
