"""Answers about files: each is read, prepared and classified, many of them by several processes."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from equisym.command_line import quick_imports
from equisym.data.readers import ImageFile, read_image

if TYPE_CHECKING:
    from equisym.predict.classifier import SymmetryClassifier
    from equisym.predict.map import SymmetryMap
    from equisym.predict.options import PredictConfig
    from equisym.predict.prediction import Prediction
    from equisym.predict.region import Region

SMALLEST_WINDOW = 16  # pixels along a side: a smaller image is answered as a whole
_WORTH_PROCESSES = 8  # files; fewer are answered before processes have started
_AHEAD = 8  # files that a process may be ahead of those that are written


class ModelError(ValueError):
    """The model cannot be loaded, which concerns all files."""


@dataclass(frozen=True)
class FileAnswer:
    """What was found in one file.

    Attributes:
        image: as it was prepared; without its pixels if nothing is drawn.
        result: the answer.
        map: the answers about its windows, if they were asked for.
        warnings: of those who read it, in sentences.
    """

    image: ImageFile
    result: Prediction
    map: SymmetryMap | None = None
    warnings: tuple[str, ...] = ()


class Answering:
    """Reads files and answers them; keeps nothing of them.

    Args:
        config: of the command.

    Raises:
        ValueError: for options that cannot be followed.
    """

    def __init__(self, config: PredictConfig) -> None:
        self.config = config
        self.steps = _steps(config)

    def __reduce__(self) -> tuple[Any, ...]:
        """Its steps cannot travel to another process, which makes them anew."""
        return Answering, (self.config,)

    @cached_property
    def classifier(self) -> SymmetryClassifier:
        """Loaded with the first image that can be read."""
        with quick_imports():
            from equisym.predict.classifier import SymmetryClassifier

        try:
            return SymmetryClassifier.from_pretrained(self.config.model)
        except (ValueError, ImportError) as error:
            raise ModelError(str(error)) from None

    def answer(self, file: str) -> FileAnswer:
        """The answer about one file.

        Raises:
            ValueError, OSError: if it cannot be read or answered; what its readers warned of are the error's notes.
        """
        with warnings.catch_warnings(record=True) as said:
            try:
                image = self.prepare(file)
                windows = self.config.map and min(image.pixels.shape[:2]) >= SMALLEST_WINDOW
                found = self._map(image) if windows else None
                result = self.predict(image) if found is None else self._completed(found.answer(), image)
            except Exception as error:
                for text in _texts(said):
                    error.add_note(text)
                raise
        return FileAnswer(image, result, found, _texts(said))

    def answers(self, files: Sequence[str]) -> Iterator[FileAnswer | Exception]:
        """The answers about several files, in order; for a file that cannot be answered, the reason.

        Many files are shared out to one process for each of torch's threads. A map shares out its windows instead.
        """
        if len(files) < _WORTH_PROCESSES or self.config.map or (workers := _threads()) < 2:
            yield from map(self.attempt, files)
            return
        from torch.utils.data import DataLoader

        yield self.attempt(files[0])  # what the first image makes ready, the processes find ready
        answers = DataLoader(
            _Files(self, files[1:]),  # pyright: ignore[reportArgumentType]  it has a length and takes an index
            batch_size=None,
            num_workers=workers,
            prefetch_factor=_AHEAD,
            collate_fn=_as_it_is,
        )
        try:
            yield from answers
        except RuntimeError as error:
            raise OSError(f"a process that answered files was stopped, perhaps for lack of memory ({error})") from None

    def attempt(self, file: str) -> FileAnswer | Exception:
        """:meth:`answer`, or why there is none."""
        try:
            return self.answer(file)
        except Exception as error:  # an error in one file does not stop the others
            return error

    def predict(self, image: ImageFile) -> Prediction:
        """The answer about one prepared image."""
        result = self.classifier.predict(image.pixels, pixel_size=image.pixel_size, **self._options())
        return self._completed(result, image)

    def prepare(self, file: str) -> ImageFile:
        """A file's image after rectification, region and flattening."""
        image = read_image(file, max_bytes=int(self.config.max_gib * 2**30))
        image = replace(image, pixel_size=self.config.pixel_sides() or image.pixel_size).in_real_space()
        for step in self.steps:
            image = step(image)
        return image

    def _map(self, image: ImageFile) -> SymmetryMap:
        """The answers about its windows."""
        sides = {"window": self.config.window, "step": self.config.step, "pixel_size": image.pixel_size}
        return self.classifier.map(image.pixels, **sides, **self._options())

    def _options(self) -> dict[str, Any]:
        """Those of the classifier that were given."""
        options = {"tolerance": self.config.tolerance, "distortion": self.config.strain()}
        return {name: value for name, value in options.items() if value is not None}

    def _completed(self, result: Prediction, image: ImageFile) -> Prediction:
        """An answer with what the pixels do not say."""
        error = self.config.calibration_error or result.calibration_error
        return replace(result, calibration_error=error, notes=(*image.notes, *result.notes))


@dataclass(frozen=True)
class _Files:
    """Files as answers, in the form that another process can send."""

    answering: Answering
    files: Sequence[str]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> FileAnswer | Exception:
        found, config = self.answering.attempt(self.files[index]), self.answering.config
        if isinstance(found, FileAnswer) and config.overlay is None and config.report is None:
            return replace(found, image=replace(found.image, pixels=np.empty((0, 0))))
        if isinstance(found, Exception):
            try:
                pickle.loads(pickle.dumps(found))
            except Exception:  # one that cannot travel
                return ValueError(str(found) or type(found).__name__)
        return found


def _texts(said: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """What was warned of, each once."""
    return tuple(dict.fromkeys(str(warning.message) for warning in said))


def _as_it_is(answer: Any) -> Any:
    return answer


def _threads() -> int:
    with quick_imports():
        import torch

    return torch.get_num_threads()


def _steps(config: PredictConfig) -> list[Any]:
    """What happens to an image before it is analysed, in order."""
    steps: list[Any] = []
    if config.expect is not None:
        from equisym.predict.expectation import Expectation

        Expectation.parse(config.expect)
    if config.rectify is not None:
        from equisym.predict.rectification import parse_corners, rectify

        corners = parse_corners(config.rectify)
        steps.append(lambda image: replace(image, pixels=rectify(_grey(image), corners)))
    if config.roi is not None:
        from equisym.predict.region import Region

        region = Region.parse(config.roi)
        steps.append(lambda image: _cut(image, region))
    if config.flatten is not None:
        from equisym.predict.flattening import FLATTENINGS, flatten

        how = config.flatten
        if how not in FLATTENINGS:
            raise ValueError(f"flatten must be one of {', '.join(FLATTENINGS)} (got {how!r})")
        steps.append(lambda image: replace(image, pixels=flatten(_grey(image), how)))
    return steps


def _grey(image: ImageFile) -> Any:
    from equisym.predict.preprocessing import as_grey

    return as_grey(image.pixels)


def _cut(image: ImageFile, region: Region) -> ImageFile:
    """The region of an image, with a note if there is less of it than was asked for."""
    note = region.note(image.pixels.shape)
    return replace(image, pixels=region.part(image.pixels), notes=image.notes + (() if note is None else (note,)))
