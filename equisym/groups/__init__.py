"""The algebra: point groups of the plane, their representations, and the 17 wallpaper groups. No torch layers."""

from equisym.groups.continuous import O2, SO2, ContinuousGroup, Group, is_subgroup
from equisym.groups.coset_action import induced, on_parts, quotient, regular
from equisym.groups.irreducible import Irrep, irreps
from equisym.groups.operation import Operation
from equisym.groups.point_group import C, D, PointGroup
from equisym.groups.representation import Representation, direct_sum, irrep, trivial, vector
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
    "O2",
    "ROTATION_ORDERS",
    "SO2",
    "WALLPAPER_GROUPS",
    "C",
    "ContinuousGroup",
    "D",
    "Group",
    "Irrep",
    "Operation",
    "PointGroup",
    "Representation",
    "WallpaperGroup",
    "WallpaperGroups",
    "direct_sum",
    "identify",
    "induced",
    "irrep",
    "irreps",
    "is_subgroup",
    "on_parts",
    "quotient",
    "regular",
    "trivial",
    "vector",
]
