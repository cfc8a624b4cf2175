"""An image with its correct answers, and the scoring of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NAMELESS, NAMED, OFFERED = 0.008, 0.025, 0.05  # strains: no word needed; right with a word; must be offered in words
REFUSE = "refuse"
KINDS = {  # and the number of the fault they stand for
    "repeats": 1,
    "metric": 2,
    "crystal": 2,
    "deviation": 3,
    "planar fault": 5,
    "fine motif": 5,
    "thin lines": 5,
    "weak direction": 5,
    "faint": 5,
    "superstructure": 5,
    "quasicrystal": 6,
    "twisted": 6,
    "commensurate": 6,
    "two lattices": 6,
    "grating": 6,
    "no order": 6,
    "domains": 7,
    "one domain": 7,
    "uneven": 8,
    "perspective": 8,
    "colour": 9,
    "pixels": 9,
    "unlike motifs": 10,
    "modulation": 10,
    "hum": 10,
    "covered": 10,
    "two colours": 10,
    "line offsets": 11,
    "terraces": 11,
    "displaced lines": 11,
    "false colours": 11,
    "superlattice": 11,
    "side by side": 11,
    "dislocation": 12,
    "several faults": 12,
    "barrel": 12,
    "particle": 13,
    "print screen": 14,
    "dither": 14,
    "display": 14,
    "colour filters": 14,
    "scratches": 14,
    "stains": 14,
    "out of place": 14,
    "bands": 14,
}
SURE = 0.8


@dataclass(frozen=True)
class Situation:
    """One image and what may be said about it.

    Attributes:
        kind: what it stands for, a word.
        name: of this one.
        draw: gives the image: (H, W), (H, W, C) or a masked array; the same at every call.
        right: groups that are right; ``"refuse"`` among them if a refusal is right.
        strained: groups that would be right on a lattice stretched by so much (half the logarithm of the ratio of
            its axes): up to 0.008 they are right, up to 0.025 right if the text names the strain or a group in
            ``right``, and beyond that wrong. From 0.008 to 0.05, ``right`` answers should offer them in words.
        words: a pattern (re) of what the text should say.
    """

    kind: str
    name: str
    draw: Callable[[], NDArray] = field(repr=False)
    right: frozenset[str]
    strained: dict[str, float] = field(default_factory=dict)
    words: str | None = None

    def judge(self, group: str | None, p: float, text: str) -> str:
        """One of right, refused, wrong, surely wrong (with p over 0.8).

        Args:
            group: that was answered; ``None`` for a refusal.
            p: its probability.
            text: everything that the answer says in words.
        """
        if (group or REFUSE) in self.right:
            return "right"
        if group is None:
            return "refused"
        strain = self.strained.get(group, 1.0)
        if strain <= NAMELESS or (strain <= NAMED and self._names(text)):
            return "right"
        return "surely wrong" if p > SURE else "wrong"

    def said(self, group: str | None, text: str) -> bool | None:
        """Whether the text says what it should; ``None`` if nothing is asked for."""
        if self.words is not None:
            return re.search(self.words, text, re.IGNORECASE) is not None
        if group in self.right:
            offers = [name for name, strain in self.strained.items() if NAMELESS < strain <= OFFERED]
            return any(mentions(text, name) for name in offers) if offers else None
        return self._names(text) if self.strained.get(group or "", 0) > NAMELESS else None

    def _names(self, text: str) -> bool:
        return any(mentions(text, name) for name in self.right) and re.search("strain|stretch", text) is not None


def mentions(text: str, group: str) -> bool:
    """Whether a text names a group, and not only a longer name that begins alike."""
    return re.search(rf"\b{group}\b", text) is not None


def situation(
    kind: str,
    name: str,
    right: str,
    draw: Callable[[], NDArray],
    words: str | None = None,
    strained: dict[str, float] | None = None,
) -> Situation:
    """A situation whose right answers are words in one string."""
    return Situation(kind, name, draw, frozenset(right.split()), strained or {}, words)


def seeded(*words: object) -> np.random.Generator:
    """A random generator that the words decide."""
    return np.random.default_rng(list(" ".join(map(str, words)).encode()))
