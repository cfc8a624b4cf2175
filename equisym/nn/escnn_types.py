"""Field types of escnn and e2cnn as ours, channel by channel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equisym.groups import O2, SO2, C, D, Group, Irrep, Representation
from equisym.groups.coset_action import recognised
from equisym.groups.representation import decompose
from equisym.nn.field_type import FieldType


def field_type(theirs: Any) -> FieldType:
    """Convert a field type. Every representation keeps their basis, so that channels agree one by one.

    Raises:
        NotImplementedError: for fields of a group that is not one of the plane, or a plane with another mirror.
    """
    group = group_of(theirs.gspace)
    known: dict[str, Representation] = {}
    for rep in theirs.representations:
        if rep.name not in known:
            known[rep.name] = representation(rep, group)
    return FieldType(group, tuple(known[rep.name] for rep in theirs.representations))


def group_of(space: Any) -> Group:
    """The group of a space of theirs; the flips alone they call C2, on a space with mirrors."""
    theirs, mirror = space.fibergroup, _mirror(space)
    name = type(theirs).__name__
    if name == "SO2":
        return SO2
    if name == "O2":
        return O2
    if name == "DihedralGroup":
        return D(theirs.rotation_order, axis=mirror or 0.0)
    if name == "CyclicGroup" and mirror is not None:
        return D(1, axis=mirror)
    if name == "CyclicGroup":
        return C(theirs.order())
    raise NotImplementedError(f"cannot import fields of {theirs}: C_n, D_n, SO(2) and O(2) are known here")


def _mirror(space: Any) -> float | None:
    """Degrees from the vertical to their mirror line, if there is one; they count from the horizontal."""
    subgroup = getattr(space, "_sg_id", None)  # escnn: twice the angle, and the number of rotations
    if isinstance(subgroup, tuple) and len(subgroup) == 2:
        axis = None if subgroup[0] is None else subgroup[0] / 2
    else:
        axis = getattr(space, "axis", None)
    degrees = None if axis is None else (math.degrees(float(axis)) - 90) % 180
    return None if degrees is None else round(degrees, 9) % 180


def representation(rep: Any, group: Group) -> Representation:
    """Convert a representation; the trivial one, irreps and the regular one become those of the library."""
    parts = tuple(_irrep(rep, group, at) for at in range(len(rep.irreps)))
    basis = np.array(rep.change_of_basis, dtype=float)
    name = f"imported({rep.name})"
    if np.allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-5):
        ours = Representation(group, parts, _nearest_orthogonal(basis), name)
    else:
        back, top = np.linalg.inv(basis), max(part.frequency for part in parts)
        plain = Representation(group, parts, np.eye(len(basis)), name)
        ours = decompose(group, lambda angle, flip: basis @ plain.at(angle, flip) @ back, name, top)
    return recognised(ours)


def _nearest_orthogonal(basis: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(basis)
    return left @ right


def _irrep(rep: Any, group: Group, at: int) -> Irrep:
    part = rep.irreps[at]
    if isinstance(part, str):  # e2cnn names its irreps irrep_k and irrep_j,k
        numbers = tuple(int(n) for n in part.removeprefix("irrep_").split(","))
    else:
        numbers = tuple(part)
    if not group.mirrors:
        return Irrep(group, numbers[0])
    if len(numbers) == 1:  # of the flips alone: kept or changed in sign
        return Irrep(group, 0, odd=numbers[0] == 1)
    flip, frequency = numbers
    own = Irrep(group, frequency)
    return Irrep(group, frequency, odd=own.size == 1 and flip == 1)
