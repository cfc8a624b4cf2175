"""Generated wallpaper images: patterns with exact symmetry, the label guard, and datasets."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equisym.data.batch import images
    from equisym.data.bravais import Cell, draw_cell
    from equisym.data.corruptions import CORRUPTIONS, Corruption
    from equisym.data.dataset import WallpaperDataset
    from equisym.data.degradation import Degradation
    from equisym.data.labelled import LabelledImages, fingerprint, open_labelled
    from equisym.data.pattern import FAMILIES, VERSION_OF_DRAWS, Pattern, PatternOptions, draw_pattern, render
    from equisym.data.photographs import Photographs
    from equisym.data.published import PublishedDataset
    from equisym.data.transforms import TRANSFORMS, Inputs


__all__ = [
    "CORRUPTIONS",
    "FAMILIES",
    "TRANSFORMS",
    "VERSION_OF_DRAWS",
    "Cell",
    "Corruption",
    "Degradation",
    "Inputs",
    "LabelledImages",
    "Pattern",
    "PatternOptions",
    "Photographs",
    "PublishedDataset",
    "WallpaperDataset",
    "draw_cell",
    "draw_pattern",
    "fingerprint",
    "images",
    "open_labelled",
    "render",
]

_HOMES = {
    "CORRUPTIONS": "corruptions",
    "Cell": "bravais",
    "Corruption": "corruptions",
    "Degradation": "degradation",
    "FAMILIES": "pattern",
    "Inputs": "transforms",
    "LabelledImages": "labelled",
    "Pattern": "pattern",
    "PatternOptions": "pattern",
    "Photographs": "photographs",
    "PublishedDataset": "published",
    "TRANSFORMS": "transforms",
    "VERSION_OF_DRAWS": "pattern",
    "WallpaperDataset": "dataset",
    "draw_cell": "bravais",
    "draw_pattern": "pattern",
    "fingerprint": "labelled",
    "images": "batch",
    "open_labelled": "labelled",
    "render": "pattern",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # loaded when asked for: the readers need no torch
        return getattr(import_module(f"equisym.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'equisym.data' has no attribute {name!r}")
