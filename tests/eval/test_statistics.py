"""Curves, intervals and tests against references."""

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.calibration import calibration_curve

from equisym.eval.cost import invariance_error, multiply_adds
from equisym.eval.metrics import RELATIONS, error_shares, score
from equisym.eval.statistics import abstention, holm, mcnemar, mean_interval, paired_interval, reliability
from equisym.groups import WALLPAPER_GROUPS
from equisym.models import build


def test_reliability_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    confidences = generator.random(400)
    right = generator.random(400) < confidences
    mean, accuracy, share = reliability(confidences, right, bins=10)
    expected_accuracy, expected_mean = calibration_curve(right, confidences, n_bins=10)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(accuracy, expected_accuracy)
    assert share.sum() == pytest.approx(1)
    assert len(reliability(np.arange(0.005, 1, 0.01), np.ones(100, bool))[0]) == 15
    certain = reliability(np.array([0.96, 1.0]), np.array([True, False]), bins=10)  # certainty is in the last bin
    assert [values.tolist() for values in certain] == [[pytest.approx(0.98)], [0.5], [1.0]]


def test_abstention_ends_at_the_accuracy_and_orders_by_confidence():
    confidences, right = np.array([0.1, 0.8, 0.5, 0.7]), np.array([True, True, False, False])
    answered, accuracy = abstention(confidences, right)
    np.testing.assert_allclose(answered, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(accuracy, [1, 1 / 2, 1 / 3, 1 / 2])


def test_mean_interval_agrees_with_scipy():
    values = [0.71, 0.75, 0.68, 0.8]
    mean, half = mean_interval(values)
    low, high = scipy.stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert mean_interval([0.5, 0.7]) == pytest.approx((0.6, 0.1 * scipy.stats.t.ppf(0.975, 1)))
    assert np.isnan(mean_interval([0.5])[1])


def test_mcnemar_by_counting():
    first, second = np.array([True] * 12 + [False] * 8), np.array([True] * 5 + [False] * 12 + [True] * 3)
    only_first, only_second, p = mcnemar(first, second)
    assert (only_first, only_second) == (7, 3)
    assert p == pytest.approx(2 * sum(scipy.stats.binom.pmf(k, 10, 0.5) for k in range(4)))
    assert mcnemar(first, first)[2] == 1.0
    with pytest.raises(ValueError, match="both must answer the same images .got 20 and 3."):
        mcnemar(first, first[:3])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_paired_interval_is_that_of_the_mean_difference():
    generator = np.random.default_rng(0)
    first, second = generator.random(5000) < 0.7, generator.random(5000) < 0.6
    difference = first.astype(float) - second
    low, high = scipy.stats.norm.interval(0.95, difference.mean(), scipy.stats.sem(difference))
    assert paired_interval(first, second) == pytest.approx((high - low) / 2, rel=1e-3)
    assert paired_interval(first, first) == 0


def test_relations_follow_the_subgroup_graph():
    names = WALLPAPER_GROUPS.names
    at = {n: names.index(n) for n in names}
    assert RELATIONS[at["p3"], at["p6m"]] == "supergroup"
    assert RELATIONS[at["p6m"], at["p3"]] == "subgroup"
    assert RELATIONS[at["p4"], at["p3"]] == "unrelated"
    assert (np.diag(RELATIONS) == "right").all()
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(200, 17, generator=generator), torch.randint(17, (200,), generator=generator)
    scores = score(logits, labels)
    shares = error_shares(scores.answers, scores.labels)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["right"] == pytest.approx(scores.accuracy)
    assert shares["supergroup"] == pytest.approx(scores.supergroup_errors)


def test_level_one_is_scored_without_groups():
    scores = score(torch.eye(3) * 9, torch.tensor([0, 1, 1]))
    assert scores.accuracy == pytest.approx(2 / 3)
    assert np.isnan(scores.supergroup_errors)


def test_invariance_error_tells_equivariant_from_plain():
    torch.manual_seed(0)
    images = torch.rand(6, 1, 33, 33)
    error, changed = invariance_error(build("e2resnet", width=2).eval(), images)
    assert error < 1e-5
    assert changed == 0
    plain = build("e2resnet", group="C1", width=8).eval()
    with torch.no_grad():
        plain.head.weight *= 30
    assert invariance_error(plain, images)[0] > 1e-3


def test_multiply_adds_of_a_network_are_those_of_its_layers():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, stride=2), torch.nn.Flatten(), torch.nn.Linear(16, 5))
    assert multiply_adds(network, 5) == 4 * 9 * 4 + 16 * 5
    assert network.training
