"""One call of the command: how each image is processed, and where the answers go."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equisym.data.readers import ImageFile, read_image
from equisym.plain_text import one_line
from equisym.predict.file_list import distinct_stem

if TYPE_CHECKING:
    from equisym.predict.classifier import SymmetryClassifier
    from equisym.predict.expectation import Comparison
    from equisym.predict.folder_report import FolderReport
    from equisym.predict.options import PredictConfig
    from equisym.predict.prediction import Prediction


class ModelError(ValueError):
    """The model cannot be loaded, which concerns all files."""


class Session:
    """Answers files one after the other and writes what was asked for; keeps nothing of them.

    Args:
        config: of the command.

    Raises:
        ValueError: for options that cannot be followed.

    Attributes:
        failed: files that could not be answered, or whose outputs could not be written.
        differing: answers that differ from what was expected.
        remarks: outputs of the last file that could not be written, in sentences.
    """

    def __init__(self, config: PredictConfig) -> None:
        self.config = config
        self.failed = self.differing = 0
        self.remarks: list[str] = []
        self.names: dict[str, int] = {}
        self.steps = _steps(config)
        for folder in (config.overlay, config.report, config.export):
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
        self.files = ExitStack()
        self.csv_table = None if config.csv is None else self._open_csv(Path(config.csv))

    @cached_property
    def classifier(self) -> SymmetryClassifier:
        """Loaded with the first image that can be read."""
        from equisym.predict.classifier import SymmetryClassifier

        try:
            return SymmetryClassifier.from_pretrained(self.config.model)
        except ValueError as error:
            raise ModelError(str(error)) from None

    @cached_property
    def expectation(self) -> Any:
        """What ``--expect`` says, or ``None``."""
        from equisym.predict.expectation import Expectation

        return None if self.config.expect is None else Expectation.parse(self.config.expect)

    def answer(self, file: str) -> str | dict[str, Any]:
        """The line of one file: text, or what JSON shall hold.

        Raises:
            ValueError, OSError: if it cannot be read or answered.
        """
        self.remarks = []
        image = self.prepare(file)
        if self.config.map:
            return self._map(image, file)
        result = self.predict(image)
        compared = () if self.expectation is None else self.expectation.compare(result)
        self.differing += not all(c.agrees for c in compared)
        self._write(file, image, result, compared)
        return self._line(file, result, compared)

    def predict(self, image: ImageFile) -> Prediction:
        """The answer about one prepared image."""
        options = {name: getattr(self.config, name) for name in ("tolerance", "distortion")}
        given = {name: value for name, value in options.items() if value is not None}
        result = self.classifier.predict(image.pixels, pixel_size=image.pixel_size, **given)
        if self.config.calibration_error:
            result = replace(result, calibration_error=self.config.calibration_error)
        return result

    def prepare(self, file: str) -> ImageFile:
        """A file's image after rectification, region and flattening."""
        image = read_image(file, max_bytes=int(self.config.max_gib * 2**30))
        image = replace(image, pixel_size=self.config.pixel_sides() or image.pixel_size)
        for step in self.steps:
            image = step(image)
        return image

    def close(self) -> None:
        """Finish the files that hold all answers."""
        self.files.close()

    @cached_property
    def page(self) -> FolderReport:
        """The report on all images."""
        from equisym.predict.folder_report import FolderReport

        assert self.config.report is not None
        return self.files.enter_context(FolderReport(Path(self.config.report) / "report.html"))

    def _open_csv(self, path: Path) -> csv.DictWriter:
        from equisym.predict.table import COLUMNS

        table = csv.DictWriter(self.files.enter_context(path.open("w", newline="", encoding="utf-8")), COLUMNS)
        table.writeheader()
        return table

    def _line(self, file: str, result: Prediction, compared: tuple[Comparison, ...]) -> str | dict[str, Any]:
        from equisym.predict.expectation import as_dict
        from equisym.predict.table import table_row

        if self.config.json:
            return {"file": file} | result.to_dict() | ({"expected": as_dict(compared)} if compared else {})
        return "; ".join([table_row(result, file), *map(str, compared)])

    def _map(self, image: ImageFile, file: str) -> str | dict[str, Any]:
        """The groups of an image's windows; the picture goes to the folder of overlays."""
        config = self.config
        sides = {"window": config.window, "step": config.step, "pixel_size": image.pixel_size}
        found = self.classifier.map(image.pixels, **sides)
        if config.overlay is not None:
            from equisym.predict.map_picture import draw_map

            path = Path(config.overlay) / f"{distinct_stem(file, self.names)}-map.png"
            self._try(lambda: draw_map(image.pixels, found, title=image.source).savefig(path, dpi=200), "map")
        return {"file": file} | found.to_dict() if config.json else f"{found.vote}  {file}"

    def _write(self, file: str, image: ImageFile, result: Prediction, compared: tuple[Comparison, ...]) -> None:
        """Everything but the line on the screen; one that fails does not stop the others."""
        config = self.config
        if (table := self.csv_table) is not None:
            from equisym.predict.table import csv_row

            self._try(lambda: table.writerow(csv_row(result, file, "; ".join(map(str, compared)))), "csv")
        if config.report is not None:
            self._try(lambda: self.page.add(file, image.pixels, result, compared), "report")
        if config.overlay is None and config.export is None:
            return
        name = distinct_stem(file, self.names)
        if config.overlay is not None:
            from equisym.predict.overlay import draw_overlay

            path = Path(config.overlay) / f"{name}.png"
            self._try(lambda: draw_overlay(image.pixels, result, title=image.source).savefig(path, dpi=200), "overlay")
        if config.export is not None:
            from equisym.predict.export import export_answer

            self._try(lambda: export_answer(result, Path(config.export or "") / name, name=name), "export")

    def _try(self, write: Any, what: str) -> None:
        try:
            write()
        except Exception as error:  # a full disc, a name that no disc takes, a picture that cannot be drawn
            self.failed += not self.remarks
            self.remarks.append(f"{what} not written: {one_line(error)}")


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
        steps.append(lambda image: replace(image, pixels=_cut(image.pixels, region)))
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


def _cut(pixels: Any, region: Any) -> Any:
    """The region's rectangle, without what lies outside of a polygon."""
    part = region.cut(pixels)
    if region.rectangle:
        return part
    outside = ~region.in_cut(pixels.shape).mask(part.shape)
    return np.ma.MaskedArray(part, np.broadcast_to(outside if part.ndim == 2 else outside[..., None], part.shape))
