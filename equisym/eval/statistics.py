"""Reliability and abstention curves, intervals over seeds, and paired tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from scipy.stats import t as student

Floats = NDArray[np.float64]


def reliability(confidences: Floats, right: NDArray[np.bool_], *, bins: int = 15) -> tuple[Floats, Floats, Floats]:
    """The reliability diagram: in bins of the answered probability, how often the answer is right.

    Args:
        confidences: probability of each answer, shape (N,).
        right: whether it is right, shape (N,).
        bins: number of equal bins of 0 to 1; empty ones are left out.

    Returns:
        Mean probability, share right and share of all answers of each bin.

    >>> reliability(np.array([0.2, 0.9, 0.9]), np.array([False, True, False]), bins=2)[1]
    array([0. , 0.5])
    """
    which = np.minimum((confidences * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    kept = counts > 0
    mean = np.bincount(which, confidences, bins)[kept] / counts[kept]
    accuracy = np.bincount(which, right.astype(float), bins)[kept] / counts[kept]
    return mean, accuracy, counts[kept] / len(confidences)


def abstention(confidences: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Accuracy against coverage: the accuracy on the n most confident answers, for every n.

    Args:
        confidences: probability of each answer, shape (N,).
        right: whether it is right, shape (N,).

    Returns:
        Coverage, 1/N to 1, and the accuracy on the images answered.

    >>> abstention(np.array([0.2, 0.9, 0.5]), np.array([False, True, True]))[1].round(2)
    array([1.  , 1.  , 0.67])
    """
    order = np.argsort(-confidences, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), right[order].cumsum() / answered


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of independent runs and the half width of its 95 % interval (Student); nan for one run.

    >>> mean, half = mean_interval([0.8, 0.9, 1.0])
    >>> round(mean, 3), round(half, 3)
    (0.9, 0.248)
    """
    count = len(values)
    if count < 2:
        return float(np.mean(values)), float("nan")
    half = student.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values)), float(half)


def percent_interval(values: Sequence[float], digits: int = 1) -> str:
    """Mean of independent runs in percent with its 95 % interval, or one run's figure.

    >>> percent_interval([0.8, 0.9, 1.0]), percent_interval([0.8])
    ('90.0 ± 24.8', '80.0')
    """
    mean, half = mean_interval(values)
    return f"{100 * mean:.{digits}f}" + (f" ± {100 * half:.{digits}f}" if len(values) > 1 else "")


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> tuple[int, int, float]:
    """McNemar's exact test: whether two classifiers err equally often on the same images.

    Args:
        first_right: for each image, whether the first is right.
        second_right: the same for the second.

    Returns:
        Images that only the first has right, that only the second has right, and the two-sided p value.

    Raises:
        ValueError: for different numbers of images.

    >>> mcnemar(np.array([True] * 8 + [False] * 2), np.array([False] * 8 + [True] * 2))
    (8, 2, 0.109375)
    """
    if len(first_right) != len(second_right):
        raise ValueError(f"both must answer the same images (got {len(first_right)} and {len(second_right)})")
    first, second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    return first, second, float(binomtest(first, first + second).pvalue) if first + second else 1.0


def paired_interval(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> float:
    """Half width of the 95 % interval (normal) of the difference of two proportions on the same images.

    Args:
        first_right: for each image, whether the first is right.
        second_right: the same for the second.

    >>> round(paired_interval(np.array([True] * 60 + [False] * 40), np.array([True] * 50 + [False] * 50)), 4)
    0.0588
    """
    difference = first_right.astype(float) - second_right
    return float(1.96 * difference.std() / np.sqrt(len(difference)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values with Holm's correction for multiple tests.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected.tolist()
