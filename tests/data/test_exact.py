"""Rendered functions have exactly their label's symmetry, no more, and depend on (seed, index) alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from equisym.data import FAMILIES, Pattern, PatternOptions, WallpaperDataset, draw_pattern, render
from equisym.data.bravais import metrics_of
from equisym.data.guard import strongest_forbidden
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.wallpaper import WallpaperGroup

EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES)


def pattern_on(metric: str, group: WallpaperGroup, family: str, seed: int) -> Pattern:
    """The first pattern of a sequence whose lattice has this metric."""
    drawn = (draw_pattern(group, family, (seed, k), 96, PatternOptions()) for k in range(1000))
    return next(pattern for pattern in drawn if pattern.cell.metric == metric)


@EACH_FAMILY
@pytest.mark.parametrize(("group", "metric"), [(g, m) for g in WALLPAPER_GROUPS for m in metrics_of(g)], ids=str)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_functions_are_invariant_to_rounding(group, metric, family, seed):
    pattern = pattern_on(metric, group, family, seed)
    basis, origin = pattern.cell.basis, pattern.cell.origin
    rng = np.random.default_rng(seed)
    points = rng.uniform(-200, 200, (64, 2))
    u = (points - origin) @ np.linalg.inv(basis).T
    values = pattern(torch.from_numpy(points))
    for op in group.operations:
        moved = (op(u) + rng.integers(-5, 6, (64, 2))) @ basis.T + origin
        torch.testing.assert_close(pattern(torch.from_numpy(moved)), values, rtol=0, atol=1e-9)


@EACH_FAMILY
def test_images_are_the_function_at_pixel_centres(family):
    pattern = draw_pattern("p4g", family, 3, 64, PatternOptions())
    image = pattern.image(64)
    for column, row in ((0, 0), (63, 0), (5, 40)):
        value = pattern(torch.tensor([column, row], dtype=torch.float64)).clamp(0, 1)
        assert image[0, row, column].item() == pytest.approx(value.item(), abs=1e-3)
    torch.testing.assert_close(image, render("p4g", family, 3, 64), rtol=0, atol=0)


# The guard by brute force: integer matrices that keep the metric, and every translation of the grid by roll.


def isometries(basis: np.ndarray, strain: float) -> list[np.ndarray]:
    """Integer matrices of determinant +-1 whose strain on the lattice stays below the limit."""
    candidates = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 4), -1).reshape(-1, 2, 2)
    candidates = candidates[np.abs(np.round(np.linalg.det(candidates))) == 1]
    stretch = np.linalg.svd(basis @ candidates @ np.linalg.inv(basis), compute_uv=False)
    return list(candidates[(np.abs(stretch - 1) < strain).all(-1)])


def correlations(cell: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Normalised correlation of a (C, N, N) cell with its image under x -> W x + w for all w on the grid; (N, N)."""
    n = cell.shape[-1]
    cell = cell - cell.mean((-2, -1), keepdims=True)
    y, x = np.mgrid[:n, :n]
    turned = cell[:, (W[1, 0] * x + W[1, 1] * y) % n, (W[0, 0] * x + W[0, 1] * y) % n]
    rolled = [[(cell * np.roll(turned, (i, j), (-2, -1))).sum() for j in range(n)] for i in range(n)]
    return np.array(rolled) / (cell**2).sum()


def forbidden(pattern, n: int = 24) -> float:
    """The greatest correlation under an operation that the label does not have."""
    group, basis = pattern.group, pattern.primitive_basis
    cell = pattern.primitive_cell(n, torch.float64).numpy()
    own = {op.W for op in group.primitive_operations}
    outside = [W for W in isometries(basis, 0.1) if tuple(map(tuple, W.tolist())) not in own]
    shifts = np.stack(np.mgrid[:n, :n][::-1], -1) / n
    lattice = [(i, j) for i in range(-2, 4) for j in range(-2, 4)]
    distance = np.min([np.linalg.norm((shifts - point) @ basis.T, axis=-1) for point in lattice], 0)
    translations = correlations(cell, np.eye(2, dtype=int))[distance > 0.2 * np.sqrt(abs(np.linalg.det(basis)))]
    return max([translations.max()] + [correlations(cell, W).max() for W in outside])


@EACH_FAMILY
@EACH_GROUP
def test_no_accepted_pattern_has_a_forbidden_operation(group, family):
    pattern = draw_pattern(group, family, 11, 96, PatternOptions())
    assert forbidden(pattern) < 0.9
    assert pattern.image(96).std() > 0.02


def linear_parts(group: WallpaperGroup) -> set:
    return {op.W for op in group.primitive_operations}


