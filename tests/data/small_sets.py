"""Small generated sets, as data sets and as files."""

from pathlib import Path

from equisym.data import WallpaperDataset
from equisym.data.generate import generate

COUNT, SIZE = 40, 16


def datasets(families=("atom", "noise"), **changes) -> dict[str, WallpaperDataset]:
    options = {"size": SIZE, "seed": 5, "min_cell": 8.0} | changes
    return {family: WallpaperDataset(family, COUNT, **options) for family in families}


def write(out: Path, file_format: str, **options) -> list[Path]:
    return generate(out, datasets(), file_format=file_format, **{"block": 6, "progress": False} | options)
