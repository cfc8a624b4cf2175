"""The 17 wallpaper groups in the standard settings of the International Tables for Crystallography A."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from equisym.groups.operation import Operation, matrix_product
from equisym.groups.point_group import C, D, PointGroup

_P4 = "x,y -x,-y -y,x y,-x"
_P3 = "x,y -y,x-y -x+y,-x"
_P6 = _P3 + " -x,-y y,-x+y x-y,x"
_M1 = " -y,-x -x+y,y x,x-y"
_1M = " y,x x-y,-y -x,-x+y"

# name, number in the International Tables, crystal family, point group, coordinate triplets of one cell
_TABLE: tuple[tuple[str, str, PointGroup, str], ...] = (
    ("p1", "oblique", C(1), "x,y"),
    ("p2", "oblique", C(2), "x,y -x,-y"),
    ("pm", "rectangular", D(1), "x,y -x,y"),
    ("pg", "rectangular", D(1), "x,y -x,y+1/2"),
    ("cm", "rectangular", D(1), "x,y -x,y x+1/2,y+1/2 -x+1/2,y+1/2"),
    ("pmm", "rectangular", D(2), "x,y -x,-y -x,y x,-y"),
    ("pmg", "rectangular", D(2), "x,y -x,-y -x+1/2,y x+1/2,-y"),
    ("pgg", "rectangular", D(2), "x,y -x,-y -x+1/2,y+1/2 x+1/2,-y+1/2"),
    ("cmm", "rectangular", D(2), "x,y -x,-y -x,y x,-y x+1/2,y+1/2 -x+1/2,-y+1/2 -x+1/2,y+1/2 x+1/2,-y+1/2"),
    ("p4", "square", C(4), _P4),
    ("p4m", "square", D(4), _P4 + " -x,y x,-y y,x -y,-x"),
    ("p4g", "square", D(4), _P4 + " -x+1/2,y+1/2 x+1/2,-y+1/2 y+1/2,x+1/2 -y+1/2,-x+1/2"),
    ("p3", "hexagonal", C(3), _P3),
    ("p3m1", "hexagonal", D(3), _P3 + _M1),
    ("p31m", "hexagonal", D(3), _P3 + _1M),
    ("p6", "hexagonal", C(6), _P6),
    ("p6m", "hexagonal", D(6), _P6 + _M1 + _1M),
)
_CLASS_NAMES = {1: "m", 2: "2mm", 3: "3m", 4: "4mm", 6: "6mm"}

ROTATION_ORDERS = (1, 2, 3, 4, 6)
"""The coarsest level of the hierarchy: the highest rotation order of a group."""
CRYSTAL_CLASSES = ("1", "m", "2", "2mm", "4", "4mm", "3", "3m", "6", "6mm")
"""The ten point groups of wallpaper groups, the middle level of the hierarchy."""
CRYSTAL_FAMILIES = ("oblique", "rectangular", "square", "hexagonal")
"""Shapes of the conventional cell."""


@dataclass(frozen=True)
class WallpaperGroup:
    """One of the 17 plane groups.

    Attributes:
        name: short symbol, such as ``"p4g"``.
        label: class index 0..16; the number in the International Tables is ``label + 1``.
        family: crystal family of its lattice: oblique, rectangular, square or hexagonal (axes at 120 degrees).
        point_group: its rotations and mirrors, as an abstract point group.
        operations: the operations of one conventional cell, centring included, in the tables' order.
    """

    name: str
    label: int = field(compare=False)
    family: str = field(compare=False, repr=False)
    point_group: PointGroup = field(compare=False, repr=False)
    operations: tuple[Operation, ...] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def number(self) -> int:
        """Number in the International Tables, 1..17."""
        return self.label + 1

    @property
    def order(self) -> int:
        """Operations in one conventional cell (8 for cmm, which is centred)."""
        return len(self.operations)

    @property
    def centred(self) -> bool:
        """Whether the conventional cell holds two lattice points (cm, cmm)."""
        return self.name.startswith("c")

    @property
    def bravais(self) -> str:
        """Oblique, rectangular, centred rectangular, square or hexagonal."""
        return "centred rectangular" if self.centred else self.family

    @property
    def rotation_order(self) -> int:
        """Highest order of a rotation, 1, 2, 3, 4 or 6."""
        return self.point_group.n

    @property
    def crystal_class(self) -> str:
        """Name of the point group, one of 1 m 2 2mm 4 4mm 3 3m 6 6mm."""
        return _CLASS_NAMES[self.rotation_order] if self.point_group.mirrors else str(self.rotation_order)

    @property
    def rotation_family(self) -> int:
        """The coarsest split into three: 0 without rotations, 1 for 2- and 4-fold, 2 for 3- and 6-fold rotations."""
        return {1: 0, 2: 1, 4: 1, 3: 2, 6: 2}[self.rotation_order]

    @cached_property
    def primitive_basis(self) -> NDArray[np.float64]:
        """Columns: a primitive basis in conventional fractional coordinates, shape (2, 2)."""
        return np.array([[0.5, -0.5], [0.5, 0.5]]) if self.centred else np.eye(2)

    @cached_property
    def primitive_operations(self) -> tuple[Operation, ...]:
        """One operation for each element of the point group, in the primitive basis."""
        if not self.centred:
            return self.operations
        found: dict[tuple, Operation] = {}
        for op in self.operations:
            # P^-1 = [[1, 1], [-1, 1]]; the linear part stays integral because the lattice is preserved
            W = np.array([[1, 1], [-1, 1]]) @ np.array(op.W) @ self.primitive_basis
            rows = tuple(tuple(round(float(k)) for k in row) for row in W)
            u, v = op.w
            found.setdefault(rows, Operation(rows, (u + v, v - u)))  # pyright: ignore[reportArgumentType]
        return tuple(found.values())

    @cached_property
    def translation_subgroups(self) -> frozenset[str]:
        """Names of the groups reached by dropping operations and keeping every translation, itself included."""
        return frozenset(identify(ops).name for ops in _subgroups(self.primitive_operations))

    def is_subgroup_of(self, other: WallpaperGroup) -> bool:
        """Whether this group is ``other`` with operations dropped, on the same lattice of translations."""
        return self.name in other.translation_subgroups

    @property
    def supergroups(self) -> tuple[WallpaperGroup, ...]:
        """The groups that contain this one on the same lattice, itself excluded."""
        return tuple(g for g in WALLPAPER_GROUPS if g != self and self.is_subgroup_of(g))

    @property
    def subgroups(self) -> tuple[WallpaperGroup, ...]:
        """The groups that this one contains on the same lattice, itself excluded."""
        return tuple(g for g in WALLPAPER_GROUPS if g != self and g.is_subgroup_of(self))


class WallpaperGroups(tuple[WallpaperGroup, ...]):
    """The 17 groups in label order; indexed by label or by name."""

    def __getitem__(self, key):  # type: ignore[override]
        if not isinstance(key, str):
            return super().__getitem__(key)
        for group in self:
            if group.name == key:
                return group
        raise KeyError(f"{key!r} is not a wallpaper group: use one of {' '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The 17 short symbols in label order."""
        return tuple(g.name for g in self)


