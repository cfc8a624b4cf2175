"""Field types: which representation acts on which channels of a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby

import torch
from torch import Tensor

from equisym.groups import Group, PointGroup, Representation, is_subgroup, regular
from equisym.groups.representation import angle_and_flip, direct_sum
from equisym.nn.action import move_pixels
from equisym.nn.arguments import check_real


@dataclass(frozen=True)
class FieldType:
    """The fields of a feature map, in channel order. Layers take it as an argument; tensors do not carry it.

    Args:
        group: C_n, D_n, SO(2) or O(2).
        fields: one representation of the group for each field.

    Attributes:
        size: channels of a tensor of this type.
        starts: first channel of each field.
        distinct: each different representation with the first channels of its fields, in order of first occurrence.

    Raises:
        ValueError: if there is no field, or one is of another group.

    >>> from equisym.groups import C, irrep, regular
    >>> FieldType.of((4, regular(C(8))), (2, irrep(C(8), 1)))
    FieldType(C(8), 4 x regular(C(8)) + 2 x irrep(C(8), 1))
    >>> FieldType.regular(C(4), 3).size
    12
    """

    group: Group
    fields: tuple[Representation, ...]
    size: int = field(init=False, compare=False, repr=False)
    starts: tuple[int, ...] = field(init=False, compare=False, repr=False)
    distinct: tuple[tuple[Representation, tuple[int, ...]], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        if not self.fields:
            raise ValueError(f"fields must hold at least one representation of {self.group} (got none)")
        for rep in self.fields:
            if rep.group != self.group:
                raise ValueError(f"every field must be a representation of {self.group} (got {rep} of {rep.group})")
        # plain attributes for torch.compile, which cannot enter the lock of a cached property
        ends = list(accumulate(rep.size for rep in self.fields))
        found: dict[Representation, list[int]] = {}
        for rep, end in zip(self.fields, ends, strict=True):
            found.setdefault(rep, []).append(end - rep.size)
        object.__setattr__(self, "size", ends[-1])
        object.__setattr__(self, "starts", (0, *ends[:-1]))
        object.__setattr__(self, "distinct", tuple((rep, tuple(starts)) for rep, starts in found.items()))

    @classmethod
    def of(cls, *counted: tuple[int, Representation]) -> FieldType:
        """A type from pairs of a number and a representation."""
        if not counted:
            raise ValueError("give at least one pair of a number and a representation")
        return cls(counted[0][1].group, tuple(rep for number, rep in counted for _ in range(number)))

    @classmethod
    def regular(cls, group: PointGroup, number: int) -> FieldType:
        """The type of the regular group layers: ``number`` regular fields."""
        return cls(group, (regular(group),) * number)

    def __str__(self) -> str:
        return " + ".join(f"{len(list(run))} x {rep}" for rep, run in groupby(self.fields))

    def __repr__(self) -> str:
        return f"FieldType({self.group!r}, {self})"

    def __len__(self) -> int:
        return len(self.fields)

    def __add__(self, other: FieldType) -> FieldType:
        return FieldType(self.group, self.fields + other.fields)

    @property
    def representation(self) -> Representation:
        """The representation on all channels at once."""
        return direct_sum(self.fields)

    def restrict(self, subgroup: Group) -> FieldType:
        """The same channels as fields of a subgroup.

        Raises:
            ValueError: if ``subgroup`` is not a subgroup of the group.
        """
        if not is_subgroup(subgroup, self.group):
            raise ValueError(f"{subgroup} is not a subgroup of {self.group}: cannot restrict this type to it")
        restricted = {rep: rep.restrict(subgroup) for rep, _ in self.distinct}
        return FieldType(subgroup, tuple(restricted[rep] for rep in self.fields))

    def split(self, parts: int) -> FieldType:
        """One of ``parts`` equal consecutive parts.

        Raises:
            ValueError: if the fields do not consist of that many equal parts.
        """
        length, rest = divmod(len(self.fields), parts)
        if rest or self.fields != self.fields[:length] * parts:
            raise ValueError(f"groups={parts} needs a type of {parts} equal parts (got {self})")
        return FieldType(self.group, self.fields[:length])

    def act(self, x: Tensor, g: int, *, group: PointGroup | None = None) -> Tensor:
        r"""Apply a group element to a feature map: to its channels by the representation, and to its pixels.

        .. math:: (g f)(x) = \rho(g)\, f(g^{-1} x)

        Args:
            x: feature map of this type, or vectors without pixels.
            g: element of ``group``.
            group: the type's own group, or one that it contains; needed for types of SO(2) and O(2).

        Shape:
            ``(B, size, H, W)``, ``(size, H, W)`` or ``(B, size)`` -> the same. Exact where g keeps the pixel grid, else
            bicubic.

        Raises:
            ValueError: if the group is not one that the type's contains, or the map has another number of channels.

        >>> from equisym.groups import C, vector
        >>> FieldType.of((1, vector(C(4)))).act(torch.tensor([[1.0, 0.0]]), 1).round() + 0.0
        tensor([[ 0., -1.]])
        """
        group = group or (self.group if isinstance(self.group, PointGroup) else None)
        if group is None or not is_subgroup(group, self.group):
            raise ValueError(f"{group} does not act on fields of {self.group}: give a point group that it contains")
        x = self.act_on_channels(x, *angle_and_flip(group, g))
        return move_pixels(x, g, group) if x.ndim > 2 else x

    def act_on_channels(self, x: Tensor, angle: float, flip: bool = False) -> Tensor:
        """Apply the representation of a rotation, after the left-right flip if asked, to the channels of ``x`` alone.

        Shape:
            ``(B, size, H, W)``, ``(size, H, W)`` or ``(B, size)`` -> the same; the pixels stay where they are.
        """
        self.check(x, linear=True)
        if x.ndim == 3:
            return self.act_on_channels(x.unsqueeze(0), angle, flip).squeeze(0)
        out = torch.empty_like(x)
        for rep, starts in self.distinct:
            matrix = torch.from_numpy(rep.at(angle, flip)).to(x)
            channels = torch.tensor(starts, device=x.device)[:, None] + torch.arange(rep.size, device=x.device)
            out[:, channels] = torch.einsum("pq,bfq...->bfp...", matrix, x[:, channels])
        return out

    def check(self, x: Tensor, *, linear: bool = False) -> None:
        """Raise for a tensor with another number of channels than this type.

        Args:
            x: feature map, or vectors without pixels.
            linear: whether what follows is linear, which complex numbers may be put through.

        Raises:
            ValueError: naming both numbers.
            TypeError: for complex numbers, where nothing is said of them.
        """
        if not linear:
            check_real(x)
        if not isinstance(x, Tensor):  # a symbolic trace has no shape yet
            return
        channels = x.shape[0 if x.ndim == 3 else 1]  # one map alone, as under vmap, has no batch
        if channels != self.size:
            raise ValueError(f"input must have {self.size} channels, {self} (got {channels})")


def check_types(types: Sequence[FieldType]) -> None:
    """Raise for types of different groups, and for anything that is not a field type."""
    for t in types:
        if not isinstance(t, FieldType):
            raise TypeError(f"a field type is needed, such as FieldType.regular(C(4), 8) (got {t!r})")
    if len({t.group for t in types}) > 1:
        raise ValueError(f"all types must be of one group (got {' and '.join(str(t.group) for t in types)})")
