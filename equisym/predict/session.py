"""One call of the command: how each image is processed, and where the answers go."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equisym.data.readers import ImageFile
from equisym.data.readers.formats import is_image_name
from equisym.plain_text import one_line, printable
from equisym.predict.file_answers import Answering, FileAnswer
from equisym.predict.file_list import distinct_stem

if TYPE_CHECKING:
    from equisym.predict.expectation import Comparison
    from equisym.predict.folder_report import FolderReport
    from equisym.predict.map import SymmetryMap
    from equisym.predict.options import PredictConfig
    from equisym.predict.prediction import Prediction


class Session:
    """Answers files one after the other and writes what was asked for; keeps nothing of them.

    Args:
        config: of the command.

    Raises:
        ValueError: for options that cannot be followed.

    Attributes:
        failed: files that could not be answered, or whose outputs could not be written.
        differing: answers that differ from what was expected.
        warnings: of those who read the last file, in sentences.
        unwritten: outputs of the last file that could not be written, in sentences.
    """

    def __init__(self, config: PredictConfig) -> None:
        self.config = config
        self.failed = self.differing = 0
        self.warnings: tuple[str, ...] = ()
        self.unwritten: list[str] = []
        self.names: dict[str, int] = {}
        self.answering = Answering(config)
        for folder in (config.overlay, config.report, config.export):
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
        self.open: dict[str, Callable[[], None]] = {}  # files that hold all answers, and how to finish them
        self.csv_table = None if config.csv is None else self._open_csv(Path(config.csv))

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
        return self.record(file, self.answering.answer(file))

    def record(self, file: str, found: FileAnswer) -> str | dict[str, Any]:
        """The line of a file that was answered; everything else that was asked for is written."""
        self.warnings, self.unwritten = found.warnings, []
        compared = () if self.expectation is None else self.expectation.compare(found.result)
        self.differing += not all(c.agrees for c in compared)
        self._write(file, found.image, found.result, compared, found.map)
        return self._line(file, found.result, compared, found.map)

    def close(self) -> None:
        """Finish the files that hold all answers.

        Raises:
            ValueError: naming those that cannot be finished.
        """
        wrong = []
        for path, close in self.open.items():
            try:
                close()
            except OSError as error:
                wrong.append(f"{path}: {error.strerror or error}")
        if wrong:
            raise ValueError("; ".join(wrong))

    @cached_property
    def page(self) -> FolderReport:
        """The report on all images."""
        from equisym.predict.folder_report import FolderReport

        assert self.config.report is not None
        path = Path(self.config.report) / "report.html"
        page = FolderReport(path)
        self.open[str(path)] = page.close
        return page

    def _open_csv(self, path: Path) -> Callable[[dict[str, Any]], None]:
        """Open a table; the function writes a row, to the disc at once."""
        from equisym.predict.table import COLUMNS

        if is_image_name(path.name):
            raise ValueError(f"csv must not have the name of an image, which the table would replace (got {path})")
        file = path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self.open[str(path)] = file.close
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()

        def write(row: dict[str, Any]) -> None:
            table.writerow(row)
            file.flush()

        return write

    def _line(
        self, file: str, result: Prediction, compared: tuple[Comparison, ...], found: SymmetryMap | None
    ) -> str | dict[str, Any]:
        from equisym.predict.expectation import as_dict
        from equisym.predict.table import table_row

        if self.config.json:
            said = result.to_dict() if found is None else found.to_dict() | {"notes": list(result.notes)}
            roi = {} if self.config.roi is None else {"roi": self.config.roi}
            return {"file": file} | roi | said | ({"expected": as_dict(compared)} if compared else {})
        return "; ".join([table_row(result, file), *map(str, compared)])

    def _write(
        self,
        file: str,
        image: ImageFile,
        result: Prediction,
        compared: tuple[Comparison, ...],
        found: SymmetryMap | None,
    ) -> None:
        """Everything but the line on the screen; one that fails does not stop the others."""
        config = self.config
        if (write := self.csv_table) is not None:
            from equisym.predict.table import csv_row

            self._try(lambda: write(csv_row(result, file, "; ".join(map(str, compared)))), "csv")
        if config.report is not None:
            self._try(lambda: self.page.add(file, image.pixels, result, compared), "report")
        if config.overlay is None and config.export is None:
            return
        name = distinct_stem(file, self.names)
        if config.overlay is not None:
            folder = Path(config.overlay)
            self._try(lambda: _draw(image, result, found, folder / name), "overlay")
        if config.export is not None:
            from equisym.predict.export import export_answer

            self._try(lambda: export_answer(result, Path(config.export or "") / name, name=name), "export")

    def _try(self, write: Any, what: str) -> None:
        try:
            write()
        except Exception as error:  # a full disc, a name that no disc takes, a picture that cannot be drawn
            self.failed += not self.unwritten
            self.unwritten.append(f"{what} not written: {one_line(error)}")


def _draw(image: ImageFile, result: Prediction, found: SymmetryMap | None, path: Path) -> None:
    """The picture of an answer, or of a map."""
    from equisym.predict.map_picture import draw_map
    from equisym.predict.overlay import draw_overlay

    title = printable(image.source)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in letters that the font lacks
        if found is None:
            draw_overlay(image.pixels, result, title=title).savefig(f"{path}.png", dpi=200)
        else:
            draw_map(image.pixels, found, title=title).savefig(f"{path}-map.png", dpi=200)
