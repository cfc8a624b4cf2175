"""The 17 wallpaper groups as spglib sees them: a layer of atoms in a long cell has the group times a mirror."""

import numpy as np
import pytest
import spglib
import torch

from equisym.data import PatternOptions, draw_pattern
from equisym.groups import WALLPAPER_GROUPS

# Plane group x {1, m_z}: number of the space group.
SPACE_GROUPS = {
    "p1": 6, "p2": 10, "pm": 25, "pg": 26, "cm": 38, "pmm": 47, "pmg": 51, "pgg": 55, "cmm": 65,
    "p4": 83, "p4m": 123, "p4g": 127, "p3": 174, "p3m1": 187, "p31m": 189, "p6": 175, "p6m": 191,
}  # fmt: skip
# Columns a and b of a cell with nothing special that the family does not demand.
BASES = {
    "oblique": [[1.0, -0.23], [0.0, 1.31]],
    "rectangular": [[1.0, 0.0], [0.0, 1.37]],
    "square": [[1.0, 0.0], [0.0, 1.0]],
    "hexagonal": [[1.0, -0.5], [0.0, 3**0.5 / 2]],
}
EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib 2.7 and later


def space_group(basis: np.ndarray, positions: np.ndarray, species: np.ndarray) -> int:
    """Number of the space group of a layer of atoms; columns a and b, fractional positions in the plane."""
    lattice = np.zeros((3, 3))
    lattice[:2, :2] = basis.T
    lattice[2, 2] = 7.3 * np.sqrt(abs(np.linalg.det(basis)))
    positions = np.column_stack([positions, np.zeros(len(positions))])
    dataset = spglib.get_symmetry_dataset((lattice, positions, species), symprec=1e-7 * np.linalg.norm(basis))
    assert dataset is not None
    return dataset.number


@EACH_GROUP
@pytest.mark.parametrize("seed", range(3))
def test_atoms_placed_by_our_operations(group, seed):
    general = np.random.default_rng(seed).uniform(0, 1, (4, 2))
    positions = np.concatenate([op(general) for op in group.operations])
    species = np.tile(np.arange(1, 5), group.order)
    assert space_group(np.array(BASES[group.family]), positions, species) == SPACE_GROUPS[group.name]


def atoms_of_one_cell(pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fractional positions of a pattern's atoms in one cell, their species, and (radius, halo, weight) of each kind."""
    texture = pattern.texture
    centres = texture.centres.double().numpy() @ np.linalg.inv(pattern.cell.basis).T
    columns = (texture.radii[:, None], texture.halos[:, None], texture.weights.T)
    kinds = np.column_stack([column.double().numpy() for column in columns]).round(9)
    kinds, species = np.unique(kinds, axis=0, return_inverse=True)
    atoms: list[tuple[np.ndarray, int]] = []
    for centre, kind in zip(centres, species.ravel(), strict=True):
        for position in (op(centre) for op in pattern.group.operations):
            steps = np.array([position - other for other, of in atoms if of == kind]).reshape(-1, 2)
            if (np.abs(steps - np.round(steps)).max(-1) > 1e-6).all():
                atoms.append((position % 1, int(kind)))
    positions, species = zip(*atoms, strict=True)
    return np.array(positions), np.array(species), kinds


def merged(positions: np.ndarray, species: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms of several species in one place (a special position drawn twice) as one atom of another species."""
    steps = positions[:, None] - positions
    together = (np.abs(steps - np.round(steps)) < 1e-6).all(-1)
    first = np.flatnonzero(~np.tril(together, -1).any(-1))
    kinds = [tuple(sorted(species[together[k]])) for k in first]
    return positions[first], np.array([sorted(set(kinds)).index(kind) + 1 for kind in kinds])


@EACH_GROUP
@pytest.mark.parametrize("seed", range(6))
def test_atoms_of_rendered_patterns(group, seed):
    pattern = draw_pattern(group, "atom", seed, 96, PatternOptions())
    positions, species, _ = atoms_of_one_cell(pattern)
    assert space_group(pattern.cell.basis, *merged(positions, species)) == SPACE_GROUPS[group.name]


def test_two_species_in_one_place_are_one_atom():
    positions, species = merged(np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.3, 0.4]]), np.array([0, 0, 1, 2]))
    assert (positions[:, 0].tolist(), species.tolist()) == ([0.0, 0.5, 0.3], [2, 1, 3])


@EACH_GROUP
def test_rendered_atoms_are_where_the_image_has_them(group):
    """The list that spglib was given is the picture: summing its atoms over the lattice gives the same function."""
    pattern = draw_pattern(group, "atom", 0, 96, PatternOptions())
    positions, species, kinds = atoms_of_one_cell(pattern)
    radii, halos, weights = kinds[species].T
    u = np.random.default_rng(0).uniform(0, 1, (50, 2))
    reach = np.arange(-6, 7)
    shifts = np.stack(np.meshgrid(reach, reach), -1).reshape(-1, 2)
    steps = (u[:, None, None] - positions[:, None] - shifts) @ pattern.cell.basis.T
    squared = (steps**2).sum(-1) / radii[:, None] ** 2
    halos = halos[:, None]
    atoms = ((1 - halos) * np.exp(-squared / 2) + halos * np.exp(-squared / 8)).sum(-1)
    drawn = pattern.at_fractional(torch.from_numpy(u))[0].numpy()
    expected = pattern.mean + pattern.contrast * (atoms @ weights)
    np.testing.assert_allclose(drawn, expected, atol=1e-4 * abs(pattern.contrast))
