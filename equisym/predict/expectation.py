"""Expectations such as ``p4m a=0.3905``, and whether an answer agrees with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from equisym.data.readers.units import nanometres
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.answer import Answer

_SIGMAS = 3.0  # standard errors up to which a length or an angle agrees
_SHARE = 0.01  # relative difference up to which it agrees, if no error is known


@dataclass(frozen=True)
class Comparison:
    """One statement of an expectation, compared with the answer.

    Attributes:
        name: group, a, b or gamma.
        expected: the value stated.
        found: the value of the answer; ``None`` if there is none.
        error: its standard error, where known.
        agrees: whether they agree.
    """

    name: str
    expected: str | float
    found: str | float | None
    error: float | None
    agrees: bool

    @property
    def sigmas(self) -> float | None:
        """The difference in standard errors, where known."""
        if self.error is None or self.found is None or isinstance(self.expected, str) or isinstance(self.found, str):
            return None
        return abs(self.found - self.expected) / self.error

    def __str__(self) -> str:
        if isinstance(self.expected, str) or isinstance(self.found, str) or self.found is None:
            return f"{self.name} {self.found or '-'}" + ("" if self.agrees else f", not {self.expected}")
        differs = 100 * (self.found / self.expected - 1)
        size = f" ({self.sigmas:.1f} sigma)" if self.sigmas is not None else ""
        return f"{self.name} {'agrees' if self.agrees else 'differs'} by {differs:+.2g} %{size}"


@dataclass(frozen=True)
class Expectation:
    """A group, lengths and an angle that an image should have; each may be left out.

    Attributes:
        group: name of one of the 17 groups, or ``None``.
        values: a, b and gamma by name; lengths in ``unit``.
        unit: nm or px.
    """

    group: str | None
    values: dict[str, float]
    unit: str

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """From words such as ``p4m a=0.3905 b=0.3905nm gamma=90``; lengths in nm, or with another unit, or ``px``.

        Raises:
            ValueError: for anything else.

        >>> Expectation.parse("p4m a=3.905A gamma=90")
        Expectation(group='p4m', values={'a': 0.3905, 'gamma': 90.0}, unit='nm')
        """
        group, values, units = None, {}, set()
        for word in text.replace(",", " ").split():
            found = re.fullmatch(r"(a|b|gamma)=([0-9.eE+-]+)\s*([^\d\s]*)", word)
            if word in WALLPAPER_GROUPS.names and group is None:
                group = word
            elif found and found[1] not in values:
                try:
                    value = float(found[2])
                except ValueError:
                    raise ValueError(_message(text)) from None
                if found[1] == "gamma":
                    values["gamma"] = value
                    continue
                units.add("px" if found[3] == "px" else "nm")
                length = value if found[3] == "px" else nanometres(value, found[3] or "nm")
                if length is None or not length > 0:
                    raise ValueError(_message(text))
                values[found[1]] = float(f"{length:.12g}")
            else:
                raise ValueError(_message(text))
        if len(units) > 1 or not (group or values):
            raise ValueError(_message(text))
        return cls(group, values, next(iter(units), "nm"))

    def compare(self, result: Answer) -> tuple[Comparison, ...]:
        """Each statement, compared with the answer."""
        found: list[Comparison] = []
        if self.group is not None:
            found.append(Comparison("group", self.group, result.group, None, result.group == self.group))
        k = result.constants
        for name, expected in self.values.items():
            key = name if name == "gamma" or self.unit == "px" else f"{name}_nm"
            value, error = k.get(key), k.get(f"{key}_error")
            if error is not None and not (np.isfinite(error) and error > 0):
                error = None
            limit = _SIGMAS * error if error is not None else _SHARE * expected
            agrees = value is not None and abs(value - expected) <= limit
            found.append(Comparison(name, expected, value, error, agrees))
        return tuple(found)


def as_dict(comparisons: tuple[Comparison, ...]) -> list[dict[str, Any]]:
    """In plain types."""
    return [vars(c) | {"sigmas": c.sigmas} for c in comparisons]


def _message(text: str) -> str:
    return (
        f"expect must be a group, a, b or gamma, such as 'p4m a=0.3905' (nm; also 3.905A or 12px) or 'p6 gamma=120' "
        f"(got {text!r})"
    )
