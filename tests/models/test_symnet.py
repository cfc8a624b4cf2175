"""What SymNet reads of an image: the operations, the strain, and how well the lattice holds."""

from dataclasses import replace

import pytest
import torch

from equisym.crystal import extract_features
from equisym.data import render
from equisym.groups import WALLPAPER_GROUPS
from equisym.models import build

P4M = WALLPAPER_GROUPS["p4m"].label


@pytest.fixture(scope="module")
def features():
    return extract_features(render("p4m", "noise", seed=1, size=96)[None])


def test_a_group_pays_for_the_strain_of_the_lattice(features):
    network = build("symnet").eval()
    sigma = network.log_rigidity.detach().exp()
    with torch.no_grad():
        before, after = (
            network.energies(replace(features, strain=torch.full_like(features.strain, strain)))[0]
            for strain in (0.0, 0.05)
        )
    assert (before - after)[P4M].item() == pytest.approx(float(0.5 * (0.05 / sigma) ** 2), rel=1e-4)


def test_a_lattice_too_far_from_a_groups_has_it_not(features):
    network = build("symnet").eval()
    with torch.no_grad():
        energies = network.energies(replace(features, strain=torch.full_like(features.strain, 0.2)))[0]
    p1 = WALLPAPER_GROUPS["p1"].label
    assert all(e == -30 for label, e in enumerate(energies.tolist()) if label != p1)
    assert energies[p1] > -30
