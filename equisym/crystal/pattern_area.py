"""Where in an image a lattice's waves are: the area that a pattern covers, such as a particle on its support."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from torch import Tensor

from equisym.crystal.lattice_search import Lattice
from equisym.crystal.local_waves import flattened, local_waves, strongest_waves

_WAVES, _CELLS = 8, 1.2  # waves that are looked for; standard deviation of the window, in cells
_STEP, _MOST = 0.5, 96  # of that from point to point, and points along a side at most
_PRESENT = 0.3  # of the waves' power in the part that shows them: a quarter is left on a straight edge


def pattern_area(image: Tensor, lattice: Lattice, part: tuple[slice, slice]) -> tuple[NDArray[np.bool_], float]:
    r"""The area around a part of an image in which the lattice of that part goes on.

    The local power of the lattice's waves, less that of waves halfway between them, is compared with what it is in the
    middle of the part; the phases do not count, so that the pattern may be bent or faulted.

    Args:
        image: grey image, (H, W).
        lattice: that of the part.
        part: rows and columns that show it.

    Returns:
        The area, (H, W), in one piece; and the mean power elsewhere, for the power in the part.
    """
    k = strongest_waves(flattened(image[part].contiguous()), lattice.basis, _WAVES)
    sigma = _CELLS * float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    height, width = image.shape
    x, y = (np.linspace(0, n - 1, int(np.clip(n / (_STEP * sigma), 5, _MOST))) for n in (width, height))
    waves = local_waves(flattened(image), np.concatenate((k, k + 0.5)) @ np.linalg.inv(lattice.basis), x, y, sigma)
    power = np.square(np.abs(waves))
    power = power[: len(k)].sum(0) - power[len(k) :].sum(0)
    inner = np.ix_(*(_in_middle(at, piece) for at, piece in zip((y, x), part, strict=True)))
    usual = float(np.quantile(power[inner], 0.75))
    present = power > _PRESENT * usual
    pieces, _ = label(present)  # pyright: ignore[reportGeneralTypeIssues]
    counts = np.bincount(pieces[inner][present[inner]], minlength=1)
    if not counts[1:].any():
        return np.zeros((height, width), bool), 0.0
    own = pieces == counts[1:].argmax() + 1
    rows, columns = (np.rint(np.linspace(0, len(at) - 1, n)).astype(int) for at, n in ((y, height), (x, width)))
    elsewhere = float(power[~present].mean() / usual) if not present.all() else 0.0
    return own[np.ix_(rows, columns)], elsewhere


def _in_middle(at: NDArray[np.float64], piece: slice) -> NDArray[np.intp]:
    """Which points lie in the middle half of a piece; the nearest to its middle if none does."""
    middle, quarter = (piece.start + piece.stop) / 2, (piece.stop - piece.start) / 4
    inside = np.flatnonzero(np.abs(at - middle) <= quarter)
    return inside if len(inside) else np.array([np.abs(at - middle).argmin()])