@pytest.mark.parametrize(
    ("higher", "label"),
    [(g, s) for g in WALLPAPER_GROUPS for s in g.subgroups if linear_parts(s) < linear_parts(g)],
    ids=lambda group: group.name,
)
def test_a_pattern_of_higher_symmetry_than_its_label_is_refused(higher, label):
    pattern = draw_pattern(higher, "noise", 5, 96, PatternOptions())
    cell = pattern.primitive_cell()
    assert strongest_forbidden(cell, pattern.primitive_basis, higher) < 0.9
    assert strongest_forbidden(cell, pattern.primitive_basis, label) > 0.9


def test_a_finer_translation_is_refused():
    k = torch.arange(48) / 48
    y, x = torch.meshgrid(k, k, indexing="ij")
    rng = torch.Generator().manual_seed(0)
    waves = [torch.cos(2 * torch.pi * (a * x + b * y + torch.rand(1, generator=rng))) for a, b in ((2, 1), (4, -1))]
    assert strongest_forbidden(sum(waves)[None], np.eye(2) * 30.0, WALLPAPER_GROUPS["p1"]) > 0.999


def test_a_constant_cell_is_refused():
    assert strongest_forbidden(torch.full((1, 48, 48), 0.3), np.eye(2) * 30.0, WALLPAPER_GROUPS["p1"]) == 1.0


@EACH_FAMILY
def test_no_image_is_constant(family):
    for image, _ in WallpaperDataset(family, 34, size=48, seed=3):
        assert image.std() > 0.02
        assert image.isfinite().all()
        assert 0 <= image.min() <= image.max() <= 1


def test_images_depend_on_seed_index_and_split_alone():
    dataset = WallpaperDataset(("noise", "photo", "atom"), 51, size=33, seed=7)
    images = torch.stack([image for image, _ in dataset])
    again = torch.cat([batch for batch, _ in DataLoader(dataset, batch_size=8, num_workers=2)])
    torch.testing.assert_close(again, images, rtol=0, atol=0)
    torch.testing.assert_close(dataset[40][0], images[40], rtol=0, atol=0)
    longer = WallpaperDataset(("noise", "photo", "atom"), 1000, size=33, seed=7)
    torch.testing.assert_close(longer[33][0], images[33], rtol=0, atol=0)
    assert [label for _, label in dataset] == 3 * list(range(17))
    for other in (
        WallpaperDataset(("noise", "photo", "atom"), 51, size=33, seed=8),
        WallpaperDataset(("noise", "photo", "atom"), 51, size=33, seed=7, split="valid"),
    ):
        same = [torch.equal(image, mine) for (image, _), mine in zip(other, images, strict=True)]
        assert not any(same)


def test_no_two_images_are_the_same():
    images = torch.stack([image for image, _ in WallpaperDataset("noise", 51, size=33, seed=0)]).flatten(1)
    assert len(images.unique(dim=0)) == 51


def test_colour_and_memory():
    dataset = WallpaperDataset("atom", 17, size=33, seed=0, colour=True)
    kept, labels = dataset.in_memory(progress=False).tensors
    assert kept.shape == (17, 3, 33, 33)
    torch.testing.assert_close(kept[4], dataset[4][0], rtol=0, atol=0)
    assert labels.tolist() == list(range(17))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "marble"}, r"family must be one of noise, photo, atom.* \(got 'marble'\)"),
        ({"split": "dev"}, r"split must be one of train, valid, test \(got 'dev'\)"),
        ({"seed": -1}, r"seed must not be negative \(got -1\)"),
        ({"length": 0}, r"length must be at least 1 \(got 0\): give the number of images"),
        ({"size": 4}, r"size must be at least 8 pixels \(got 4\)"),
        ({"photos": "nowhere", "family": "photo"}, r"photos must be a folder of images \(got nowhere"),
    ],
)
def test_datasets_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        WallpaperDataset(**{"family": "noise", "length": 17, "size": 33, **arguments})[0]


@pytest.mark.parametrize("index", [-1, 17])
def test_datasets_refuse_other_indices(index):
    with pytest.raises(IndexError, match=rf"index must lie in 0\.\.16 \(got {index}\)"):
        WallpaperDataset("noise", 17)[index]


def test_render_refuses_bad_arguments(monkeypatch):
    monkeypatch.setattr("equisym.data.pattern._TRIES_PER_CELL", 1, raising=False)
    with pytest.raises(KeyError, match="'p5' is not a wallpaper group"):
        render("p5", "noise", 0, 33)
    with pytest.raises(ValueError, match="family must be one of"):
        render("p4", "marble", 0, 33)
    with pytest.raises(ValueError, match=r"the label guard refused \d+ draws of p4 noise at size 16 with margin 2"):
        render("p4", "noise", 0, 16, margin=2.0)


def test_operations_of_the_label_hold_in_the_brute_force_reference():
    """The reference itself: under the label's own operations the correlation is one."""
    pattern = draw_pattern("p4m", "noise", 2, 96, PatternOptions())
    cell = pattern.primitive_cell(24, torch.float64).numpy()
    for W in linear_parts(pattern.group):
        assert correlations(cell, np.array(W)).max() == pytest.approx(1, abs=1e-9)
