"""Measure an image before it is classified: the view, its lattice and cell, or a reason to refuse it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import Measurement
from equisym.crystal.superlattice import Pseudocell
from equisym.data.readers import read_image
from equisym.predict.artefacts import picture_within
from equisym.predict.closer_look import look_closely
from equisym.predict.corrected_looks import with_superstructure
from equisym.predict.diffraction_picture import refuse_diffraction
from equisym.predict.hyperspy_signal import image_of, is_signal
from equisym.predict.look import Look
from equisym.predict.preprocessing import Pixels, as_pixels, known_part, refuse_pixels, squared
from equisym.predict.refusal import Refusal
from equisym.predict.square_pixels import PixelSize
from equisym.predict.view import View

_NEARLY_ALL = 0.9  # of an image
_MOST_OF_IT, _CLEAR, _DOZEN = 0.3, 0.85, 12.0  # of an image its picture; of the picture explained; cells

Image = NDArray[Any] | Tensor | str | Path


@dataclass(frozen=True)
class Found:
    """What was measured in one image.

    Attributes:
        refusal: why no group should be named, or ``None``.
        shape: of the image, (H, W).
        pixel_size: side of a pixel in nanometres, if known.
        notes: what should be known of the way it was looked at.
        view: the part of the image that was looked at.
        measurement: its lattice, cell and fits; ``None`` if no lattice was found.
        explained: share of the view's variance that the averaged cell explains.
        patchiness: how unevenly what it leaves is spread: the most in a part of the image over the median.
        fault: what parts the pattern, so that the average is smeared; empty if nothing does.
        unlike: how far the motifs differ from repeat to repeat, 0 to 1.
        pseudocell: a smaller cell that the image nearly has.
        outside: share of the power in a superstructure that the cell leaves out.
        larger: the same on the cell of that superstructure.
        grains: whether parts surely show lattices that differ.
    """

    refusal: Refusal | None
    shape: tuple[int, int]
    pixel_size: float | None
    notes: tuple[str, ...] = ()
    view: View | None = None
    measurement: Measurement | None = None
    explained: float | None = None
    patchiness: float = 1.0
    fault: str = ""
    unlike: float = 0.0
    pseudocell: Pseudocell | None = None
    outside: float = 0.0
    larger: Found | None = None
    grains: bool = False


def inspect(
    image: Image,
    pixel_size: PixelSize,
    mask: Any = None,
    *,
    expected: NDArray[np.float64] | None = None,
    window: bool = False,
) -> Found:
    """Find lattice, cell and group fits of one image, or a reason to refuse it.

    Args:
        image: what :meth:`equisym.SymmetryClassifier.predict` takes.
        pixel_size: in nanometres, if known, one number or (y, x); that of the file by default.
        mask: which pixels to use, (H, W); all if not given.
        expected: basis of the lattice that is expected, (2, 2) in pixels of the image.
        window: whether the image is one of many windows of a larger one.

    Raises:
        ValueError, FileNotFoundError: if it is not an image.
    """
    pixels, side, note = _read(image, pixel_size, mask)
    part = known_part(pixels)
    refusal = refuse_pixels(part)
    if refusal:
        return Found(refusal, pixels.shape, side)
    look = _looked_at(part, expected, window)
    if look.refusal is None and not window:
        _, _, width, height = look.view.region
        in_part = width * height < _NEARLY_ALL * np.prod(part.shape)
        against = refuse_diffraction(look, part=bool(in_part))
        look = look if against is None else replace(look, against=against)  # else its review is made anew
    refusal = look.refusal
    larger = None if expected is not None or refusal else with_superstructure(look)
    known = (pixels.shape, side, note)
    return _found(look, refusal, *known, larger=None if larger is None else _found(larger, None, *known))


def _looked_at(part: Pixels, expected: NDArray[np.float64] | None, window: bool) -> Look:
    """A look at an image, or at the picture within it, where there are margins, axes or bars around one."""
    picture = picture_within(part)
    if picture is None or refuse_pixels(picture) is not None:
        return look_closely(part, expected, window)
    closer = look_closely(picture)
    width, height = picture.shape[::-1]
    noted = closer.noting(f"only the picture of {width} x {height} pixels was looked at, not what is around it")
    if width * height > _MOST_OF_IT * np.prod(part.shape) and _is_clear(closer):
        return noted
    look = look_closely(part, expected, window)
    if closer.outdoes(look):
        return noted
    if look.refusal is None:
        return look
    told = look.refusal.adding("there seem to be margins, axes or bars around the picture: cut it out")
    return replace(look, against=told)


def _is_clear(look: Look) -> bool:
    """Whether a look leaves no doubt, so that no other needs to be taken."""
    m, rest = look.measurement, look.rest
    enough = m is not None and rest is not None and m.lattice.repeats >= _DOZEN and rest.explained > _CLEAR
    return enough and look.refusal is None


def _found(
    look: Look,
    refusal: Refusal | None,
    shape: tuple[int, int],
    pixel_size: float | None,
    note: str | None,
    larger: Found | None = None,
) -> Found:
    rest, review = look.rest, look.review
    said = [text for text in review.notes if look.against is None or text != str(review.fault)]  # no shift, after all
    return Found(
        refusal,
        shape,
        pixel_size,
        (*(() if note is None else (note,)), *look.notes, *said),
        look.view,
        look.measurement,
        explained=None if rest is None else rest.explained,
        patchiness=1.0 if rest is None else rest.patchiness,
        fault="" if review.fault is None else str(review.fault),
        unlike=0.0 if rest is None else rest.unlike,
        pseudocell=review.pseudocell,
        outside=max(review.outside, look.modulated),
        larger=larger,
        grains=look.grains,
    )


def read_pixels(image: Image, pixel_size: PixelSize, mask: Any = None) -> tuple[Pixels, float | None]:
    """An image or file as square pixels, and the side of one in nanometres; arguments as :func:`inspect`."""
    return _read(image, pixel_size, mask)[:2]


def _read(image: Image, pixel_size: PixelSize, mask: Any) -> tuple[Pixels, float | None, str | None]:
    if isinstance(image, (str, Path)):
        file = read_image(image)
        file = replace(file, pixel_size=pixel_size or file.pixel_size).in_real_space()
        image, pixel_size = file.pixels, file.pixel_size
    elif is_signal(image):
        image, size = image_of(image, trusted=pixel_size is not None)
        pixel_size = pixel_size or size
    return squared(as_pixels(image, mask), pixel_size)
