"""The command ``equisym-predict``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from equisym.command_line import run_command
from equisym.predict.options import PredictConfig

if TYPE_CHECKING:
    from equisym.predict.session import Session


def main() -> None:
    """Name the symmetry of images."""
    run_command(PredictConfig, _predict, prog="equisym-predict", positional=("images",))


def _predict(config: PredictConfig) -> None:
    from equisym.predict.session import Session

    session = Session(config)  # wrong options are told before anything heavy is loaded
    if config.serve:
        from equisym.predict.web import serve

        serve(config.model, port=config.port)
        return
    try:
        _answer_all(config, session)
    finally:
        session.close()
    if session.failed:
        sys.exit(2)
    if session.differing:
        sys.exit(1)


def _answer_all(config: PredictConfig, session: Session) -> None:
    """One line for each file; a file that fails is named on stderr, and the rest go on."""
    from tqdm import tqdm

    from equisym.predict.file_list import find_images
    from equisym.predict.session import ModelError
    from equisym.predict.table import HEADING

    files = find_images(config.images)
    if not config.json:
        print(HEADING, flush=True)
    for file in tqdm(files, unit="image", delay=2, disable=len(files) < 2 or not sys.stderr.isatty()):
        try:
            line = session.answer(file)
        except (BrokenPipeError, KeyboardInterrupt, ModelError):
            raise
        except Exception as error:  # whatever one file does, the others are answered
            session.failed += 1
            text = " ".join(str(error).split()) or type(error).__name__
            named = text.startswith(file.partition("#")[0])
            tqdm.write(f"equisym-predict: {'' if named else f'{file}: '}{text}", file=sys.stderr)
            continue
        line = (
            json.dumps({"file": file} | result.to_dict(), allow_nan=False) if config.json else table_row(result, file)
        )
        tqdm.write(line, file=sys.stdout)
        if folder is not None:
            _save(folder, file, image, result, taken)
    if failed:
        sys.exit(2)


def _files(names: list[str]) -> list[str]:
    """The files named, folders replaced by the images in them."""
    from equisym.data.readers import SUFFIXES

    files: list[str] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(str(p) for p in path.iterdir() if p.suffix.lower().removeprefix(".") in SUFFIXES)
            if not inside:
                raise ValueError(f"{name}: no image in this folder; images end in {', '.join(SUFFIXES)}")
            files += inside
        else:
            files.append(name)
    return files


def table_row(result: Prediction, file: str) -> str:
    """One line of the table."""
    if result.group is None:
        return f"{'-':6} {result} | {file}"
    from equisym.predict.overlay import with_error

    k, scale = result.constants, result.pixel_size or 1.0
    a, b = (with_error(k[n] * scale, k[f"{n}_error"] * scale) for n in ("a", "b"))
    unit = " nm" if result.pixel_size else " px"
    angle = with_error(k["gamma"], k["gamma_error"])
    row = f"{result.group:6} {result.probabilities[result.group]:5.3f} {result.crystal_class:5} {a + unit:>13}"
    row += f" {b + unit:>13} {angle:>10} {100 * (result.strain or 0):5.1f}%  {file}"
    return "; ".join([row, *result.remarks, *result.notes])


def _save(folder: Path, file: str, image: ImageFile, result: Prediction, taken: set[str]) -> None:
    """Write the picture under the image's name, numbered if two images share it."""
    from equisym.predict.overlay import draw_overlay

    stem = Path(file.partition("#")[0]).stem
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    draw_overlay(image.pixels, result, title=image.source).savefig(folder / f"{name}.png", dpi=200)
