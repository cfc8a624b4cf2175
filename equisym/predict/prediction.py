"""The answer for one image: group, probabilities, lattice, operations and residuals, or the reason for a refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equisym.crystal import tile
from equisym.groups import WALLPAPER_GROUPS, WallpaperGroup
from equisym.predict.refusal import Refusal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FAR = 0.06  # a supergroup that needs less strain is named before one that needs more
NEAR = 0.1  # a supergroup with a smaller residual is reported as pseudo-symmetry


@dataclass(frozen=True)
class OperationResidual:
    """How well one operation of the lattice holds, at its best translation.

    Attributes:
        symbol: 2, 3, 4 or 6 for rotations, m for a mirror, g for a glide, mg where both alternate.
        matrix: linear part on fractional coordinates of the lattice, rows.
        angle: direction of a mirror or glide line in the image, degrees from x to y (downwards), 0 to 180.
        residual: fraction of the cell's structure that the operation does not reproduce: 0 if it holds, about 1 if
            unrelated.
        holds: whether it belongs to the group that was answered.
    """

    symbol: str
    matrix: tuple[tuple[int, int], tuple[int, int]]
    angle: float | None
    residual: float
    holds: bool


@dataclass(frozen=True)
class Prediction:
    """The answer of a :class:`SymmetryClassifier` for one image.

    All positions are in pixels of the image, x right and y down, the centre of the first pixel at (0, 0).

    Attributes:
        refusal: why no group is named, a code and a sentence; ``None`` if one is. What was measured stays.
        probabilities: of the 17 groups by name, the likeliest first; empty if no lattice was found.
        lattice: shortest primitive vectors, columns a and b, (2, 2).
        lattice_error: standard errors of the fit, (2, 2); NaN if there are too few repeats to tell. Calibration and
            distortion of the instrument come on top.
        cell: conventional cell of the group in the standard setting, columns a and b, (2, 2).
        origin: of the group, (2,).
        strain: of the lattice against the nearest one that has the group.
        strains: the same for each group that the lattice admits.
        repeats: primitive cells in the part of the image that was looked at.
        explained: share of the image's variance that the averaged cell explains.
        residuals: for each group that the lattice admits, the share of the averaged cell that projecting takes away.
        phase_residuals: the same as :func:`equisym.predict.phase_residuals` states it, in degrees.
        exact: the largest group that holds within the noise; the group answered holds within the tolerance.
        tolerance: share of the averaged cell that a group may leave and still be named.
        operations: every operation of the lattice with its residual, the best first.
        average: the unit cell averaged over the image, row along lattice vector b and column along a, (N, N).
        symmetrised: the same projected onto the group.
        corner: where the first grid point of both lies in the image, (2,).
        pixel_size: nanometres, if known.
        calibration_error: relative standard error of the pixel size, which enters the errors in nanometres.
        shape: of the image, (H, W).
        region: the part of the image that was measured, in pixels: x and y of its first pixel, width and height;
            ``None`` if nothing was.
        notes: further remarks, in sentences.
    """

    refusal: Refusal | None
    probabilities: dict[str, float] = field(default_factory=dict)
    lattice: NDArray[np.float64] | None = None
    lattice_error: NDArray[np.float64] | None = None
    cell: NDArray[np.float64] | None = None
    origin: NDArray[np.float64] | None = None
    strain: float | None = None
    strains: dict[str, float] = field(default_factory=dict)
    repeats: float | None = None
    explained: float | None = None
    residuals: dict[str, float] = field(default_factory=dict)
    phase_residuals: dict[str, float] = field(default_factory=dict)
    exact: str | None = None
    tolerance: float = 0.05
    operations: tuple[OperationResidual, ...] = ()
    average: NDArray[np.float32] | None = field(default=None, repr=False)
    symmetrised: NDArray[np.float32] | None = field(default=None, repr=False)
    corner: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2), repr=False)
    pixel_size: float | None = None
    calibration_error: float = 0.0
    shape: tuple[int, int] = (0, 0)
    region: tuple[int, int, int, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def wallpaper_group(self) -> WallpaperGroup | None:
        """The group answered, with its operations; ``None`` if refused."""
        return WALLPAPER_GROUPS[next(iter(self.probabilities))] if self.refusal is None else None

    @property
    def refused(self) -> str | None:
        """Why no group is named, in a sentence; ``None`` if one is."""
        return None if self.refusal is None else str(self.refusal)

    @property
    def group(self) -> str | None:
        """Name of the likeliest group."""
        return self.wallpaper_group.name if self.wallpaper_group else None

    @property
    def rotation_order(self) -> int | None:
        """Highest rotation order of the group: 1, 2, 3, 4 or 6."""
        return self.wallpaper_group.rotation_order if self.wallpaper_group else None

    @property
    def crystal_class(self) -> str | None:
        """Point group: 1 m 2 2mm 4 4mm 3 3m 6 6mm."""
        return self.wallpaper_group.crystal_class if self.wallpaper_group else None

    @property
    def bravais(self) -> str | None:
        """Oblique, rectangular, centred rectangular, square or hexagonal."""
        return self.wallpaper_group.bravais if self.wallpaper_group else None

    @cached_property
    def hierarchy(self) -> dict[str, dict[Any, float]]:
        """Probabilities of rotation order, crystal class and Bravais type: sums over the groups below each."""
        levels: dict[str, dict[Any, float]] = {}
        for level in ("rotation_order", "crystal_class", "bravais"):
            sums: dict[Any, float] = {}
            for name, p in self.probabilities.items():
                value = getattr(WALLPAPER_GROUPS[name], level)
                sums[value] = sums.get(value, 0.0) + p
            levels[level] = dict(sorted(sums.items(), key=lambda item: -item[1]))
        return levels

    def certain(self, at: float = 0.95) -> tuple[str, Any] | None:
        """The finest statement whose probability reaches a level: group, else crystal class, else rotation order.

        >>> Prediction(None, {"p3m1": 0.6, "p31m": 0.395, "p3": 0.005}).certain()
        ('crystal_class', '3m')
        """
        levels = {"group": self.probabilities} | self.hierarchy
        for level in ("group", "crystal_class", "rotation_order"):
            value, p = next(iter(levels[level].items()), (None, 0.0))
            if p >= at:
                return level, value
        return None

    @property
    def pseudosymmetry(self) -> dict[str, float]:
        """Supergroups of the answer that the cell nearly has, with their residuals, the largest group first."""
        if self.wallpaper_group is None:
            return {}
        names = [g.name for g in self.wallpaper_group.supergroups if self.residuals.get(g.name, 1.0) <= NEAR]
        names.sort(key=lambda name: (-len(WALLPAPER_GROUPS[name].primitive_operations), self.residuals[name]))
        return {name: self.residuals[name] for name in names}

    @property
    def constants(self) -> dict[str, float]:
        """Lengths a and b of the conventional cell and its angle gamma in degrees, with standard errors of the fit.

        ``a`` and ``b`` are in pixels, ``a_nm`` and ``b_nm`` in nanometres where the pixel size is known; each has its
        standard error under the name with ``_error``, in nanometres with the calibration's.
        """
        if self.cell is None or self.lattice is None or self.lattice_error is None:
            return {}
        whole = np.rint(np.linalg.solve(self.lattice, self.cell))
        values = _constants(self.cell)
        step, variance = 1e-4, np.zeros(3)
        for i in range(2):
            for j in range(2):
                moved = self.lattice.copy()
                moved[i, j] += step
                variance += ((_constants(moved @ whole) - values) / step * self.lattice_error[i, j]) ** 2
        names = ("a", "b", "gamma")
        pairs = zip(names, values, np.sqrt(variance), strict=True)
        found = {key: float(v) for name, value, error in pairs for key, v in ((name, value), (f"{name}_error", error))}
        if self.pixel_size is not None:
            for name in ("a", "b"):
                length = found[name] * self.pixel_size
                error = np.hypot(found[f"{name}_error"] * self.pixel_size, length * self.calibration_error)
                found |= {f"{name}_nm": length, f"{name}_nm_error": float(error)}
        return found

    def symmetrised_image(self) -> NDArray[np.float32]:
        """The image with exactly the lattice and group of the answer, without background; (H, W).

        Raises:
            ValueError: if no group was answered.
        """
        if self.refusal is not None or self.symmetrised is None or self.lattice is None:
            raise ValueError(f"there is no symmetrised image: refused ({self.refused})")
        y, x = np.indices(self.shape)
        return tile(self.symmetrised, self.lattice, x - self.corner[0], y - self.corner[1])

    def plot(self, image: Any = None, *, title: str = "") -> Figure:
        """The picture of the answer, as :func:`equisym.predict.draw_overlay` makes it.

        Args:
            image: what was classified; without it, the pattern that the averaged cell makes is shown in its place.
            title: printed above.
        """
        from equisym.predict.overlay import draw_overlay

        if image is None:
            y, x = np.indices(self.shape)
            image = np.zeros(self.shape)
            if self.average is not None and self.lattice is not None:
                image = tile(self.average, self.lattice, x - self.corner[0], y - self.corner[1])
        return draw_overlay(image, self, title=title)

    def _repr_html_(self) -> str:
        from equisym.predict.notebook import as_html

        return as_html(self)

    def __str__(self) -> str:
        if self.refused:
            return f"refused: {self.refused}"
        return "; ".join([f"{self.group}", *self.remarks])

    @property
    def remarks(self) -> tuple[str, ...]:
        """The largest group that the cell nearly has, with the strain it needs, and the group that holds exactly."""
        found = []
        near = sorted(self.pseudosymmetry.items(), key=lambda item: self.strains.get(item[0], 0.0) > _FAR)
        for name, left in near[:1]:
            extra = self.strains.get(name, 0.0) - (self.strain or 0.0)
            stretch = f" if the image is stretched by {100 * self.strains[name]:.1f} %" if extra > 0.004 else ""
            found.append(f"{name} within {100 * left:.2g} %{stretch}")
        if self.exact not in (None, self.group):
            found.append(f"exact within the noise: {self.exact}")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """All fields except arrays of pixels, in plain types."""
        scale = self.pixel_size

        def plain(array: NDArray[np.float64] | None) -> Any:
            return None if array is None else [[_number(v) for v in row] for row in np.atleast_2d(array)]

        return {
            "group": self.group,
            "refused": self.refused,
            "refusal": None if self.refusal is None else self.refusal.code.name.lower(),
            "exact": self.exact,
            "tolerance": self.tolerance,
            "summary": str(self),
            "probabilities": {name: round(p, 6) for name, p in self.probabilities.items()},
            "rotation_order": self.rotation_order,
            "crystal_class": self.crystal_class,
            "bravais": self.bravais,
            "hierarchy": {k: {str(n): round(p, 6) for n, p in v.items()} for k, v in self.hierarchy.items()},
            "lattice": plain(self.lattice),
            "lattice_error": plain(self.lattice_error),
            "lattice_nm": None if scale is None or self.lattice is None else plain(self.lattice * scale),
            "cell": plain(self.cell),
            "constants": {name: _number(v) for name, v in self.constants.items()},
            "origin": None if self.origin is None else plain(self.origin)[0],
            "strain": _number(self.strain),
            "strains": {name: _number(v) for name, v in self.strains.items()},
            "repeats": _number(self.repeats),
            "explained": _number(self.explained),
            "residuals": {name: _number(v) for name, v in self.residuals.items()},
            "phase_residuals_deg": {name: _number(v) for name, v in self.phase_residuals.items()},
            "pseudosymmetry": {name: _number(v) for name, v in self.pseudosymmetry.items()},
            "operations": [vars(o) | {"residual": _number(o.residual)} for o in self.operations],
            "pixel_size_nm": _number(scale),
            "calibration_error": self.calibration_error,
            "shape": list(self.shape),
            "region": None if self.region is None else list(self.region),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)


def _constants(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = cell.T
    lengths = np.linalg.norm(cell, axis=0)
    return np.array([*lengths, np.degrees(np.arccos(a @ b / lengths.prod()))])


def _number(value: float | None) -> float | None:
    """Six digits; ``None`` for NaN, which JSON cannot hold."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")
