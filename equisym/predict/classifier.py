"""The classifier of periodic images: from pixels or a file to a :class:`Prediction`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equisym.crystal import features_of, group_probabilities
from equisym.crystal.posterior import OPTIONS, distortion_of
from equisym.crystal.tuned_constants import PosteriorOptions
from equisym.predict.answer_by_windows import answer_by_windows, window_for
from equisym.predict.copied_pictures import with_smaller_cell, with_superstructure
from equisym.predict.interpretation import interpret
from equisym.predict.many_answers import answers_of
from equisym.predict.map import SymmetryMap, needed_window, placed, starts
from equisym.predict.measurement import Found, Image, inspect, read_pixels
from equisym.predict.prediction import Prediction
from equisym.predict.preprocessing import Pixels
from equisym.predict.single_thread import single_thread
from equisym.predict.square_pixels import PixelSize

if TYPE_CHECKING:
    from equisym.predict.pretrained import Model

_WEIGHT, _FIRMEST = 0.1, -7.0  # of a network's log-probabilities, and the least of them that counts


def _options(tolerance: float, distortion: str | float) -> PosteriorOptions:
    if not 0 < tolerance <= 0.5:
        raise ValueError(
            f"tolerance must be above 0 and at most 0.5 (got {tolerance}): 0.05 is 5 % of the cell's power"
        )
    return replace(OPTIONS, tolerance=tolerance, distortion=distortion_of(distortion))


class SymmetryClassifier:
    """Names the wallpaper group of a periodic image, with the measurements behind it, or says why it cannot.

    The same image gives the same answer every time, alone or in a batch.

    Args:
        model: a network that reads symmetry features, such as :class:`equisym.models.SymNet`, to be heard beside the
            posterior of :func:`equisym.crystal.group_energies`; the posterior alone if not given.

    >>> from equisym.data import render
    >>> result = SymmetryClassifier.from_pretrained("crystal").predict(render("p4m", "noise", seed=1, size=96))
    >>> result.group, result.rotation_order, result.bravais, result.refused
    ('p4m', 4, 'square', None)
    """

    def __init__(self, model: Model | None = None) -> None:
        self.model = model

    @classmethod
    def from_pretrained(cls, name: str | Path | None = None) -> SymmetryClassifier:
        """Load a bundled model by name, or a file written by training; works offline.

        Args:
            name: ``"posterior"`` for the measurements alone, the default; ``"symnet"``, ``"crystal"`` or a
                ``.safetensors`` file for a network beside them.

        Raises:
            ValueError: if there is no such model.
        """
        if name is None or name == "posterior":
            return cls()
        from equisym.predict.pretrained import load_classifier  # networks are loaded where one is asked for

        return cls(load_classifier(name))

    def predict(
        self,
        image: Image,
        *,
        pixel_size: PixelSize = None,
        mask: Any = None,
        tolerance: float = OPTIONS.tolerance,
        distortion: str | float = "typical",
    ) -> Prediction:
        """Answer for one image.

        Args:
            image: array (H, W) or (H, W, C) of any real type, tensor (H, W) or (C, H, W), or the path of a file that
                :func:`equisym.data.readers.read_image` knows. Pixels that are NaN, infinite, fully transparent or
                masked (:class:`numpy.ma.MaskedArray`) are left out.
            pixel_size: in nanometres, if known, one number or height and width; that of the file by default.
            mask: array (H, W), true where pixels count; all if not given.
            tolerance: share of the averaged cell's power that a group may leave unexplained and still be named.
            distortion: how far the instrument may distort the lattice: "none", "typical" (1 % rms), "strong" (3 %), or
                the root mean square strain as a number.

        Raises:
            ValueError: if it is no image, the file is broken, or an option is out of range.
            FileNotFoundError: if there is no such file.
        """
        return self._predict(image, pixel_size, mask, _options(tolerance, distortion))

    def _predict(
        self,
        image: Image,
        pixel_size: PixelSize,
        mask: Any,
        options: PosteriorOptions,
        *,
        window: bool = False,
        expected: NDArray[np.float64] | None = None,
    ) -> Prediction:
        """The answer for one image, itself perhaps a window of a larger one.

        Otherwise with a vote of its own windows where its lattice may hold in parts only.
        """
        with single_thread():
            found = inspect(image, pixel_size, mask, expected=expected, window=window)
            answer = self._answered(found, options)
            if window:
                return answer
            return answer_by_windows(found, answer, partial(read_pixels, image, pixel_size, mask), options, self._map)

    def predict_batch(
        self,
        images: Sequence[Image] | Tensor,
        *,
        pixel_size: PixelSize = None,
        tolerance: float = OPTIONS.tolerance,
        distortion: str | float = "typical",
        workers: int | None = None,
    ) -> list[Prediction]:
        """Answers for several images of any sizes, by several processes.

        Args:
            images: a list, or an array or tensor whose first axis counts them.
            pixel_size: in nanometres, if known, one number or height and width; that of each file by default.
            tolerance: as for :meth:`predict`.
            distortion: as for :meth:`predict`.
            workers: processes; by default one for each of torch's threads, and none for fewer than eight images.

        Raises:
            ValueError, FileNotFoundError: as :meth:`predict`, for the first image that is invalid.
        """
        alike = {"pixel_size": pixel_size, "mask": None, "options": _options(tolerance, distortion)}
        return answers_of(partial(self._predict, **alike), images, workers)

    def map(
        self,
        image: Image,
        window: int | None = 256,
        step: int | None = None,
        *,
        pixel_size: PixelSize = None,
        mask: Any = None,
        tolerance: float = OPTIONS.tolerance,
        distortion: str | float = "typical",
        workers: int | None = None,
    ) -> SymmetryMap:
        """Answers on a sliding window, and their vote.

        Args:
            image: what :meth:`predict` takes.
            window: side of the square windows in pixels; ``None`` for one that suits the lattice: ten cells along a
                side, at least 64 pixels.
            step: from one window to the next; half a window if not given.
            pixel_size: as in :meth:`predict`.
            mask: as in :meth:`predict`.
            tolerance: as in :meth:`predict`.
            distortion: as in :meth:`predict`.
            workers: as in :meth:`predict_batch`.

        Raises:
            ValueError: if it is not an image, or a window does not fit into it.

        >>> from equisym.data import render
        >>> classifier = SymmetryClassifier.from_pretrained("crystal")
        >>> found = classifier.map(render("p4m", "noise", seed=1, size=160), window=96)
        >>> found.group, found.groups.shape, bool(abs(found.strain).max() < 0.01)
        ('p4m', (3, 3), True)
        """
        pixels, side = read_pixels(image, pixel_size, mask)
        if window is None:
            window, _ = window_for(pixels, inspect(pixels.array(), None))
        options = _options(tolerance, distortion)
        step = max(1, window // 2) if step is None else step
        result = self._map(pixels, side, window, step, options, workers)
        if result.vote.answered * 2 >= len(result.rows) * len(result.columns):
            return result
        with single_thread():
            whole = self._answered(inspect(pixels.array(), side), options)
        needed = 0 if whole.lattice is None or whole.refused else needed_window(whole.lattice)
        return replace(result, needed=needed) if needed > window else result

    def _map(
        self,
        pixels: Pixels,
        side: float | None,
        window: int,
        step: int,
        options: PosteriorOptions,
        workers: int | None,
        expected: NDArray[np.float64] | None = None,
    ) -> SymmetryMap:
        if not 16 <= window <= min(pixels.shape) or step < 1:
            height, width = pixels.shape
            raise ValueError(
                f"window must be 16 to {min(pixels.shape)} pixels for an image of {width} x {height}, and step at "
                f"least 1 (got window {window}, step {step})"
            )
        rows, columns = (starts(length, window, step) for length in pixels.shape)
        places = [(x, y) for y in rows for x in columns]
        parts = [pixels.cut(slice(y, y + window), slice(x, x + window)).array() for x, y in places]
        alike = {"pixel_size": side, "mask": None, "options": options, "window": True, "expected": expected}
        found = answers_of(partial(self._predict, **alike), parts, workers)
        answers = iter([placed(w, x, y, pixels.shape) for w, (x, y) in zip(found, places, strict=True)])
        windows = tuple(tuple(next(answers) for _ in columns) for _ in rows)
        return SymmetryMap(window, rows, columns, windows, pixels.shape, side)

    @torch.no_grad()
    def _answered(self, found: Found, options: PosteriorOptions) -> Prediction:
        if found.measurement is None:
            return Prediction(found.refusal, shape=found.shape, pixel_size=found.pixel_size, notes=found.notes)
        assert found.view is not None
        through = found.view.drift or any(found.view.perspective)  # an instrument or a camera
        if through and options.distortion >= OPTIONS.distortion:
            options = replace(options, rigid=1.0)
        found = with_superstructure(found, options)
        assert found.view is not None
        assert found.measurement is not None
        e = features_of(found.measurement)
        opinion = None
        if self.model is not None:
            from equisym.predict.pretrained import log_probabilities

            said = log_probabilities(self.model, e, found.view.grey, found.measurement.lattice.basis)
            opinion = _WEIGHT * said.clamp(min=_FIRMEST)
        probabilities = with_smaller_cell(found, group_probabilities(e, options, opinion)[0], options)
        doubt = max(options.unlike * found.unlike, options.outside * (found.outside > options.beyond))
        return interpret(found, e, ((1 - doubt) * probabilities + doubt / len(probabilities)).tolist(), options)