def identify(operations: Iterable[Operation]) -> WallpaperGroup:
    """Identify the wallpaper group of a set of operations, from its rotations and the kinds of its reflection lines.

    Args:
        operations: one operation for each element of the point group, in any primitive basis and with any origin.

    Returns:
        The group of that type.

    Raises:
        ValueError: if no wallpaper group has these operations.
    """
    operations = list(operations)
    rotation = max(op.rotation_order for op in operations if op.determinant > 0)
    lines = sorted(_line_type(op) for op in operations if op.determinant < 0)
    if rotation == 3 and lines:
        return WALLPAPER_GROUPS["p31m" if _keeps_a_shortest_vector(operations) else "p3m1"]
    name = {
        (1, ""): "p1", (1, "m"): "pm", (1, "g"): "pg", (1, "c"): "cm",
        (2, ""): "p2", (2, "mm"): "pmm", (2, "gm"): "pmg", (2, "gg"): "pgg", (2, "cc"): "cmm",
        (4, ""): "p4", (4, "ccmm"): "p4m", (4, "ccgg"): "p4g",
        (3, ""): "p3", (6, ""): "p6", (6, "cccccc"): "p6m",
    }.get((rotation, "".join(lines)))  # fmt: skip
    if name is None:
        raise ValueError(f"no wallpaper group has these operations: {' '.join(map(str, operations))}")
    return WALLPAPER_GROUPS[name]


def _line_type(op: Operation) -> str:
    """m: mirrors only, g: glides only, c: both alternate (the lattice is centred with respect to the line)."""
    (a, b), (c, d) = op.W
    moved = ((a + 1, c), (b, d + 1))  # (1 + W) e for the two basis vectors: multiples of one primitive vector
    x, y = next(m for m in moved if m != (0, 0))
    along = math.gcd(x, y)
    primitive = (x // along, y // along)
    steps = {abs(m[0] // primitive[0] if primitive[0] else m[1] // primitive[1]) for m in moved if m != (0, 0)}
    if math.gcd(*steps) == 1:
        return "c"
    glide = op.intrinsic_translation
    ratio = glide[0] / primitive[0] if primitive[0] else glide[1] / primitive[1]
    return "m" if ratio % 1 == 0 else "g"


def _keeps_a_shortest_vector(operations: list[Operation]) -> bool:
    """Whether a mirror of a 3-fold group runs along a shortest lattice vector (p31m) rather than between two."""
    rotation = next(np.array(op.W) for op in operations if op.rotation_order == 3)
    mirror = next(np.array(op.W) for op in operations if op.determinant < 0)
    moved = np.eye(2, dtype=int) + mirror  # its columns run along the mirror
    along = moved[:, 0] if moved[:, 0].any() else moved[:, 1]
    along = along // np.gcd(*along)
    # A shortest vector and its turned image span the lattice; the next longer kind spans a third of its points.
    return round(abs(np.linalg.det(np.stack([along, rotation @ along])))) == 1


def _subgroups(operations: tuple[Operation, ...]) -> list[tuple[Operation, ...]]:
    """All subgroups of the group of operations modulo translations; two generators suffice in the plane."""
    place = {op.W: i for i, op in enumerate(operations)}  # modulo translations, the linear part says which it is
    table = [[place[matrix_product(g.W, h.W)] for h in operations] for g in operations]
    found = {frozenset([0])}
    for pair in combinations_with_replacement(range(len(operations)), 2):
        members = {0, *pair}
        while (grown := members | {table[g][h] for g in members for h in members}) != members:
            members = grown
        found.add(frozenset(members))
    return [tuple(sorted((operations[i] for i in s), key=str)) for s in found]


def _group(label: int, row: tuple[str, str, PointGroup, str]) -> WallpaperGroup:
    name, family, point_group, triplets = row
    return WallpaperGroup(name, label, family, point_group, tuple(Operation.parse(t) for t in triplets.split()))


WALLPAPER_GROUPS = WallpaperGroups(_group(label, row) for label, row in enumerate(_TABLE))
"""The 17 groups in label order; ``WALLPAPER_GROUPS["p4g"]`` finds one by name."""
