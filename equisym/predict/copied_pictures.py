"""Which cell counts where one is several copies of another but for little: a superstructure, or a texture's dirt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from equisym.crystal import features_of, group_probabilities, measure
from equisym.crystal.tuned_constants import PosteriorOptions
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.measurement import Found

_FEW_OPERATIONS = torch.tensor([len(g.primitive_operations) <= 2 for g in WALLPAPER_GROUPS])


def with_superstructure(found: Found, options: PosteriorOptions) -> Found:
    """What was found on the cell of a superstructure, if that has a symmetry of its own; else what is given.

    Few superstructures lack one. Dirt does, which repeats where a picture was repeated.
    """
    if found.larger is None or found.larger.measurement is None:
        return found
    probabilities = group_probabilities(features_of(found.larger.measurement), options)[0]
    return found.larger if float(probabilities[_FEW_OPERATIONS].sum()) < 0.5 else found


def with_smaller_cell(found: Found, probabilities: Tensor, options: PosteriorOptions) -> Tensor:
    """Probabilities of the groups, (17,), where the cell nearly is several copies of a smaller one.

    A seamless picture of a wall or of a cloth shows several of its repeats, and each with its own dirt. Where the
    picture itself is repeated, so is the dirt, and the cell is the whole picture. It may as well be a pattern that has
    a superstructure; but that mostly has a symmetry of its own, and dirt has none. So where the cell has only two
    operations, the groups of the smaller one are likely as well. The likeliest group remains.
    """
    small, m, view = found.pseudocell, found.measurement, found.view
    doubt = options.copied * float(probabilities[_FEW_OPERATIONS].sum())
    if small is None or m is None or view is None or doubt < 0.5 * options.copied:
        return probabilities
    copies = abs(np.linalg.det(m.lattice.basis) / np.linalg.det(small.basis))
    lattice = replace(
        m.lattice,
        basis=small.basis,
        score=m.lattice.score * (1 - small.beyond),
        repeats=m.lattice.repeats * copies,
    )
    copy = measure(view.grey if len(view.channels) == 1 else view.channels, lattice, mask=m.mask)
    mixed = (1 - doubt) * probabilities + doubt * group_probabilities(features_of(copy), options)[0]
    return mixed if mixed.argmax() == probabilities.argmax() else probabilities
