import pytest
import torch
from torus import torus_permutations

from equisym.groups import WALLPAPER_GROUPS, C, D
from equisym.nn import SymmetryCorrelation2d, SymmetryFilter2d, act


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def symmetric_torus(name, size, cell):
    """Noise averaged over a wallpaper group on a torus: exactly that symmetry, by permutations."""
    import numpy as np

    flat = noise(size * size).numpy()
    members = {tuple(range(size * size))}
    moves = torus_permutations(WALLPAPER_GROUPS[name], size, cell)
    while True:
        grown = members | {tuple(np.asarray(m)[list(p)]) for p in members for m in moves}
        if grown == members:
            break
        members = grown
    return torch.from_numpy(sum(flat[list(p)] for p in members)).view(1, 1, size, size)


@pytest.mark.parametrize("order", [2, 4])
def test_rotation_filter_is_one_at_a_centre_and_not_elsewhere(order):
    torch.manual_seed(0)
    layer = SymmetryFilter2d(1, 4, 5, kind="rotation", order=order).double()
    x = noise(1, 1, 15, 15)
    x = sum(x.rot90(q, (-2, -1)) for q in range(0, 4, 4 // order))
    y = layer(x)[0]
    assert (y[:, 7, 7] > 1 - 1e-6).all()
    assert y[:, 3:6, 3:6].mean() < 0.8


def test_mirror_filter_answers_its_own_axis_only():
    torch.manual_seed(0)
    x = noise(1, 1, 15, 15)
    for axis, image in ((90, x + x.flip(-1)), (0, x + x.flip(-2)), (135, x + x.mT), (45, x + x.mT.flip(-1, -2))):
        answers = {
            a: SymmetryFilter2d(1, 4, 5, kind="mirror", axis=a).double()(image)[0, :, 7, 7].mean().item()
            for a in (0, 45, 90, 135)
        }
        assert answers[axis] > 1 - 1e-6
        assert all(value < 0.95 for a, value in answers.items() if a != axis)


def test_glide_filter_finds_the_glide_line_of_pg():
    torch.manual_seed(0)
    x = symmetric_torus("pg", 8, 8).tile(1, 1, 3, 3)
    layer = SymmetryFilter2d(1, 6, 3, kind="glide", axis=90, shift=4).double()
    assert (layer(x)[0, :, 8:16, 8] > 1 - 1e-6).all()
    mirror = SymmetryFilter2d(1, 6, 3, kind="mirror", axis=90).double()
    assert mirror(x)[0, :, 8:16, 8].mean() < 0.8


MIRRORS = {0: lambda x: x.flip(-2), 90: lambda x: x.flip(-1), 135: lambda x: x.mT, 45: lambda x: x.mT.flip(-1, -2)}
ALONG = {0: (0, 3), 90: (-3, 0), 45: (-3, 3), 135: (-3, -3)}  # rows and columns, rows downwards


@pytest.mark.parametrize("axis", MIRRORS)
def test_glide_filter_answers_on_its_line_only(axis):
    """An image that comes back to itself when it is mirrored and moved along the line, about the middle of the tile."""
    x = total = noise(1, 1, 9, 9)
    for _ in range(17):
        x = MIRRORS[axis](x).roll(ALONG[axis], (-2, -1))
        total = total + x
    image, line = total.tile(1, 1, 3, 3), range(12, 15)
    torch.manual_seed(0)
    found = SymmetryFilter2d(1, 6, 3, kind="glide", axis=axis, shift=3).double()(image)[0]
    row, column = {0: (0, 1), 90: (1, 0), 45: (-1, 1), 135: (1, 1)}[axis]
    on = torch.stack([found[:, 13 + row * (k - 13), 13 + column * (k - 13)] for k in line])
    off = torch.stack([found[:, 13 + row * (k - 13) + 2 * column, 13 + column * (k - 13) - 2 * row] for k in line])
    assert (on > 1 - 1e-6).all()
    assert off.mean() < 0.8


@pytest.mark.parametrize("periodic", [True, False])
def test_correlation_is_its_definition(periodic):
    x = noise(1, 2, 5, 5)
    layer = SymmetryCorrelation2d(group=D(4), periodic=periodic, overlap=0.3)
    c = layer(x)[0]
    assert c.shape == ((8, 5, 5) if periodic else (8, 9, 9))
    f = (x - x.mean((-2, -1), keepdim=True))[0]
    for g in range(8):
        h = torch.rot90(f.flip(-1) if g >= 4 else f, g % 4, (-2, -1))
        for dy, dx in ((0, 0), (1, 2), (-2, 1)):
            if periodic:
                expected = (f * h.roll((dy, dx), (-2, -1))).sum() / f.square().sum()
                found = c[g, dy % 5, dx % 5]
            else:
                rows = slice(max(dy, 0), 5 + min(dy, 0)), slice(max(-dy, 0), 5 + min(-dy, 0))
                columns = slice(max(dx, 0), 5 + min(dx, 0)), slice(max(-dx, 0), 5 + min(-dx, 0))
                a, b = f[:, rows[0], columns[0]], h[:, rows[1], columns[1]]
                expected = (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()
                found = c[g, 4 + dy, 4 + dx]
            torch.testing.assert_close(found, expected)


def test_correlation_of_regular_fields_permutes_them():
    group, x = D(4), noise(1, 16, 5, 5)
    f = x - x.mean()
    c = SymmetryCorrelation2d(group=group, regular=True)(x)[0]
    for g in range(8):
        torch.testing.assert_close(c[g, 0, 0], (f * act(f, g, group, regular=True)).sum() / f.square().sum())


def test_correlation_says_which_groups_a_tile_has():
    answers = {}
    for name in ("p1", "p2", "pm", "pg", "p4", "p4m", "p4g"):
        c = SymmetryCorrelation2d(group=D(4))(symmetric_torus(name, 8, 8))[0]
        answers[name] = [bool(v) for v in c.amax((-2, -1)) > 1 - 1e-9]
    assert answers["p1"] == [True] + [False] * 7
    assert answers["p2"] == [True, False, True, False] + [False] * 4
    assert answers["pm"] == answers["pg"] == [True, False, False, False, True, False, False, False]
    assert answers["p4"] == [True] * 4 + [False] * 4
    assert answers["p4m"] == answers["p4g"] == [True] * 8


def test_a_small_overlap_counts_for_nothing():
    c = SymmetryCorrelation2d(group=C(2), periodic=False, overlap=0.5)(noise(1, 1, 9, 9))
    assert (c[0, :, 0, 0] == 0).all()
    assert c.abs().max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "spiral"}, "rotation, mirror, glide .got 'spiral'"),
        ({"kind": "rotation", "order": 1}, "at least 2 .got 1"),
        ({"kind": "mirror", "axis": 30}, "got 30"),
        ({"kind": "glide"}, "got 0 for glide"),
        ({"kind": "mirror", "shift": 2}, "got 2 for mirror"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SymmetryFilter2d(1, 1, 3, **options)
    with pytest.raises(ValueError, match="overlap"):
        SymmetryCorrelation2d(group=C(2), overlap=0.0)
