"""Maps: groups, strain and refusals where they are, and a vote that no wrong window sways."""

import json

import numpy as np
import pytest
import torch

from equisym.data import render
from equisym.predict import Prediction, SymmetryClassifier, draw_map, vote
from equisym.predict.map import placed, suitable_window

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
PATTERN = render("p4m", "noise", seed=1, size=240, repeats=(14, 14))[0].double().numpy()


def sampled(image, x, y):
    """The image at real positions."""
    grid = torch.from_numpy(np.stack((2 * x / (image.shape[1] - 1) - 1, 2 * y / (image.shape[0] - 1) - 1), -1))
    values = torch.from_numpy(image)[None, None]
    return torch.nn.functional.grid_sample(values, grid[None], mode="bicubic", align_corners=True)[0, 0].numpy()


def test_one_pattern_has_one_group_and_no_strain():
    found = CLASSIFIER.map(PATTERN, window=96, step=72)
    assert found.rows == found.columns == (0, 72, 144)
    assert (found.groups == "p4m").all()
    assert found.group == "p4m"
    assert found.vote.share == 1
    assert found.vote.likeness > 0.9
    assert abs(found.strain).max() < 5e-3
    assert abs(found.rotation).max() < 0.3
    whole = CLASSIFIER.predict(PATTERN)
    answer = found.answer()
    assert answer.group == "p4m"
    assert answer.shape == PATTERN.shape
    # the best window's cell lies where the whole image's pattern is
    drawn = answer.symmetrised_image()
    assert np.corrcoef(drawn.ravel(), whole.symmetrised_image().ravel())[0, 1] > 0.9
    assert json.loads(found.to_json())["groups"][1][2] == "p4m"
    figure = draw_map(PATTERN, found)
    assert len(figure.axes) == 5
    (tiles,) = figure.axes[0].collections
    np.testing.assert_allclose(tiles.get_array()[..., 3], 0.15 + 0.5 * found.certainty)
    signed = [axis.collections[0].get_clim() for axis in figure.axes[1:3]]
    assert all(low == -high < 0 for low, high in signed)  # white is no change


def test_the_answer_of_a_window_is_placed_in_its_image():
    window = CLASSIFIER.predict(PATTERN[40:200, 30:230])
    found = placed(window, 30, 40, PATTERN.shape)
    np.testing.assert_allclose(found.origin - window.origin, (30, 40))
    np.testing.assert_allclose(found.corner - window.corner, (30, 40))
    assert found.shape == PATTERN.shape


def test_strain_and_rotation_are_those_of_each_window():
    y, x = np.indices((200, 240)).astype(float)
    right = (x >= 120).astype(float)
    image = sampled(PATTERN, x + right * (0.03 * (x - 120)), y)  # compressed by 3 % along x on the right
    found = CLASSIFIER.map(image, window=100)
    change = found.strain[:, -1] - found.strain[:, 0]  # the mean lattice shares the change: half on either side
    np.testing.assert_allclose(change.sum(-1), -0.03, atol=6e-3)
    assert found.group in ("p4m", "pmm", "cmm")
    c, s = np.cos(np.radians(2.0)), np.sin(np.radians(2.0))
    turned = sampled(PATTERN, 120 + c * (x - 120) + s * (y - 100), 100 - s * (x - 120) + c * (y - 100))
    found = CLASSIFIER.map(np.where(x < 120, PATTERN[:200], turned), window=100, step=140)
    np.testing.assert_allclose(found.rotation[:, -1] - found.rotation[:, 0], 2.0, atol=0.3)


def test_a_disordered_part_is_refused_and_has_no_weight():
    image = PATTERN.copy()
    image[:, 150:] = np.random.default_rng(0).random((240, 90))
    found = CLASSIFIER.map(image, window=80, step=80)
    assert (found.groups[:, 0] == "p4m").all()
    assert not found.certainty[:, -1].any()
    assert all("periodic" in reason for reason in found.refusals[:, -1])
    assert found.group == "p4m"
    masked = CLASSIFIER.map(np.where(np.indices(image.shape)[1] < 150, image, np.nan), window=80, step=80)
    assert masked.group == "p4m"
    assert masked.vote.answered == found.vote.answered


