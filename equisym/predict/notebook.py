"""HTML of an answer for notebooks: group, certainty and cell in a table, next to the averaged cell."""

from __future__ import annotations

from html import escape

import numpy as np

from equisym.crystal import tile
from equisym.predict.answer import Answer
from equisym.predict.table import constants_text
from equisym.predict.thumbnail import data_uri, to_bytes

_POINTS = 110  # pixels along a picture of a cell


def as_html(result: Answer) -> str:
    """A fragment of a page, with no other file and no script."""
    if result.group is None:
        reason = f"<b>refused</b>: {escape(result.refused or '')}"
        return f'<div style="font-family:system-ui,sans-serif">{reason}{_notes(result)}</div>'
    ranked = list(result.probabilities.items())
    residual = result.residuals.get(result.group)
    phase = result.phase_residuals.get(result.group)
    others = [f"{name} {100 * p:.2g} %" for name, p in ranked[1:3] if p > 0.005]
    near = [f"{name} within {100 * left:.2g} %" for name, left in list(result.pseudosymmetry.items())[:2]]
    rows = {
        "probability": f"{100 * ranked[0][1]:.1f} %" + (f" (then {', '.join(others)})" if others else ""),
        "nearly": ", ".join(near),
        "lattice": f"{result.bravais}, class {result.crystal_class}",
        **constants_text(result),
        "strain": f"{100 * (result.strain or 0):.2g} %",
        "repeats": "" if result.repeats is None else f"{result.repeats:.0f} cells",
        "residual": ""
        if residual is None
        else f"{100 * residual:.2g} %" + ("" if phase is None else f", phases {phase:.1f}°"),
    }
    cells = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{escape(name)}</td>'
        f'<td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in rows.items()
        if text
    )
    pictures = "".join(_picture(result, kind) for kind in ("average", "symmetrised"))
    return (
        '<div style="font-family:system-ui,sans-serif;display:flex;flex-wrap:wrap;gap:1.2em;align-items:flex-start">'
        f'<div><div style="font-size:1.5em;font-weight:600">{escape(result.group)}</div><table>{cells}</table>'
        f"{_notes(result)}</div>"
        f'<div style="flex:1 1 {_POINTS}px;display:flex;flex-wrap:wrap;gap:.8em 1.2em">{pictures}</div></div>'
    )


def _notes(result: Answer) -> str:
    return "".join(f'<div style="font-size:.9em;opacity:.8">{escape(note)}</div>' for note in result.notes)


def _picture(result: Answer, kind: str) -> str:
    """Two by two cells, averaged or symmetrised, in true shape."""
    cell = getattr(result, kind)
    if cell is None or result.lattice is None or result.cell is None or result.origin is None:
        return ""
    from PIL import Image

    side = 2 * float(np.sqrt(abs(np.linalg.det(result.cell))))
    x, y = np.meshgrid(*[np.linspace(-side / 2, side / 2, _POINTS)] * 2)
    start = result.origin - result.corner
    picture = Image.fromarray(to_bytes(tile(cell, result.lattice, x + start[0], y + start[1])))
    return (
        f'<figure style="margin:0"><img src="{data_uri(picture, "PNG")}" alt="{kind} cell" width="{_POINTS}">'
        f'<figcaption style="font-size:.8em;opacity:.7">{kind}</figcaption></figure>'
    )
