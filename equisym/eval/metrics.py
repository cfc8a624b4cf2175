"""Figures of merit for answers about wallpaper groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from equisym.groups import WALLPAPER_GROUPS


@dataclass(frozen=True)
class Scores:
    """What a set of answers is worth.

    Attributes:
        accuracy: share of right groups.
        ci_low: lower end of the 95 % Wilson interval of the accuracy.
        ci_high: its upper end.
        level_rotation: share of answers whose group has the right rotation order.
        level_class: share of answers whose group has the right crystal class.
        supergroup_errors: share of answers that name a supergroup of the truth on the same lattice.
        ece: expected calibration error of the answered probability, 15 bins.
        confusion: counts, rows true and columns answered, shape (17, 17).
    """

    accuracy: float
    ci_low: float
    ci_high: float
    level_rotation: float
    level_class: float
    supergroup_errors: float
    ece: float
    confusion: NDArray[np.int64]


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Score logits (N, 17) against labels (N,).

    >>> import torch
    >>> score(10 * torch.eye(17), torch.arange(17)).accuracy
    1.0
    """
    confusion = multiclass_confusion_matrix(logits, labels, len(WALLPAPER_GROUPS)).numpy()
    low, high = wilson_interval(int(np.trace(confusion)), int(confusion.sum()))
    rotation = np.array([g.rotation_order for g in WALLPAPER_GROUPS])
    crystal_class = np.array([g.crystal_class for g in WALLPAPER_GROUPS])
    above = np.array([[answer in truth.supergroups for answer in WALLPAPER_GROUPS] for truth in WALLPAPER_GROUPS])

    def share(allowed: NDArray[np.bool_]) -> float:
        return float(confusion[allowed].sum() / confusion.sum())

    return Scores(
        accuracy=share(np.eye(17, dtype=bool)),
        ci_low=low,
        ci_high=high,
        level_rotation=share(rotation[:, None] == rotation),
        level_class=share(crystal_class[:, None] == crystal_class),
        supergroup_errors=share(above),
        ece=multiclass_calibration_error(logits.softmax(-1), labels, len(WALLPAPER_GROUPS)).item(),
        confusion=confusion,
    )


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share, after Wilson.

    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    interval = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