def test_noise_has_no_winner():
    found = CLASSIFIER.map(np.random.default_rng(0).random((128, 128)), window=64)
    assert found.group is None
    assert "periodic" in found.refused
    assert found.answer().refused == found.refused
    assert found.vote.share == 0


def test_a_window_too_small_names_the_size_needed():
    coarse = render("p3", "noise", seed=2, size=176, repeats=(3.5, 3.5))[0].numpy()
    found = CLASSIFIER.map(coarse, window=64, step=56)
    assert found.group is None
    assert f"take at least {found.needed}" in found.refused
    assert CLASSIFIER.map(coarse, window=found.needed).group == "p3"


def test_a_window_that_suits_the_lattice():
    assert suitable_window(np.eye(2) * 20, (512, 512)) == 200
    assert suitable_window(np.eye(2) * 5, (512, 512)) == 64
    assert suitable_window(np.eye(2) * 60, (512, 400)) == 200
    assert CLASSIFIER.map(PATTERN, window=None).group == "p4m"


@pytest.mark.parametrize(("window", "step"), [(300, 10), (8, 8), (64, 0)])
def test_windows_that_do_not_fit(window, step):
    with pytest.raises(ValueError, match="window must be 16 to 240"):
        CLASSIFIER.map(PATTERN, window=window, step=step)


def answers(*probabilities, basis=20.0):
    return [Prediction(None, p, lattice=np.eye(2) * basis) for p in probabilities]


def test_votes():
    steady = answers(*[{"p4": 0.6, "p4m": 0.4}] * 16)
    found = vote(steady)
    assert found.group == "p4"
    assert found.probabilities["p4"] == pytest.approx(0.6)  # what all windows share does not multiply
    sure = answers(*[{"p4": 1.0}] * 16)
    assert vote(sure).probabilities["p4"] == pytest.approx(17 / 18)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    overlapping = vote(sure, cover=4.0)
    assert 0.6 < overlapping.probabilities["p4"] < 17 / 18
    # one window that is sure and wrong does not outvote the others
    assert vote([*steady, *answers({"p1": 1.0})]).group == "p4"
    # a divided vote is not certain
    assert vote(answers(*[{"p4": 1.0}] * 6, *[{"p4m": 1.0}] * 4)).probabilities["p4"] < 0.7


def test_a_divided_vote_names_the_likeliest_group():
    found = vote(answers(*[{"pm": 0.8, "p4m": 0.2}] * 5, *[{"p4m": 0.999, "pm": 0.001}] * 4))
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
    assert (found.group, found.share, found.best) == ("pm", pytest.approx(5 / 9), 0)
    assert found.probabilities["pm"] < 0.6


def test_votes_of_several_lattices_are_refused():
    two = [*answers(*[{"p4": 1.0}] * 4), *answers(*[{"p4": 1.0}] * 4, basis=23.0)]
    assert "several lattices" in vote(two).refused
    skew = Prediction(None, {"p4": 1.0}, lattice=np.array([[20.0, 20.0], [0.0, 20.0]]))  # other vectors, same lattice
    assert vote([*answers(*[{"p4": 1.0}] * 3), skew]).agreed == 4


def test_one_lattice_with_two_motifs_is_several_patterns():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 48, 48))
    cells = [np.roll(one, (k, 2 * k), (0, 1)) for k in range(4)] + [other] * 4
    windows = [Prediction(None, {"p1": 1.0}, lattice=np.eye(2) * 20, average=c.astype(np.float32)) for c in cells]
    assert vote(windows[:4]).likeness > 0.9
    assert "several lattices" in vote(windows).refused


def test_how_much_alike_the_cells_of_one_pattern_must_be():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 48, 48))
    cells = [one] * 4 + [one + 0.9 * other] * 4  # they correlate by about 0.7
    windows = [Prediction(None, {"p1": 1.0}, lattice=np.eye(2) * 20, average=c.astype(np.float32)) for c in cells]
    assert vote(windows).agreed == 8
    assert "several lattices" in vote(windows, alike=0.85).refused
