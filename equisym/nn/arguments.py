"""Checks of constructor arguments that many layers share."""

from __future__ import annotations

from numbers import Integral

from equisym.groups import PointGroup

Whole = int | tuple[int, int]
"""A whole number, or a pair of equal ones as torch's own layers keep them."""


def whole(name: str, value: object, least: int = 1) -> int:
    """One whole number out of a number or a pair of equal ones.

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
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number (got {value!r}): give an int, or a pair of equal ints")
    if value < least:
        raise ValueError(f"{name} must be at least {least} (got {value})")
    return int(value)


def check_group(group: PointGroup) -> None:
    """Raise unless ``group`` is a point group, and say how to make one."""
    if not isinstance(group, PointGroup):
        raise TypeError(f"group must be a PointGroup such as D(4) (got {group!r}): PointGroup.parse reads text")
