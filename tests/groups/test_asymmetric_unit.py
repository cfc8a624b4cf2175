"""Folding onto the asymmetric unit, against the operations and by counting points."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.asymmetric_unit import fold

EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)


@EACH_GROUP
@given(seed=st.integers(0, 2**32 - 1))
def test_fold_is_invariant_under_every_operation_and_translation(group, seed):
    rng = np.random.default_rng(seed)
    u = rng.uniform(-3, 3, (16, 2))
    folded = fold(torch.from_numpy(u), group)
    for op in group.operations:
        moved = op(u) + rng.integers(-9, 10, (16, 2))
        torch.testing.assert_close(fold(torch.from_numpy(moved), group), folded, rtol=0, atol=1e-12)


@EACH_GROUP
def test_the_representative_lies_in_the_orbit(group):
    u = np.random.default_rng(1).uniform(-2, 2, (500, 2))
    folded = fold(torch.from_numpy(u), group).numpy()
    offsets = np.stack([folded - op(u) for op in group.operations])
    distance = np.abs(offsets - np.round(offsets)).max(-1)
    assert (distance.min(0) < 1e-12).all()


@EACH_GROUP
def test_the_unit_is_one_orders_share_of_the_cell(group):
    u = torch.from_numpy(np.random.default_rng(2).uniform(0, 1, (200_000, 2)))
    folded = fold(u, group)
    torch.testing.assert_close(fold(folded, group), folded, rtol=0, atol=1e-12)
    offset = folded - u
    inside = ((offset - torch.round(offset)).abs().amax(-1) < 1e-9).double().mean().item()
    assert inside == pytest.approx(1 / group.order, abs=5e-3)  # four standard deviations of the count


@EACH_GROUP
def test_orbits_of_different_points_stay_apart(group):
    """Two points that no operation joins have different representatives."""
    u = np.random.default_rng(3).uniform(0, 1, (40, 2))
    folded = fold(torch.from_numpy(u), group).numpy()
    gaps = np.linalg.norm(folded[:, None] - folded[None], axis=-1)[~np.eye(40, dtype=bool)]
    assert gaps.min() > 1e-6


@EACH_GROUP
def test_single_precision_is_kept(group):
    folded = fold(torch.rand(3, 4, 2), group)
    assert folded.shape == (3, 4, 2)
    assert folded.dtype == torch.float32
