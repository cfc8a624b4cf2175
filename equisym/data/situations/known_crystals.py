"""Kind 2, simulated: projections of known crystals with the plane groups that their columns have."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.crystals import columns, crystals, project
from equisym.data.situations.drawing import image, noisy
from equisym.data.situations.situation import Situation, seeded, situation

_SHORTEST = 15.0  # pixels of the shorter vector
_CELLS = 50.0  # the image's side holds at least so many cells


def situations() -> list[Situation]:
    """Simulated dark-field images of crystals: one spot a column, Z^1.6 bright, at an arbitrary turn, with noise."""
    return [
        situation(
            "crystal", f"{name} [{zone}]", right, lambda n=name, z=zone: _draw(n, z), strained=known.strained.get(zone)
        )
        for name, known in crystals().items()
        for zone, right in known.views.items()
    ]


def axis(zone: str) -> tuple[int, int, int]:
    """A zone axis from its digits."""
    u, v, w = (int(k) for k in zone)
    return u, v, w


def _draw(name: str, zone: str) -> np.ndarray:
    rng = seeded(name, zone)
    basis, _ = project(crystals()[name], axis(zone))
    scale = _SHORTEST / float(np.linalg.norm(basis, axis=0).min())
    side = np.sqrt(_CELLS * abs(np.linalg.det(basis))) * scale
    size = int(np.clip(side, 224, 448))
    turn, sigma = float(rng.uniform(0, 90)), float(max(0.4, 1.3 / scale))
    motif = columns(name, axis(zone), scale, turn, sigma)
    return noisy(image(motif, size), 0.1, int(rng.integers(1 << 30)))
