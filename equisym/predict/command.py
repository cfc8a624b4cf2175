"""The command ``equisym-predict``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from equisym.command_line import run_command

if TYPE_CHECKING:
    from equisym.data.readers import ImageFile
    from equisym.predict.prediction import Prediction

_COLUMNS = f"{'group':6} {'prob.':>5} {'class':5} {'a':>13} {'b':>13} {'angle':>10} {'strain':>6}  file"


@dataclass(frozen=True)
class PredictConfig:
    """Say which of the 17 wallpaper groups each periodic image has, with its lattice, or why that cannot be said.

    Attributes:
        images: image files (png, jpg, tif, npy, npz, h5; with ncempy dm3, dm4, emd, mrc, ser) or folders of them;
            FILE#NAME picks an array of a file, FILE#3 an image of a stack.
        model: symnet, crystal, or a .safetensors file; the best model that is installed if not given.
        json: print one line of JSON for each image, with all operations and residuals, instead of a table.
        overlay: folder for a picture of each answer, with cell and symmetry elements.
        pixel_size: in nanometres, for files that do not say it.
    """

    images: list[str]
    model: str | None = None
    json: bool = False
    overlay: str | None = None
    pixel_size: float | None = None

    def __post_init__(self) -> None:
        if self.pixel_size is not None and not 0 < self.pixel_size < float("inf"):
            raise ValueError(f"pixel_size must be positive nanometres (got {self.pixel_size})")


def main() -> None:
    """Name the symmetry of images."""
    run_command(PredictConfig, _predict, prog="equisym-predict", positional=("images",))


def _predict(config: PredictConfig) -> None:
    from tqdm import tqdm

    from equisym.data.readers import read_image
    from equisym.predict.classifier import SymmetryClassifier

    classifier = SymmetryClassifier.from_pretrained(config.model)
    folder = None if config.overlay is None else Path(config.overlay)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    files = _files(config.images)
    if not config.json:
        print(_COLUMNS)
    failed, taken = 0, set()
    for file in tqdm(files, unit="image", delay=2, disable=len(files) < 2 or not sys.stderr.isatty()):
        try:
            image = read_image(file)
            result = classifier.predict(image.pixels, pixel_size=image.pixel_size or config.pixel_size)
        except (ValueError, OSError) as error:
            failed += 1
            message = str(error) if str(error).startswith(file.partition("#")[0]) else f"{file}: {error}"
            tqdm.write(f"equisym-predict: {' '.join(message.split())}", file=sys.stderr)
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
