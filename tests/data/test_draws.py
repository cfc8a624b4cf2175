"""What is drawn: cells apart from the group, special positions, rasters, photographs, the poster preset."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from equisym.data import FAMILIES, VERSION_OF_DRAWS, PatternOptions, WallpaperDataset, draw_pattern, images, render
from equisym.data.bravais import draw_cell, metrics_of
from equisym.data.guard import strongest_forbidden
from equisym.data.motif import special_position
from equisym.data.photographs import Photographs, photographs
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.lattice import near_isometries

EACH_GROUP = pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES)


@EACH_FAMILY
@EACH_GROUP
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_images_are_read_from_is_exactly_invariant(group, family, seed):
    """On every metric of the group, with the rasters that images use."""
    rng = np.random.default_rng(seed)
    pattern = draw_pattern(group, family, seed, 64, PatternOptions())
    u = rng.uniform(-3, 3, (8, 8, 2))
    values = pattern.sample(*torch.from_numpy(u).unbind(-1))
    for op in group.operations:
        moved = torch.from_numpy(op(u) + rng.integers(-3, 4, 2))
        torch.testing.assert_close(pattern.sample(*moved.unbind(-1)), values, rtol=0, atol=1e-9)


@EACH_GROUP
def test_cells_are_drawn_on_every_metric_apart_from_the_group(group):
    rng = np.random.default_rng(0)
    cells = [draw_cell(group, 256, rng) for _ in range(300)]
    assert {cell.metric for cell in cells} == set(metrics_of(group))
    bases = np.stack([cell.basis @ group.primitive_basis for cell in cells])
    repeats = 256 / np.sqrt(np.abs(np.linalg.det(bases)))
    assert 2.5 <= repeats.min() < 2.8
    assert 10.5 < repeats.max() <= 12
    assert np.log(repeats).mean() == pytest.approx((np.log(2.5) + np.log(12)) / 2, abs=0.1)
    cosine = np.einsum("ni,ni->n", bases[..., 0], bases[..., 1]) / np.linalg.norm(bases, axis=1).prod(-1)
    assert np.abs(cosine).max() <= 0.5 + 1e-9  # 60 to 120 degrees for all
    for cell, basis in zip(cells, bases, strict=True):
        lengths = np.linalg.norm(basis, axis=0)
        if cell.metric in ("rhombic", "square", "hexagonal"):
            assert lengths[0] == pytest.approx(lengths[1])
        assert 0.49 < lengths[0] / lengths[1] < 2.01
        assert {op.W for op in group.primitive_operations} <= set(near_isometries(basis, 1e-6))


@settings(max_examples=60)
@given(angle=st.floats(53.2, 126.8), ratio=st.floats(0.5, 2))
def test_near_isometries_are_those_of_singular_values(angle, ratio):
    radians = np.radians(angle)
    basis = np.array([[1, ratio * np.cos(radians)], [0, ratio * np.sin(radians)]])
    entries = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 4), -1).reshape(-1, 2, 2)
    entries = entries[np.abs(np.round(np.linalg.det(entries))) == 1]
    powers = np.linalg.matrix_power(entries, 12)
    entries = entries[(powers == np.eye(2)).all((1, 2))]
    stretch = np.linalg.svd(basis @ entries @ np.linalg.inv(basis), compute_uv=False)
    expected = {tuple(map(tuple, m.tolist())) for m in entries[(stretch < 1.1).all(-1)]}
    assert set(near_isometries(basis)) == expected


def test_the_guard_sees_peaks_between_its_points():
    """Two waves a glide of 1/2 + a quarter of a grid step apart: on the grid alone their correlation looks weaker."""
    k = torch.arange(48, dtype=torch.float64) / 48
    y, x = torch.meshgrid(k, k, indexing="ij")
    pattern = torch.cos(2 * torch.pi * (9 * x + 2 * y)) + torch.cos(2 * torch.pi * (5 * x - 7 * y + 0.3))
    off_grid = 0.5 / 48
    mirrored = torch.cos(2 * torch.pi * (9 * (off_grid - x) + 2 * y))
    mirrored += torch.cos(2 * torch.pi * (5 * (off_grid - x) - 7 * y + 0.3))
    found = strongest_forbidden((pattern + mirrored)[None], np.eye(2) * 48.0, WALLPAPER_GROUPS["p1"])
    assert found > 0.995


@EACH_GROUP
def test_special_positions_are_kept_by_an_operation(group):
    rng = np.random.default_rng(1)
    kept = 0
    for _ in range(40):
        point = special_position(group, rng.uniform(0, 1, 2), rng)
        others = [op(point) - point for op in group.operations[1:]]
        kept += any(np.allclose(step, np.round(step), atol=1e-9) for step in others)
    assert (kept > 0) == (group.name not in ("p1", "pg"))


def test_atom_rasters_are_true_to_the_sum_of_atoms():
    for seed in range(6):
        pattern = draw_pattern("p31m", "atom", seed, 128, PatternOptions())
        u = torch.rand(20, 20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        exact, drawn = pattern.at_fractional(u), pattern.sample(*u.unbind(-1))
        assert (exact - drawn).abs().max() < 5e-3 * (exact.max() - exact.min())


@EACH_FAMILY
def test_batches_are_images_one_by_one(family):
    patterns = [draw_pattern(g, family, k, 48, PatternOptions(colour=True)) for k, g in enumerate(WALLPAPER_GROUPS)]
    patterns += patterns[3:5]
    expected = torch.stack([pattern.image(48) for pattern in patterns])
    close = (images(patterns, 48) - expected).abs() < 1e-3
    assert close.float().mean() > 0.999  # a pixel on a seam may fall to its other side


def test_no_blanks_from_flat_photographs(tmp_path):
    Image.new("L", (64, 64), 128).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="the label guard refused"):
        render("p4", "photo", 0, 32, photos=tmp_path, split=Photographs_split(tmp_path))


def Photographs_split(folder) -> str:  # noqa: N802
    """The split that the only file of a folder falls into."""
    for split in ("train", "valid", "test"):
        try:
            Photographs(folder, split=split)
        except ValueError:
            continue
        return split
    raise AssertionError


def test_photographs_nested_split_and_unreadable(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(40):
        folder = tmp_path / f"n{k % 3}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8)).save(folder / f"{k}.png")
    files = {split: set(Photographs(tmp_path, split=split).files) for split in ("train", "valid", "test")}
    assert sum(map(len, files.values())) == len(set.union(*files.values())) == 40
    broken = Photographs(tmp_path)
    for path in broken.files[: len(broken.files) // 2]:
        path.write_bytes(b"not an image")
    bad = set(broken.files[: len(broken.files) // 2])
    with pytest.warns(UserWarning, match="is skipped because it cannot be read as an image"):
        drawn = [broken.draw(np.random.default_rng(k), 1).path for k in range(30)]
    assert not bad & set(drawn)
    assert photographs(tmp_path, "train") is photographs(tmp_path, "train")


def test_smaller_versions_keep_the_mean():
    photo = photographs(None, "train").draw(np.random.default_rng(0), 3)
    whole, small = photo.reduced(0).float(), photo.reduced(4).float()
    assert small.shape[1] == round(whole.shape[1] / 4)
    torch.testing.assert_close(small.mean((1, 2)), whole.mean((1, 2)), rtol=0.01, atol=0.5)


def test_independent_noise_has_no_correlation_beyond_a_pixel():
    pattern = draw_pattern("p1", "noise", 0, 256, PatternOptions(independent=1.0))
    values = pattern.texture.raster.values[0]
    assert np.linalg.inv(pattern.texture.raster.matrix) == pytest.approx(np.eye(2))
    neighbours = torch.corrcoef(torch.stack([values[:, 1:].flatten(), values[:, :-1].flatten()]))[0, 1]
    assert abs(neighbours) < 0.1


@EACH_GROUP
def test_the_poster_preset_has_the_published_sizes(group):
    options = PatternOptions(preset="poster", colour=True)
    order = group.order / (2 if group.centred else 1)
    for k in range(3):
        noise, atom = (draw_pattern(group, family, k, 256, options) for family in ("noise", "atom"))
        area = abs(np.linalg.det(noise.primitive_basis)) / order
        assert 900 < area < 1020
        turn = np.degrees(np.arctan2(noise.cell.basis[1, 0], noise.cell.basis[0, 0]))
        assert turn == pytest.approx(round(turn), abs=1e-9)
        assert 8 * 8**2 <= abs(np.linalg.det(atom.primitive_basis)) / order <= 8 * 12**2
        image = atom.image(256)
        assert image.shape == (3, 256, 256)
        assert image[2].max() == 0  # red and green atoms on black
        assert image[0].max() > 0.9
        assert image[1].max() > 0.9
    with pytest.raises(ValueError, match=r"preset must be poster .* \(got 'paper'\)"):
        PatternOptions(preset="paper")


# Means, in thousandths, of a small square in the first 17 images of each family; VERSION_OF_DRAWS 2.
SQUARES = {
    "noise": (485, 555, 443, 389, 441, 497, 526, 492, 238, 522, 560, 563, 629, 356, 515, 550, 502),
    "photo": (548, 433, 362, 631, 556, 353, 518, 451, 530, 313, 466, 536, 376, 366, 597, 533, 293),
    "atom": (447, 683, 585, 469, 372, 426, 534, 572, 525, 553, 440, 427, 623, 558, 599, 359, 422),
}  # fmt: skip


@EACH_FAMILY
def test_a_seed_gives_the_images_that_it_always_gave(family):
    """Whoever changes a draw gives the version another number, and these squares their new means."""
    assert VERSION_OF_DRAWS == 2
    found = [1000 * image[0, 8:12, 8:12].mean().item() for image, _ in WallpaperDataset(family, 17, size=32, seed=0)]
    assert found == pytest.approx(SQUARES[family], abs=2)


def test_ten_million_images_cost_nothing():
    image, label = WallpaperDataset("noise", 10_000_000, size=64)[9_999_999]
    assert label == 9_999_999 % 17
    assert image.std() > 0.02
