"""The algebra: point groups of the plane, their representations, and the 17 wallpaper groups. No torch layers."""

from equisym.groups.operation import Operation
from equisym.groups.point_group import C, D, PointGroup
from equisym.groups.wallpaper import (
    CRYSTAL_CLASSES,
    CRYSTAL_FAMILIES,
    ROTATION_ORDERS,
    WALLPAPER_GROUPS,
    WallpaperGroup,
    WallpaperGroups,
    identify,
)

__all__ = [
    "CRYSTAL_CLASSES",
    "CRYSTAL_FAMILIES",
    "ROTATION_ORDERS",
    "WALLPAPER_GROUPS",
    "C",
    "D",
    "Operation",
    "PointGroup",
    "WallpaperGroup",
    "WallpaperGroups",
    "identify",
]
