"""Answers: right on each group, consistent, alike alone and in a batch, and drawn."""

import json

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import equisym
from equisym.crystal import tile
from equisym.data import PatternOptions, draw_pattern
from equisym.data.corruptions import unit_grid, warp
from equisym.groups import WALLPAPER_GROUPS
from equisym.models.feature_classifier import FeatureClassifier
from equisym.predict import draw_overlay, reflection_lines, rotation_centres
from equisym.predict.single_thread import single_thread

CLASSIFIER = equisym.SymmetryClassifier.from_pretrained("crystal")
OPTIONS = PatternOptions(repeats=(3, 4.5), correlation=(3, 6), independent=0)


@pytest.mark.parametrize("name", WALLPAPER_GROUPS.names)
def test_each_group_with_its_cell_and_origin(name):
    pattern = draw_pattern(name, "noise", 3, 128, OPTIONS)
    image = pattern.image(128)
    result = CLASSIFIER.predict(image)
    assert result.group == name
    steps = np.linalg.solve(pattern.primitive_basis, result.lattice)
    np.testing.assert_allclose(steps, np.rint(steps), atol=5e-3)
    assert abs(np.linalg.det(np.rint(steps))) == pytest.approx(1)
    assert sum(result.probabilities.values()) == pytest.approx(1)
    for level in result.hierarchy.values():
        assert sum(level.values()) == pytest.approx(1)
    assert all(o.residual < 0.02 for o in result.operations if o.holds)
    # the symmetrised image has each operation of the group, about the origin that was given
    inside = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 2))
    middle = np.floor(np.linalg.solve(result.cell, np.full(2, 64) - result.origin))
    for op in result.wallpaper_group.operations:
        there = result.cell @ (op(inside) + middle).T + result.origin[:, None]
        here = result.cell @ (inside + middle).T + result.origin[:, None]
        values = [tile(result.symmetrised, result.lattice, *p) for p in (here, there)]
        np.testing.assert_allclose(*values, atol=0.08 * result.symmetrised.std() * 3)
    assert json.loads(result.to_json())["group"] == name
    assert len(draw_overlay(image, result).axes) == 5


def test_alone_and_in_a_batch_alike():
    images = [draw_pattern(name, "noise", 5, 96, OPTIONS).image(96) for name in ("p2", "p4", "p31m")]
    batch = [r.to_json() for r in CLASSIFIER.predict_batch([*images, np.zeros((40, 40))])]
    assert batch[:3] == [CLASSIFIER.predict(image).to_json() for image in images]
    assert "constant" in batch[3]


def test_elements_of_p6m():
    group = WALLPAPER_GROUPS["p6m"]
    orders = [c.order for c in rotation_centres(group)]
    assert [orders.count(n) for n in (2, 3, 6)] == [5, 2, 4]
    assert {line.mirror for line in reflection_lines(group)} == {True, False}


def test_unknown_models_are_errors():
    with pytest.raises(ValueError, match="model must be one of"):
        CLASSIFIER.from_pretrained("resnet")


def test_a_network_is_heard_beside_the_measurements_and_does_not_outvote_them():
    class Stubborn(FeatureClassifier):
        def __init__(self, label):
            super().__init__()
            self.label = label

        def classify(self, e):
            logits = torch.zeros(len(e), 17)
            if self.label is not None:
                logits[:, self.label] = 100.0
            return logits

    image = draw_pattern("p4", "noise", 5, 96, OPTIONS).image(96)
    alone = equisym.SymmetryClassifier().predict(image)
    undecided = equisym.SymmetryClassifier(Stubborn(None)).predict(image)
    against = equisym.SymmetryClassifier(Stubborn(0)).predict(image)
    assert alone.group == undecided.group == against.group == "p4"
    assert undecided.probabilities == pytest.approx(alone.probabilities)
    assert against.probabilities["p4"] < alone.probabilities["p4"]


def test_stripes_are_refused_and_noise_makes_no_stripes():
    x = torch.arange(128.0)
    stripes = torch.cos(2 * torch.pi * x / 13).expand(128, 128)
    assert "stripes" in CLASSIFIER.predict(stripes).refused
    generator = torch.Generator().manual_seed(0)
    pattern = draw_pattern("p4", "atom", 8, 160, OPTIONS).image(160)[0]
    assert CLASSIFIER.predict(pattern + 0.3 * torch.randn(160, 160, generator=generator)).group is not None


def test_processes_give_the_answers_of_one_and_the_first_error():
    images = [draw_pattern(name, "noise", 5, 96, OPTIONS).image(96) for name in ("p2", "p4", "pmm")]
    alone = [r.to_json() for r in CLASSIFIER.predict_batch(images, workers=0)]
    assert [r.to_json() for r in CLASSIFIER.predict_batch(images, workers=2)] == alone
    with pytest.raises(ValueError, match="give one image"):
        CLASSIFIER.predict_batch([*images, np.zeros((2, 2, 2, 2))], workers=2)


def test_a_bent_scan_is_straightened_and_says_so():
    image = draw_pattern("p4g", "photo", 5, 192, PatternOptions(repeats=(5, 7))).image(192)
    u, v = unit_grid(image)
    result = CLASSIFIER.predict(warp(image, u + 0.04 * v.square(), v - 0.04 * v.square()))
    assert result.group == "p4g"
    assert any("drift" in note for note in result.notes)


@pytest.mark.parametrize("group", ["p2", "p31m", "p4g"])
def test_a_network_of_pixels_answers_with_lattice_and_residuals(group):
    image = draw_pattern(group, "atom", 4, 180, PatternOptions()).image(180)
    result = equisym.SymmetryClassifier.from_pretrained("e2resnet").predict(image)
    assert result.group == group
    assert result.lattice is not None
    assert result.operations
    assert result.residuals[group] < 0.1


@pytest.mark.parametrize("degrees", [20, 65, 110])
def test_the_angle_of_a_mirror_line_is_that_in_the_image(degrees):
    """A pattern of pm that is drawn at a known angle, x to the right and y downwards."""
    turn = np.radians(degrees)
    y, x = np.indices((160, 160)) * 2 * np.pi
    along, across = (np.cos(turn) * x + np.sin(turn) * y) / 22, (np.cos(turn) * y - np.sin(turn) * x) / 13
    image = np.cos(across) + np.cos(along) + np.sin(2 * along) + 0.7 * np.cos(2 * across) * np.sin(along + 1)
    result = CLASSIFIER.predict(image)
    assert result.group == "pm"
    (angle,) = [o.angle for o in result.operations if o.holds and o.symbol == "m"]
    assert angle == pytest.approx(degrees, abs=0.5)


def test_the_symbol_of_a_2_fold_centre_is_a_lens():
    """Symmetric about both axes, pointed at its upper and lower end, half as wide as high or so."""
    from equisym.predict.overlay import _lens

    points = _lens().vertices
    for mirrored in (points * (-1, 1), points * (1, -1)):
        assert np.abs(mirrored[:, None] - points).max(-1).min(1).max() < 1e-9
    width, height = np.ptp(points, axis=0)
    assert 0.4 < width / height < 0.7
    assert np.abs(points[points[:, 1].argmax()][0]) < 1e-9


def test_threads_are_one_within_and_as_before_after():
    def blas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, torch_before = blas(), torch.get_num_threads()
    with single_thread():
        assert set(blas()) == {1}
        assert torch.get_num_threads() == 1
    assert (blas(), torch.get_num_threads()) == (before, torch_before)
