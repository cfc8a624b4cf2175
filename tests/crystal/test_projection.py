from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from equisym.crystal import (
    CellAverage,
    Lattice,
    extract_features,
    features_of,
    fit_groups,
    group_residuals,
    measure,
    operation_scores,
    residual,
    spectrum,
    symmetrise,
    tile,
)
from equisym.crystal.correlation import SHELLS, half_plane, products
from equisym.crystal.operation_maps import search_weight
from equisym.data import WallpaperDataset, render
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.lattice import reduce_basis

SIZE = 48


def exact_cell(label):
    """Random numbers on a torus grid of a reduced cell, averaged over the group by exact permutations of the grid."""
    pattern = WallpaperDataset("noise", 17, size=128, seed=3).pattern(label)
    basis = reduce_basis(pattern.primitive_basis)
    frame = np.rint(np.linalg.solve(basis, pattern.primitive_basis)).astype(int)
    values = np.random.default_rng(label).normal(size=(SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE]
    total = np.zeros_like(values)
    for op in pattern.group.primitive_operations:
        W = frame @ np.array(op.W) @ np.linalg.inv(frame).round().astype(int)
        w = (frame @ op.translation * SIZE).round().astype(int)
        total += values[(W[1, 0] * x + W[1, 1] * y + w[1]) % SIZE, (W[0, 0] * x + W[0, 1] * y + w[0]) % SIZE]
    cell = torch.from_numpy(np.roll(total - total.mean(), (7, 18), (0, 1)))[None]
    return CellAverage(cell, torch.stack((cell, cell), 1), torch.from_numpy(basis)[None], *torch.zeros(2, 1, 1, 1))


def test_strong_shells_are_damped_only_where_it_is_asked_for():
    s = spectrum(exact_cell(3))
    plain, whitened = search_weight(s), search_weight(s, 0.5)
    inside = s.shell < SHELLS
    assert plain[inside] == pytest.approx(1, abs=1e-9)  # without noise every coefficient counts alike
    power = (s.signal / s.count.clamp(min=1))[0][s.shell[inside]]
    assert (whitened[inside] * (power / power.max()).clamp(min=1e-6).sqrt()).numpy() == pytest.approx(1, rel=1e-6)
    assert not plain[~inside].any()


@pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)
def test_group_and_its_subgroups_agree_exactly_and_no_other(group):
    average = exact_cell(group.label)
    fits = fit_groups(spectrum(average), average.basis)[0]
    for fit, other in zip(fits, WALLPAPER_GROUPS, strict=True):
        if other.is_subgroup_of(group):
            assert fit is not None
            assert fit.agreement == pytest.approx(1, abs=1e-9)
            projected = torch.fft.fft2(symmetrise(average.cell[0], fit.setting, fit.origin))
            kept = projected.abs() > 1e-9 * projected.abs().max()
            assert kept.sum() > SIZE**2 / 2
            assert (projected - torch.fft.fft2(average.cell[0]))[kept].abs().max() < 1e-6 * projected.abs().max()
        elif fit is not None:
            assert fit.agreement < 0.95


@pytest.mark.parametrize("name", ["pg", "cm", "pmg", "p4g", "p31m", "p6"])
def test_symmetrised_cell_has_the_group(name):
    group = WALLPAPER_GROUPS[name]
    average = exact_cell(group.label)
    fit = fit_groups(spectrum(average), average.basis)[0][group.label]
    rough = average.cell + 0.5 * average.cell.std() * torch.randn(
        average.cell.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    projected = symmetrise(rough[0], fit.setting, fit.origin)
    assert residual(rough[0], projected) > 0.05
    again = symmetrise(projected, fit.setting, fit.origin)
    assert (again - projected).abs().max() < 1e-9 * projected.abs().max()
    kept = torch.fft.fft2(projected).abs() > 1e-9
    before, after = ((torch.fft.fft2(x - average.cell[0])[kept]).abs().square().sum() for x in (rough[0], projected))
    assert after < 1.3 * before / len(fit.setting.operations)  # averaging over the group takes that much noise away


def test_mirrors_and_glides_are_told_apart():
    for name, kind, other in (("pm", "mirror", "glide"), ("pg", "glide", "mirror")):
        average = exact_cell(WALLPAPER_GROUPS[name].label)
        scores = operation_scores(spectrum(average), average.basis)[0]
        assert scores[0].kind == kind
        assert scores[0].score == pytest.approx(1, abs=1e-9)
        assert all(o.score < 0.95 for o in scores if o.kind == other)


def test_rotation_scores_of_p4_and_p6():
    for name, orders in (("p4", {2, 4}), ("p6", {2, 3, 6})):
        average = exact_cell(WALLPAPER_GROUPS[name].label)
        scores = operation_scores(spectrum(average), average.basis)[0]
        holding = {o.order for o in scores if o.score > 1 - 1e-9}
        assert holding == orders
        assert all(o.kind == "rotation" for o in scores if o.score > 1 - 1e-9)


def test_strained_lattice_keeps_its_group_and_tells_the_strain():
    average = exact_cell(WALLPAPER_GROUPS["p4m"].label)
    strained = replace(average, basis=torch.diag(torch.tensor([1.05, 1.0], dtype=torch.float64)) @ average.basis)
    fit = fit_groups(spectrum(strained), strained.basis)[0][WALLPAPER_GROUPS["p4m"].label]
    assert fit.agreement > 0.98
    assert 0.005 < fit.strain < 0.03


def test_features_do_not_depend_on_brightness_and_contrast():
    image = render("p4m", "noise", seed=1, size=96)[0].double()[None, None]
    plain, bright = extract_features(image), extract_features(300 * image + 50)
    torch.testing.assert_close(bright.profile, plain.profile, atol=1e-4, rtol=1e-4)
    assert plain.admitted[0, WALLPAPER_GROUPS["p4m"].label]


def test_noise_does_not_agree_with_itself():
    halves = torch.randn(1, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s = spectrum(CellAverage(halves.mean(1), halves, torch.eye(2)[None] * 20, *torch.zeros(2, 1, 1, 1)))
    identity = products(s, torch.tensor([0])).real
    power = half_plane(s.half[:, 0].abs().square()).sum()
    assert abs(identity.sum()) < 0.1 * power


@pytest.mark.parametrize("across", range(4))
@pytest.mark.parametrize("down", range(4))
def test_an_origin_between_points_of_the_grid_is_found(across, down):
    """Detail two pixels wide, on a grid of a point a pixel: halfway between points the slope of the agreement grows."""
    basis = np.array([[30.44, -92.83], [92.82, 30.44]])
    cell = np.random.default_rng(1).normal(size=(384, 384))
    cell = cell + np.roll(cell[::-1, ::-1], (40 + across, 100 + down), (0, 1))  # origins a quarter of a point apart
    cell = gaussian_filter(cell, 1.4, mode="wrap")
    y, x = np.mgrid[:256, :256]
    picture = torch.from_numpy(tile(cell, basis, x, y))
    m = measure(picture, Lattice(basis, np.zeros((2, 2)), 0.97, 6.9))
    assert m is not None
    assert float(group_residuals(features_of(m))[0, WALLPAPER_GROUPS["p2"].label]) < 0.03
