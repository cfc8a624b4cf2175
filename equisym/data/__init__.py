"""Generated wallpaper images: patterns with exact symmetry, the label guard, and datasets."""

from equisym.data.batch import images
from equisym.data.bravais import Cell, draw_cell
from equisym.data.corruptions import CORRUPTIONS, Corruption
from equisym.data.dataset import WallpaperDataset
from equisym.data.degradation import Degradation
from equisym.data.pattern import FAMILIES, Pattern, PatternOptions, draw_pattern, render
from equisym.data.photographs import Photographs
from equisym.data.published import PublishedDataset
from equisym.data.transforms import TRANSFORMS, Inputs

VERSION_OF_DRAWS = 2  # the same seed gives the same images as long as this stands

__all__ = [
    "CORRUPTIONS",
    "FAMILIES",
    "TRANSFORMS",
    "Cell",
    "Corruption",
    "Degradation",
    "Inputs",
    "Pattern",
    "PatternOptions",
    "Photographs",
    "PublishedDataset",
    "WallpaperDataset",
    "draw_cell",
    "draw_pattern",
    "images",
    "render",
]
