"""Checks of constructor arguments that many layers share."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import Any, TypedDict

import torch
from torch import Tensor

from equisym.groups import PointGroup

Whole = int | tuple[int, int]
"""A whole number, or a pair of equal ones as torch's own layers keep them."""


class Place(TypedDict, total=False):
    """Where and how precise weights are made, as :class:`torch.nn.Conv2d` takes it.

    Attributes:
        device: where to make the weights.
        dtype: of the weights.
    """

    device: torch.device | str | None
    dtype: torch.dtype | None


def whole(name: str, value: object, least: int = 1) -> int:
    """One whole number out of a number or a pair of equal ones, such as the sides of a kernel.

    Raises:
        TypeError: if it is not a whole number.
        ValueError: if it is too small, or a pair of different numbers.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2 or value[0] != value[1]:
            raise ValueError(
                f"{name} must be one number or two equal ones (got {value}): rotations swap rows and columns"
            )
        value = value[0]
    return count(name, value, least, "an int, or a pair of equal ints")


def count(name: str, value: object, least: int = 1, needed: str = "an int") -> int:
    """One whole number, such as a number of channels.

    Raises:
        TypeError: if it is not a whole number.
        ValueError: if it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number (got {value!r}): give {needed}")
    if value < least:
        raise ValueError(f"{name} must be at least {least} (got {value})")
    return int(value)


def counts(name: str, values: object) -> tuple[int, ...]:
    """Whole numbers of at least 1, such as the blocks of each stage.

    Raises:
        TypeError: if it is no sequence, or one of them is not a whole number.
        ValueError: if there is none, or one is too small.
    """
    if isinstance(values, str) or not isinstance(values, Collection):
        raise TypeError(f"{name} must be a list of whole numbers, one for each stage (got {values!r})")
    if not values:
        raise ValueError(f"{name} must have a number for each stage (got none)")
    return tuple(count(name, value) for value in values)


def odd(name: str, value: object) -> int:
    """One odd whole number, such as the side of a kernel.

    Raises:
        TypeError: if it is not a whole number.
        ValueError: if it is even or too small.
    """
    side = count(name, value)
    if side % 2 == 0:
        raise ValueError(f"{name} must be odd (got {side}): use {side - 1} or {side + 1}")
    return side


def real(name: str, value: object, *, zero: bool = False) -> float:
    """One positive number, or zero where that makes sense.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is negative, zero or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number (got {value!r})")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name} must be {'at least 0' if zero else 'positive'} (got {value})")
    return float(value)


def tuples(name: str, value: object, parts: int) -> list[tuple[Any, ...]]:
    """A list of tuples of two or three parts each.

    Raises:
        ValueError: for anything else, naming the first item that is none.
    """
    found = []
    for number, item in enumerate(value if isinstance(value, Iterable) else [value]):
        if isinstance(item, str) or not isinstance(item, Collection) or len(item) != parts:
            kind = {2: "pairs", 3: "triples"}[parts]
            raise ValueError(f"{name} must be a list of {kind} (got {item!r} as number {number})")
        found.append(tuple(item))
    return found


def channels_of(x: Tensor) -> int:
    """Channels of maps, with a batch or without.

    Raises:
        ValueError: for a tensor without channels, such as a lone image ``(H, W)``.
    """
    if x.ndim < 3:
        raise ValueError(f"input must be maps (B, C, H, W) or (C, H, W) (got the shape {tuple(x.shape)})")
    return x.shape[-3]


def check_real(x: Tensor) -> None:
    """Raise for complex numbers, which only linear layers take.

    Raises:
        TypeError: naming the precision.
    """
    if isinstance(x, Tensor) and x.is_complex():
        raise TypeError(f"input must be real (got {x.dtype}): give real and imaginary parts as fields of their own")


def check_group(group: PointGroup) -> None:
    """Raise unless ``group`` is a point group, and say how to make one."""
    if not isinstance(group, PointGroup):
        raise TypeError(f"group must be a PointGroup such as D(4) (got {group!r}): PointGroup.parse reads text")
