"""Why no group is named: a code for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """Kinds of refusal."""

    TOO_SMALL = "too small"
    NOT_FINITE = "not finite"
    CONSTANT = "constant"
    NOT_PERIODIC = "not periodic"
    FEW_REPEATS = "fewer than two repeats along a side"
    TOO_FINE = "below Nyquist"
    STRIPES = "not periodic in two directions"
    SEVERAL_LATTICES = "several lattices"
    DOMAINS = "two domains"
    DIFFRACTION = "a diffraction pattern"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Refusal:
    """Why no group is named.

    Attributes:
        code: what kind of reason it is.
        detail: what was found, and what to do about it.

    >>> str(Refusal(RefusalCode.TOO_SMALL, "8 x 8 pixels"))
    'too small: 8 x 8 pixels'
    """

    code: RefusalCode
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def adding(self, remark: str) -> Refusal:
        """The same with a remark at its end."""
        return Refusal(self.code, f"{self.detail}; {remark}")
