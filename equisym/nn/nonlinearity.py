"""Non-linearities that commute with a group: pointwise, norm, gated and Fourier."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import Group, PointGroup, irrep, irreps, trivial
from equisym.groups.representation import angle_and_flip
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


class _ByField(ConstantModule):
    """Base of layers that need the norm of each field, or one number for each field."""

    field_of: Tensor
    members: Tensor

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        check_types((field_type,))
        self.field_type = field_type
        self._alike = len(field_type.distinct) == 1
        sizes = [rep.size for rep in field_type.fields]
        field_of = np.repeat(np.arange(len(sizes)), sizes)
        self.register_constant("field_of", field_of)
        self.register_constant("members", (np.arange(len(sizes))[:, None] == field_of[None]).astype(float))

    def norms(self, x: Tensor) -> Tensor:
        """Norm of each field, ``(B, fields, H, W)``."""
        if self._alike:
            squares = x.unflatten(1, (len(self.field_type.fields), -1)).square().sum(2)
        else:
            squares = torch.einsum("fc,bchw->bfhw", self.members.to(x.dtype), x.square())
        dtype = x.dtype if isinstance(x, Tensor) else self.members.dtype  # a symbolic trace has none yet
        return (squares + torch.finfo(dtype).tiny).sqrt()

    def spread(self, per_field: Tensor) -> Tensor:
        """Repeat one number per field over the field's channels."""
        return per_field.index_select(1, self.field_of)

    def extra_repr(self) -> str:
        return repr(self.field_type)


class NormNonlinearity(_ByField):
    r"""Changes the length of each field and keeps its direction.

    .. math:: y = \frac{\max(|x| + b, 0)}{|x|}\, x

    x is one field and b a learned number per field. The norm is unchanged by the group, whose representations are
    orthogonal.

    Args:
        field_type: fields of input and output, of any representations.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    >>> from equisym.groups import O2, irrep
    >>> NormNonlinearity(FieldType.of((2, irrep(O2, 1))))(torch.randn(1, 4, 3, 3)).shape
    torch.Size([1, 4, 3, 3])

    Source: Worrall et al., Harmonic Networks (2017), section 4.2.
    """

    def __init__(self, field_type: FieldType) -> None:
        super().__init__(field_type)
        self.bias = nn.Parameter(torch.full((len(field_type),), -0.05))

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        norm = self.norms(x)
        return x * self.spread(functional.relu(norm + self.bias[:, None, None].to(x.dtype)) / norm)


class GatedNonlinearity(_ByField):
    r"""Scales each field by a learned gate, a scalar field of its own.

    .. math:: y = \sigma(s)\, x

    x is one field, s its gate and sigma the logistic function. The input carries the fields, then one trivial field per
    field: ask the layer for ``in_type`` and give it to the convolution before.

    Args:
        field_type: fields of the output.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, field_type.size, H, W)``.

    >>> from equisym.groups import SO2, irrep
    >>> gate = GatedNonlinearity(FieldType.of((3, irrep(SO2, 2))))
    >>> gate.in_type
    FieldType(SO2, 3 x irrep(SO2, 2) + 3 x trivial(SO2))
    >>> gate(torch.zeros(1, 9, 2, 2)).shape
    torch.Size([1, 6, 2, 2])

    Source: Weiler et al., 3D Steerable CNNs (2018), section 4.3.
    """

    def __init__(self, field_type: FieldType) -> None:
        super().__init__(field_type)
        self.in_type = field_type + FieldType.of((len(field_type), trivial(field_type.group)))

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        fields, gates = x.split([self.field_type.size, len(self.field_type)], 1)
        return fields * self.spread(torch.sigmoid(gates))


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
        if min(fields, max_frequency + 1) < 1:
            raise ValueError(f"fields must be at least 1 and max_frequency 0 (got {fields} and {max_frequency})")
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
        count, size = self.evaluate.shape
        evaluate = self.evaluate.to(x.dtype)
        fields = x.unflatten(-3, (-1, size))
        signal = self.function(torch.einsum("nc,...chw->...nhw", evaluate, fields))
        return torch.einsum("nc,...nhw->...chw", evaluate, signal).flatten(-4, -3) / count

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
