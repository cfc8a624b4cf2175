"""A look with all pixels made alike, where a raster of a sensor, a display or an interlaced video has several kinds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from equisym.predict.look import Look, plain_look
from equisym.predict.refusal import RefusalCode
from equisym.predict.rejection import DOZEN
from equisym.predict.view import View

# set on 51 drawn patterns behind rows of a display, filters of a colour sensor and subpixels
_PERHAPS_RASTERED = (RefusalCode.NOT_PERIODIC, RefusalCode.SEVERAL_LATTICES, RefusalCode.FEW_REPEATS)
_LARGEST, _LEAST, _MOST = 4, 0.02, 0.9  # pixels a side; variance between kinds, at least; of the most that any shows
_ALL, _FEW = 12, 4  # rows after which every raster comes again; so often it must
_SMALLER, _ALMOST = 1.5, 0.03  # times; of the image explained: so much less with a smaller cell
_HOLDS = 0.6  # of the image explained, at least

Raster = tuple[int, int]


def with_pixels_alike(view: View, look: Look) -> Look:
    """A look at an image whose kinds of pixels have one mean and spread, if a smaller cell is seen then.

    Pixels of one kind come every 2, 3 or 4 rows or columns; a gain and an offset of each kind are exactly undone.
    """
    if view.window or view.mask is not None or view.expected is not None:
        return look
    raster = find_raster(view.grey.double().numpy())
    if raster is None:
        return look
    alike = np.stack([_alike(channel, raster) for channel in view.channels.double().numpy()])
    spread = float(alike[0].std()) or 1.0
    seen = plain_look(replace(view, channels=torch.from_numpy((alike / spread).astype(np.float32))))
    m, before = seen.measurement, look.measurement
    if m is None or seen.refusal is not None or seen.rest is None or m.lattice.repeats < DOZEN:
        return look
    refused = look.refusal is not None and look.refusal.code in _PERHAPS_RASTERED
    smaller = before is not None and m.lattice.repeats > _SMALLER * before.lattice.repeats
    gain = 1.0 if look.rest is None else seen.rest.explained - look.rest.explained
    counts = refused or (look.leaves_much and gain > 0) or (smaller and gain > -_ALMOST)
    if not counts or seen.rest.explained < _HOLDS:
        return look
    rows, columns = raster
    kinds = f"the pixels are of {rows * columns} kinds, as in a display or a sensor"
    return seen.noting(f"{kinds}; they were given one mean and spread")


def find_raster(image: NDArray[np.float64]) -> Raster | None:
    """Rows and columns after which kinds of pixels come again that differ in mean or spread; ``None`` if none do.

    >>> y, x = np.indices((96, 96))
    >>> pattern = np.sin(x / 3.1) + np.sin(y / 4.3)
    >>> find_raster(pattern) is None, find_raster(pattern * np.where(y % 3, 1, 0.6))
    (True, (3, 1))
    """
    height, width = (n // _ALL for n in image.shape)
    if min(height, width) < _FEW:
        return None
    tiles = image[: height * _ALL, : width * _ALL].reshape(height, _ALL, width, _ALL)
    first, second = tiles.mean((0, 2)), np.square(tiles).mean((0, 2))
    variance = max(float(second.mean() - first.mean() ** 2), 1e-30)
    shown: dict[Raster, float] = {}
    for rows, columns in product(range(1, _LARGEST + 1), repeat=2):
        kinds = (-1, rows, _ALL // columns, columns)
        mean, square = (moment.reshape(kinds).mean((0, 2)) for moment in (first, second))
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        shown[rows, columns] = float(mean.var() + spread.var()) / variance
    most = max(shown.values())
    if most < _LEAST:
        return None
    return min((raster for raster, value in shown.items() if value > _MOST * most), key=np.prod)


def _alike(channel: NDArray[np.float64], raster: Raster) -> NDArray[np.float64]:
    out = np.empty_like(channel)
    for i, j in product(*map(range, raster)):
        kind = channel[i :: raster[0], j :: raster[1]]
        out[i :: raster[0], j :: raster[1]] = (kind - kind.mean()) / max(float(kind.std()), 1e-12)
    return out
