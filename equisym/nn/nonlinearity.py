"""Non-linearities that act value by value: pointwise, and on the signal behind Fourier coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from equisym.groups import Group, PointGroup, irrep, irreps
from equisym.groups.representation import angle_and_flip
from equisym.nn.arguments import count
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types

Function = Callable[[Tensor], Tensor]


class PointwiseNonlinearity(nn.Module):
    """A function of each channel alone; equivariant because the group only permutes the channels.

    Args:
        field_type: fields of input and output, each a permutation (trivial, regular, quotient).
        function: applied to the tensor, such as ``torch.relu``.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    Raises:
        ValueError: at construction if a field is not a permutation.

    >>> from equisym.groups import C
    >>> PointwiseNonlinearity(FieldType.regular(C(4), 1))(-torch.ones(1, 4, 1, 1)).sum()
    tensor(0.)
    """

    def __init__(self, field_type: FieldType, function: Function = torch.relu) -> None:
        super().__init__()
        check_types((field_type,))
        for rep, _ in field_type.distinct:
            if not rep.is_permutation:
                raise ValueError(
                    f"a pointwise function needs fields that the group permutes (got {rep}): "
                    "use NormNonlinearity, GatedNonlinearity or FourierNonlinearity"
                )
        self.field_type, self.function = field_type, function

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        return self.function(x)


class FourierNonlinearity(ConstantModule):
    r"""A pointwise function of the signal on the group whose Fourier coefficients are the field.

    .. math:: y = \tfrac1N A^\top \phi(A x), \qquad A_{g} = \textstyle\sum_k \sqrt{d_k}\, e_k^\top \rho_k(g)^{-1}

    x holds, for each irrep rho_k of size d_k up to ``max_frequency``, the coefficients of a function on the group; A
    evaluates it at N sampled elements, ``samples`` rotations and their mirrors, where phi acts. Exact for the sampled
    rotations; for others the error falls as ``samples`` grows.

    Args:
        fields: number of such fields.
        group: SO(2), O(2) or a finite group.
        max_frequency: highest frequency.
        samples: rotations to sample of SO(2) and O(2); a multiple of 4 keeps the quarter turns exact. C_n and D_n are
            sampled completely; leave it out.
        function: phi, such as ``torch.relu``.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same, with ``field_type`` an attribute.

    Raises:
        ValueError: at construction if the samples are too few for the frequencies, or given for a finite group.

    >>> from equisym.groups import SO2
    >>> layer = FourierNonlinearity(2, group=SO2, max_frequency=2, samples=8)
    >>> layer.field_type.size, layer(torch.randn(1, 10, 3, 3)).shape
    (10, torch.Size([1, 10, 3, 3]))

    Source: Cesa, Lang & Weiler, A Program to Build E(N)-Equivariant Steerable CNNs (2022), appendix.
    """

    evaluate: Tensor

    def __init__(
        self,
        fields: int,
        *,
        group: Group,
        max_frequency: int,
        samples: int | None = None,
        function: Function = torch.relu,
    ) -> None:
        super().__init__()
        if not isinstance(group, Group):
            raise TypeError(f"group must be a group such as SO2 or D(4) (got {group!r})")
        fields, max_frequency = count("fields", fields), count("max_frequency", max_frequency, 0)
        if isinstance(group, PointGroup):
            grid, samples = group, samples or group.n
            if samples != group.n:
                raise ValueError(f"samples must be {group.n}, all of {group} (got {samples}): leave it out")
        else:
            least = 2 * max_frequency + 1
            if samples is None or samples < least:
                raise ValueError(f"samples must be at least {least} for max_frequency={max_frequency} (got {samples})")
            grid = group.finite(samples)
        spectrum = group_functions(group, max_frequency)
        self.field_type = FieldType(group, spectrum.fields * fields)
        self.samples, self.function, self.max_frequency = samples, function, max_frequency
        copies: dict[object, int] = {}
        columns = []
        for rep in spectrum.fields:
            part = rep.irreps[0]
            copy = copies.setdefault(part, -1) + 1
            copies[part] = copy
            rows = [part.at(*angle_and_flip(grid, g))[:, copy] for g in range(grid.order)]
            columns.append(math.sqrt(part.size) * np.stack(rows))
        self.register_constant("evaluate", np.concatenate(columns, 1))

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        number, size = self.evaluate.shape
        evaluate = self.evaluate.to(x.dtype)
        fields = x.unflatten(-3, (-1, size))
        signal = self.function(torch.einsum("nc,...chw->...nhw", evaluate, fields))
        return torch.einsum("nc,...nhw->...chw", evaluate, signal).flatten(-4, -3) / number

    def extra_repr(self) -> str:
        return f"{self.field_type!r}, max_frequency={self.max_frequency}, samples={self.samples}"


def group_functions(group: Group, max_frequency: int) -> FieldType:
    """The irreps in the functions on a group up to a frequency: each as often as it occurs (Peter and Weyl).

    >>> from equisym.groups import O2, SO2
    >>> group_functions(SO2, 1).size, group_functions(O2, 1).size
    (3, 6)
    """
    found = []
    for part in irreps(group, max_frequency):
        found += [irrep(group, part.frequency, odd=part.odd)] * (part.size // len(part.endomorphisms))
    return FieldType(group, tuple(found))
