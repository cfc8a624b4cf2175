import numpy as np
import pytest
import torch
from torus import torus_permutations

from equisym.groups import WALLPAPER_GROUPS, C, D
from equisym.groups.orbit import orbits
from equisym.nn import OrbitConv2d, OrbitLinear, WallpaperConv2d, commutant_dimension
from equisym.nn.orbit_conv import _pixel_move


def twice(permutation):
    return (permutation, permutation)


def cycle(n):
    return (np.arange(n) + 1) % n


def swap(n):
    return np.array([1, 0, *range(2, n)])


def grid(side, *elements):
    return [twice(_pixel_move(side, g)) for g in elements]


@pytest.mark.parametrize(
    ("generators", "size", "count"),
    [
        ([twice(cycle(5)), twice(swap(5))], 5, 2),
        ([twice(cycle(7))], 7, 7),
        (grid(3, 1), 9, 21),
        (grid(3, 1, 4), 9, 15),
        (grid(4, 1), 16, 64),
    ],
    ids=["S5", "Z7", "C4 on 3x3", "D4 on 3x3", "C4 on 4x4"],
)
def test_free_weights_are_orbits_and_commutant(generators, size, count):
    layer = OrbitLinear(size, size, generators=generators)
    assert layer.weight.numel() == count == commutant_dimension(generators, size, size)
    weight, bias = layer.matrix()
    for g_in, g_out in generators:
        p_in, p_out = torch.eye(size)[:, np.argsort(g_in)], torch.eye(size)[:, np.argsort(g_out)]
        assert torch.equal(p_out @ weight, weight @ p_in)
        assert torch.equal(p_out @ bias, bias)


def test_burnside():
    """Orbits on pairs = mean over the group of the pairs that an element fixes."""
    square = D(4)
    moves = [_pixel_move(3, g) for g in range(8)]
    fixed = [int((m == np.arange(9)).sum()) ** 2 for m in moves]
    assert sum(fixed) / square.order == 15


def test_orbits_follow_long_cycles():
    rng = np.random.default_rng(0)
    order = rng.permutation(4000)
    permutation = np.empty(4000, int)
    permutation[order[:3000]] = np.roll(order[:3000], 1)
    permutation[order[3000:]] = np.roll(order[3000:], 1)
    found = orbits([permutation], 4000)
    assert set(found) == {0, 1}
    assert len(set(found[order[:3000]])) == 1
    assert found[0] == 0


def test_channels_of_orbit_linear():
    layer = OrbitLinear(4, 4, generators=[twice(cycle(4))], channels=(2, 3))
    x = torch.randn(5, 2, 4)
    torch.testing.assert_close(layer(x).roll(1, -1), layer(x.roll(1, -1)))
    torch.testing.assert_close(layer.to_plain()(x), layer(x))


@pytest.mark.parametrize("group", [C(4), D(4)], ids=str)
def test_orbit_conv_has_the_weights_of_a_group_convolution(group):
    n = group.order
    generators = [(group.product_table[1], group.product_table[1], 1)]
    if group.mirrors:
        generators.append((group.product_table[4], group.product_table[4], 4))
    assert OrbitConv2d(n, n, 3, generators=generators).weight.numel() == n * 9
    lift = [(np.arange(1), g, p) for _, g, p in generators]
    assert OrbitConv2d(1, n, 3, generators=lift).weight.numel() == 9


@pytest.mark.parametrize("group", WALLPAPER_GROUPS, ids=str)
def test_torus_layer_commutes_with_every_operation(group):
    torch.manual_seed(0)
    layer = WallpaperConv2d(2, 3, 3, group=group, cell=4).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    for permutation in torus_permutations(group, 8, 4):
        back = torch.from_numpy(np.argsort(permutation))

        def move(z, back=back):
            return z.flatten(2)[..., back].view_as(z)

        assert (layer(move(x)) - move(layer(x))).abs().max() < 1e-10


def test_torus_layer_promises_no_more_than_its_group():
    """pg has glides and no mirrors: its layer must not commute with the mirror of pm."""
    torch.manual_seed(0)
    layer = WallpaperConv2d(1, 1, 3, group="pg", cell=4).double()
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    back = torch.from_numpy(np.argsort(torus_permutations(WALLPAPER_GROUPS["pm"], 8, 4)[1]))
    moved = x.flatten(2)[..., back].view_as(x)
    assert (layer(moved) - layer(x).flatten(2)[..., back].view_as(x)).abs().max() > 1e-2


def test_torus_layer_with_cell_one_is_a_circular_convolution():
    layer = WallpaperConv2d(1, 2, 3, group="p1", cell=1)
    assert layer.weight.shape == (2, 1, 9)
    x = torch.randn(1, 1, 6, 6)
    kernel = layer.weight[..., layer.index].view(2, 1, 3, 3)
    padded = torch.nn.functional.pad(x, (1,) * 4, mode="circular")
    torch.testing.assert_close(layer(x), torch.nn.functional.conv2d(padded, kernel, layer.bias[:, 0]))


def test_torus_orbits_agree_with_the_whole_torus_layer():
    """Orbits of the group on all pixel pairs of the torus, found without reference to cells or windows."""
    group = WALLPAPER_GROUPS["p4g"]
    moves = torus_permutations(group, 4, 4)
    whole = OrbitLinear(16, 16, generators=[twice(m) for m in moves])
    fixed = set()
    members = {tuple(range(16))}
    while members != fixed:
        fixed = members
        members = members | {tuple(np.array(m)[list(p)]) for p in members for m in moves}
    burnside = sum(sum(i == j for i, j in enumerate(p)) ** 2 for p in members) / len(members)
    assert whole.weight.numel() == burnside


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OrbitLinear(3, 3, generators=[([0, 1, 1], [0, 1, 2])]), "input permutation 0"),
        (lambda: OrbitLinear(3, 3, generators=[([0, 1, 2], [0, 1])]), "output permutation 0"),
        (lambda: OrbitLinear(3, 3, generators=[[0, 1, 2]]), "pair"),
        (lambda: OrbitConv2d(2, 2, 3, generators=[([0, 1], [0, 1], 8)]), "0..7"),
        (lambda: WallpaperConv2d(1, 1, 3, group="p5", cell=4), "p4g.*got 'p5'"),
        (lambda: WallpaperConv2d(1, 1, 4, group="p4", cell=4), "odd .got 4"),
        (lambda: WallpaperConv2d(1, 1, 3, group="pg", cell=3), "even for pg.*got 3"),
        (lambda: WallpaperConv2d(1, 1, 3, group="p4", cell=4)(torch.zeros(1, 1, 8, 10)), "multiples of the cell, 4"),
        (lambda: WallpaperConv2d(1, 1, 3, group="p4", cell=4)(torch.zeros(1, 1, 8, 12)), "square torus .got 8 x 12"),
        (lambda: WallpaperConv2d(1, 1, 3, group="p4", cell=4)(torch.zeros(1, 2, 8, 8)), "1 channels .got 2"),
        (lambda: torus_permutations(WALLPAPER_GROUPS["p1"], 8, 3), "side 8 .got 3"),
        (lambda: OrbitLinear(3, 3, generators=[twice(cycle(3))])(torch.zeros(2, 4)), "got .2, 4"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_permutation_is_told_in_full():
    with pytest.raises(
        ValueError, match=r"input permutation 0 must hold each of 0\.\.3 once \(got shape \(4,\)\): \[0, 1, 2, 2\]"
    ):
        OrbitConv2d(4, 4, 3, generators=[([0, 1, 2, 2], [0, 1, 2, 3], 1)])
