"""Generated wallpaper images: patterns with exact symmetry, the label guard, and datasets."""

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
