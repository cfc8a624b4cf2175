"""What can be found in an image before a model is asked: the view, its lattice and cell, or a reason to refuse it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement, measure_scan
from equisym.data.readers import read_image
from equisym.predict.preprocessing import LARGEST, View, as_grey, middle, reduced, refuse_pixels, whole
from equisym.predict.rejection import Background, refuse_lattice, take_apart
from equisym.predict.square_pixels import PixelSize, square_pixels

Image = NDArray[Any] | Tensor | str | Path
_FINE = 20.0  # pixels: a cell that is smaller after reduction is looked at in the middle of the image instead


@dataclass(frozen=True)
class Found:
    """What was found in one image before a model is asked.

    Attributes:
        refused: why no model need be asked, or ``None``.
        about: what is known of the answer already: fields of :class:`equisym.predict.Prediction`.
        view: the part of the image that was looked at.
        measurement: its lattice, cell and fits.
    """

    refused: str | None
    about: dict[str, Any]
    view: View | None = None
    measurement: Measurement | None = None


def inspect(image: Image, pixel_size: PixelSize) -> Found:
    """Find lattice, cell and group fits of one image, or a reason to refuse it.

    Args:
        image: what :meth:`equisym.SymmetryClassifier.predict` takes.
        pixel_size: in nanometres, if known, one number or (y, x); that of the file by default.

    Raises:
        ValueError, FileNotFoundError: if it is no image.
    """
    if isinstance(image, (str, Path)):
        file = read_image(image)
        image, pixel_size = file.pixels, pixel_size or file.pixel_size
    grey = as_grey(image)
    about: dict[str, Any] = {"shape": grey.shape, "pixel_size": None}
    refused = refuse_pixels(grey)
    if refused:
        return Found(refused, about)
    grey, side, note = square_pixels(grey, pixel_size)
    about |= {"shape": grey.shape, "pixel_size": side, "notes": () if note is None else (note,)}
    view, m = _look(grey)
    if view.scale > 1:
        reduction = f"reduced {view.scale}-fold from {grey.shape[1]} x {grey.shape[0]} pixels"
        about["notes"] = (*about["notes"], reduction)
    elif view.grey.shape != grey.shape:
        part = f"only the middle {LARGEST} pixels were looked at, of {grey.shape[1]} x {grey.shape[0]}"
        about["notes"] = (*about["notes"], part)
    if view.drift:
        drift = f"the lines of the scan drift by up to {view.drift * view.scale:.1f} pixels, which was taken off first"
        about["notes"] = (*about.get("notes", ()), drift)
    if m is not None and m.mask is not None:
        part = f"only the {100 * m.mask.double().mean():.0f} % of the image that are not empty were looked at"
        about["notes"] = (*about.get("notes", ()), part)
    rest = None if m is None else take_apart(view.grey, m)
    refused = refuse_lattice(view.grey, m, rest)
    if m is not None:
        about |= _about_lattice(view, m, rest)
    return Found(refused, about, view, m)


def _look(grey: NDArray[Any]) -> tuple[View, Measurement | None]:
    """Measure an image at the scale that shows its cell."""
    if max(grey.shape) <= LARGEST:
        return _drift_corrected(whole(grey))
    view, m = _drift_corrected(reduced(grey))
    if m is None or np.sqrt(abs(np.linalg.det(m.lattice.basis))) < _FINE or m.lattice.score < 0.3:
        near, closer = _drift_corrected(middle(grey))
        if closer is not None and (m is None or closer.lattice.score > 0.8 * m.lattice.score):
            return near, closer
    return view, m


def _drift_corrected(view: View) -> tuple[View, Measurement | None]:
    scan = measure_scan(view.grey)
    return replace(view, grey=scan.image, drift=scan.shift), scan.measurement


def _about_lattice(view: View, m: Measurement, rest: Background | None) -> dict[str, Any]:
    return {
        "lattice": m.lattice.basis * view.scale,
        "lattice_error": m.lattice.uncertainty * view.scale,
        "repeats": m.lattice.repeats,
        "explained": None if rest is None else rest.explained,
        "average": m.average.cell[0].numpy() * view.spread + view.mean,
        "corner": np.array(view.corner),
    }
