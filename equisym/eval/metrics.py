"""Metrics for answers about wallpaper groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from equisym.groups import WALLPAPER_GROUPS


@dataclass(frozen=True)
class Scores:
    """Metrics of a set of answers.

    Attributes:
        accuracy: share of right groups.
        ci_low: lower end of the 95 % Wilson interval of the accuracy.
        ci_high: its upper end.
        level_rotation: share of answers whose group has the right rotation order.
        level_class: share of answers whose group has the right crystal class.
        supergroup_errors: share of answers that name a supergroup of the truth on the same lattice.
        ece: expected calibration error of the answered probability, 15 bins.
        confusion: counts, rows true and columns answered, shape (17, 17).
        answers: the class answered for each image, shape (N,).
        confidences: its probability, shape (N,).
        labels: the truth, shape (N,).
    """

    accuracy: float
    ci_low: float
    ci_high: float
    level_rotation: float
    level_class: float
    supergroup_errors: float
    ece: float
    confusion: NDArray[np.int64]
    answers: NDArray[np.int64] = field(repr=False)
    confidences: NDArray[np.float64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)


def score(logits: Tensor, labels: Tensor, *, groups: bool = True) -> Scores:
    """Score logits (N, classes) against labels (N,).

    Args:
        logits: shape (N, classes).
        labels: shape (N,).
        groups: whether 17 classes are the wallpaper groups. The figures that are about groups are nan for other
            classes, such as the three rotation families.

    >>> import torch
    >>> score(10 * torch.eye(17), torch.arange(17)).accuracy
    1.0
    """
    classes = logits.shape[1]
    confusion = multiclass_confusion_matrix(logits, labels, classes).numpy()
    low, high = wilson_interval(int(np.trace(confusion)), int(confusion.sum()))

    def share(allowed: NDArray[np.bool_]) -> float:
        return float(confusion[allowed].sum() / confusion.sum())

    levels = dict.fromkeys(("level_rotation", "level_class", "supergroup_errors"), float("nan"))
    if groups and classes == len(WALLPAPER_GROUPS):
        rotation = np.array([g.rotation_order for g in WALLPAPER_GROUPS])
        crystal_class = np.array([g.crystal_class for g in WALLPAPER_GROUPS])
        levels["level_rotation"] = share(rotation[:, None] == rotation)
        levels["level_class"] = share(crystal_class[:, None] == crystal_class)
        levels["supergroup_errors"] = share(RELATIONS == "supergroup")
    confidences, answers = logits.softmax(-1).max(-1)
    return Scores(
        accuracy=share(np.eye(classes, dtype=bool)),
        ci_low=low,
        ci_high=high,
        **levels,
        ece=multiclass_calibration_error(logits.softmax(-1), labels, classes).item(),
        confusion=confusion,
        answers=answers.numpy(),
        confidences=confidences.double().numpy(),
        labels=labels.numpy(),
    )


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """95 % Wilson interval of a proportion.

    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    interval = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _relation(truth: int, answer: int) -> str:
    true, said = WALLPAPER_GROUPS[truth], WALLPAPER_GROUPS[answer]
    if truth == answer:
        return "right"
    if true.is_subgroup_of(said):
        return "supergroup"
    return "subgroup" if said.is_subgroup_of(true) else "unrelated"


RELATIONS: NDArray[np.str_] = np.array([[_relation(truth, answer) for answer in range(17)] for truth in range(17)])
"""Relation of each answer (column) to each truth (row) on the same lattice: right, supergroup, subgroup, unrelated."""


def error_shares(answers: NDArray[np.integer], labels: NDArray[np.integer]) -> dict[str, float]:
    """Shares of the answers that are right, a supergroup of the truth, a subgroup of it, or neither.

    >>> error_shares(np.array([0, 1, 0, 9]), np.array([0, 0, 1, 12]))
    {'right': 0.25, 'supergroup': 0.25, 'subgroup': 0.25, 'unrelated': 0.25}
    """
    kinds = RELATIONS[labels, answers]
    return {kind: float((kinds == kind).mean()) for kind in ("right", "supergroup", "subgroup", "unrelated")}
