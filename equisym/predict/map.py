"""Symmetry maps: group, lattice and strain on a sliding window."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.prediction import Prediction
from equisym.predict.refusal import Refusal, RefusalCode
from equisym.predict.window_vote import ALIKE, Vote, aligned_to, vote

Array = NDArray[np.float64]
SMALLEST, CELLS = 64, 10.0  # pixels and cells along a side of a window that suits a lattice
REPEATS = 3.0  # of the longest lattice vector along a side: what a window needs at least


@dataclass(frozen=True)
class SymmetryMap:
    """The local symmetry of an image, on a grid of square windows.

    All positions are in pixels of the image, x right and y down.

    Attributes:
        window: side of each window.
        rows: of the first pixel of each row of windows, (R,).
        columns: of the first pixel of each column of windows, (C,).
        windows: their answers in the image's coordinates, R rows of C.
        shape: of the image, (H, W).
        pixel_size: nanometres, if known.
        needed: side of a window that holds enough repeats, where this one does not.
        alike: least correlation of the averaged cells of one pattern, for the vote.
    """

    window: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    windows: tuple[tuple[Prediction, ...], ...]
    shape: tuple[int, int]
    pixel_size: float | None = None
    needed: int | None = None
    alike: float = ALIKE

    @cached_property
    def vote(self) -> Vote:
        """All windows together."""
        cover = len(self.rows) * len(self.columns) * self.window**2 / (self.shape[0] * self.shape[1])
        return vote([w for row in self.windows for w in row], cover=max(1.0, cover), alike=self.alike)

    @property
    def refusal(self) -> Refusal | None:
        """Why the windows name no group together, or ``None``."""
        if self.needed is not None:
            side = f"windows of {self.window} pixels are too small for this lattice"
            detail = f"{side}: take at least {self.needed}, {REPEATS:g} repeats of its longest vector"
            return Refusal(RefusalCode.FEW_REPEATS, detail)
        return self.vote.refusal

    @property
    def refused(self) -> str | None:
        """The same in a sentence."""
        return None if self.refusal is None else str(self.refusal)

    @property
    def group(self) -> str | None:
        """The group that wins the vote."""
        return None if self.refused else self.vote.group

    @cached_property
    def groups(self) -> NDArray[np.object_]:
        """Name of each window's group, ``None`` where refused, (R, C)."""
        return np.array([[w.group for w in row] for row in self.windows], dtype=object)

    @cached_property
    def refusals(self) -> NDArray[np.object_]:
        """Why a window names no group, ``None`` where it does, (R, C)."""
        return np.array([[w.refused for w in row] for row in self.windows], dtype=object)

    @cached_property
    def probabilities(self) -> Array:
        """Of the 17 groups in label order, 0 where refused, (R, C, 17)."""
        return np.array(
            [[[w.probabilities.get(g.name, 0.0) for g in WALLPAPER_GROUPS] for w in row] for row in self.windows]
        )

    @property
    def certainty(self) -> Array:
        """Probability of each window's group, 0 where refused, (R, C)."""
        return np.where(self.groups == None, 0.0, self.probabilities.max(-1))  # noqa: E711

    @cached_property
    def lattice(self) -> Array:
        """Each window's lattice vectors in the common setting, columns a and b; NaN on other lattices, (R, C, 2, 2)."""
        out = np.full((len(self.rows), len(self.columns), 2, 2), np.nan)
        mean = self.vote.lattice
        for r, row in enumerate(self.windows):
            for c, w in enumerate(row):
                if mean is not None and w.lattice is not None:
                    found = aligned_to(mean, w.lattice)
                    out[r, c] = np.nan if found is None else found
        return out

    @cached_property
    def _deformation(self) -> tuple[Array, Array]:
        """Rotation in radians and symmetric stretch of each window's lattice against the mean one."""
        if self.vote.lattice is None:
            return self.lattice[..., 0, 0], self.lattice
        F = self.lattice @ np.linalg.inv(self.vote.lattice)
        angle = np.arctan2(F[..., 1, 0] - F[..., 0, 1], F[..., 0, 0] + F[..., 1, 1])  # polar decomposition F = R U
        c, s = np.cos(angle), np.sin(angle)
        back = np.stack((np.stack((c, s), -1), np.stack((-s, c), -1)), -2)
        return angle, back @ F

    @cached_property
    def strain(self) -> Array:
        """Principal strains against the mean lattice, the greater first; NaN on other lattices, (R, C, 2)."""
        U = self._deformation[1]
        half = (U[..., 0, 0] + U[..., 1, 1]) / 2
        radius = np.hypot((U[..., 0, 0] - U[..., 1, 1]) / 2, (U[..., 0, 1] + U[..., 1, 0]) / 2)
        return np.stack((half + radius, half - radius), -1) - 1

    @cached_property
    def rotation(self) -> Array:
        """Of the lattice against the mean one, degrees from x to y (downwards), (R, C)."""
        return np.degrees(self._deformation[0])

    def answer(self) -> Prediction:
        """The vote as an answer for the image: that of the best window, with the probabilities of all."""
        found = self.vote
        if self.refusal or found.best is None:
            return Prediction(self.refusal, shape=self.shape, pixel_size=self.pixel_size)
        best = [w for row in self.windows for w in row][found.best]
        said = (
            f"by vote of {found.windows} windows of {self.window} pixels: {found.answered} answer, {found.agreed} on "
        )
        said += f"one lattice, {100 * found.share:.0f} % of these {found.group}"
        return replace(best, probabilities=found.probabilities, notes=(said, *best.notes))

    def to_dict(self) -> dict[str, Any]:
        """All fields except arrays of pixels, in plain types, with the answer of each window."""
        found = self.vote
        return {
            "group": self.group,
            "refused": self.refused,
            "window": self.window,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "shape": list(self.shape),
            "pixel_size_nm": self.pixel_size,
            "vote": {
                "probabilities": {name: round(p, 6) for name, p in found.probabilities.items()},
                "share": found.share,
                "windows": found.windows,
                "answered": found.answered,
                "agreed": found.agreed,
                "likeness": found.likeness,
                "lattice": None if found.lattice is None else found.lattice.tolist(),
            },
            "groups": self.groups.tolist(),
            "certainty": _plain(self.certainty),
            "refusals": self.refusals.tolist(),
            "lattice": _plain(self.lattice),
            "strain": _plain(self.strain),
            "rotation": _plain(self.rotation),
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)


