"""Generated wallpaper images: patterns with exact symmetry, the label guard, and datasets."""

from equisym.data.cell import Cell, draw_cell
from equisym.data.dataset import WallpaperDataset
from equisym.data.pattern import FAMILIES, Pattern, PatternOptions, draw_pattern, render
from equisym.data.photographs import Photographs

__all__ = [
    "FAMILIES",
    "Cell",
    "Pattern",
    "PatternOptions",
    "Photographs",
    "WallpaperDataset",
    "draw_cell",
    "draw_pattern",
    "render",
]
