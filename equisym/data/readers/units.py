"""Lengths as instruments write them, in nanometres."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

PixelSize = tuple[float, float]
"""Height and width of a pixel (y, x) in nanometres."""

_NANOMETRES = {"fm": 1e-6, "pm": 1e-3, "a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "ångström": 0.1, "nm": 1.0}
_NANOMETRES |= dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "\\u00b5m"), 1e3)
_NANOMETRES |= {"mm": 1e6, "cm": 1e7, "m": 1e9, "meter": 1e9, "metre": 1e9, "n_m": 1.0, "u_m": 1e3, "p_m": 1e-3}
_NANOMETRES |= {"picometer": 1e-3, "nanometer": 1.0, "nanometre": 1.0, "millimeter": 1e6, "centimeter": 1e7}
_ANGLES = ("rad", "mrad", "radian", "radians", "milliradian", "milliradians")
_ONE_OVER = re.compile(r"1\s*[/_]\s*(\S+)|(\S+?)\s*(?:\^|\*\*)?\s*\(?(?:-1|⁻¹)\)?")


def nanometres(size: Any, unit: Any) -> float | None:
    """A length in nanometres; ``None`` for units that are no length, and for sizes that are none.

    >>> nanometres(0.5, "[n_m]"), nanometres(2, "Å"), nanometres(1, "1/nm"), nanometres(0, "nm")
    (0.5, 0.2, None, None)
    """
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    text = text.strip(" []\0\t\n")
    factor = None if text == "M" else _NANOMETRES.get(text.lower())
    try:
        length = float(size)
    except (TypeError, ValueError):
        return None
    return length * factor if factor and np.isfinite(length) and length > 0 else None


def is_reciprocal(unit: Any) -> bool:
    """Whether a unit is one of a diffraction pattern's or a Fourier transform's axes: one over a length, or an angle.

    >>> [is_reciprocal(unit) for unit in ("1/nm", "Å^-1", "[1_n_m]", "mrad", "nm", "", None)]
    [True, True, True, True, False, False, False]
    """
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    text = text.strip(" []\0\t\n").lower()
    if text in _ANGLES:
        return True
    one_over = _ONE_OVER.fullmatch(text)
    return one_over is not None and (one_over[1] or one_over[2]) in _NANOMETRES


def pixel_size(y: float | None, x: float | None) -> PixelSize | None:
    """Both sides of a pixel, where both are lengths; an image over energy or time has no pixels of a size.

    >>> pixel_size(0.4, 0.2), pixel_size(0.2, None)
    ((0.4, 0.2), None)
    """
    return None if y is None or x is None else (float(f"{y:.12g}"), float(f"{x:.12g}"))