def _plain(values: Array) -> Any:
    """Nested lists of six digits, ``None`` for NaN."""
    if values.ndim:
        return [_plain(v) for v in values]
    return float(f"{values:.6g}") if np.isfinite(values) else None


def placed(window: Prediction, x: int, y: int, shape: tuple[int, int]) -> Prediction:
    """An answer about the window whose first pixel is (x, y), in the coordinates of its image."""
    by = np.array([x, y], dtype=float)
    origin = None if window.origin is None else window.origin + by
    region = None if window.region is None else (window.region[0] + x, window.region[1] + y, *window.region[2:])
    return replace(window, corner=window.corner + by, origin=origin, shape=shape, region=region)


def starts(length: int, window: int, step: int) -> tuple[int, ...]:
    """First pixels of windows that cover a length evenly, at most a step apart.

    >>> starts(1024, 256, 128), starts(300, 256, 128), starts(256, 256, 128)
    ((0, 128, 256, 384, 512, 640, 768), (0, 44), (0,))
    """
    count = -(-(length - window) // step) + 1
    return tuple(int(v) for v in np.rint(np.linspace(0, length - window, count)))


def needed_window(lattice: Array) -> int:
    """Side of a window, a multiple of 8, that holds three repeats of the longest lattice vector."""
    return 8 * int(np.ceil(REPEATS * np.linalg.norm(lattice, axis=0).max() / 8))


def suitable_window(lattice: Array, shape: tuple[int, int]) -> int:
    """Side of a window with ten cells along it, at least 64 pixels, at most half of the image's shorter side."""
    side = max(SMALLEST, CELLS * float(np.sqrt(abs(np.linalg.det(lattice)))), needed_window(lattice))
    return int(min(round(side), max(SMALLEST, min(shape) // 2), min(shape)))
