"""An answer as a line of a table, on the screen or in a csv file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from equisym.plain_text import printable

if TYPE_CHECKING:
    from equisym.predict.answer import Answer

HEADING = f"{'group':6} {'prob.':>5} {'class':5} {'a':>13} {'b':>13} {'gamma':>10} {'strain':>6}  file"
_CONSTANTS = ("a", "b", "gamma")
COLUMNS = (
    *("file", "group", "refused", "probability", "rotation_order", "crystal_class", "bravais"),
    *("a_px", "a_px_error", "b_px", "b_px_error", "gamma_deg", "gamma_deg_error"),
    *("a_nm", "a_nm_error", "b_nm", "b_nm_error", "strain", "repeats", "explained", "residual", "phase_residual_deg"),
    *("pixel_size_nm", "expected", "notes"),
)


def with_error(value: float, error: float) -> str:
    """A number with its standard error in the last digits, as crystallographers write it.

    >>> with_error(12.3456, 0.0123), with_error(12.3456, 0.0), with_error(90.0, float("nan"))
    ('12.346(12)', '12.346', '90.000')
    """
    if not np.isfinite(error) or error < 1e-6:
        return f"{value:.3f}"
    digits = min(max(1 - int(np.floor(np.log10(error))), 0), 6)
    return f"{value:.{digits}f}({round(error * 10**digits)})"


def constants_text(result: Answer) -> dict[str, str]:
    """a, b and gamma with their errors and units: nanometres if the pixel size is known, otherwise pixels.

    >>> from equisym.predict import Prediction
    >>> constants_text(Prediction("no lattice"))
    {}
    """
    k = result.constants
    if not k:
        return {}
    unit, key = (" nm", "_nm") if "a_nm" in k else (" px", "")
    found = {name: with_error(k[name + key], k[f"{name}{key}_error"]) + unit for name in ("a", "b")}
    return found | {"gamma": with_error(k["gamma"], k["gamma_error"]) + "°"}


def table_row(result: Answer, file: str) -> str:
    """One line of the table."""
    if result.group is None:
        return printable("; ".join([f"{'-':6} {result} | {file}", *result.notes]))
    a, b, angle = constants_text(result).values()
    row = f"{result.group:6} {result.probabilities[result.group]:5.3f} {result.crystal_class:5} {a:>13}"
    row += f" {b:>13} {angle:>10} {100 * (result.strain or 0):5.1f}%  {file}"
    remarks = list(result.remarks)
    return printable("; ".join([row, *remarks, *result.notes]))


def csv_row(result: Answer, file: str, expected: str = "") -> dict[str, Any]:
    """The values of ``COLUMNS``; empty where there is none."""
    k, group = result.constants, result.group
    row: dict[str, Any] = {
        "file": file,
        "group": group,
        "refused": result.refused,
        "probability": None if group is None else result.probabilities[group],
        "rotation_order": result.rotation_order,
        "crystal_class": result.crystal_class,
        "bravais": result.bravais,
        "strain": result.strain,
        "repeats": result.repeats,
        "explained": result.explained,
        "residual": result.residuals.get(group or ""),
        "phase_residual_deg": result.phase_residuals.get(group or ""),
        "pixel_size_nm": result.pixel_size,
        "expected": expected,
        "notes": "; ".join(result.notes),
    }
    names = {"a": "a_px", "b": "b_px", "gamma": "gamma_deg"}
    row |= {names[n] + e: k.get(n + e) for n in _CONSTANTS for e in ("", "_error")}
    row |= {f"{n}_nm{e}": k.get(f"{n}_nm{e}") for n in ("a", "b") for e in ("", "_error")}
    return {name: _plain(row[name]) for name in COLUMNS}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return "" if value is None else value
