"""Non-linearities that change the length of each field, or of its parts, and keep its direction: norm and gated."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import on_parts, trivial
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types

NormFunction = Literal["relu", "softplus", "sigmoid", "squash"]


class ByField(ConstantModule):
    """Base of layers that need the norm of each field or part of one, or one number for each.

    Args:
        field_type: fields of any representations.
        part: components of each part whose norm is taken, of fields whose parts the group permutes, such as induced
            ones; None means whole fields.

    Attributes:
        norm_type: how the group acts on the norms: one field of permuted parts for each field.

    Raises:
        ValueError: if the group mixes the parts.
    """

    part_of: Tensor
    field_of_part: Tensor
    members: Tensor

    def __init__(self, field_type: FieldType, part: int | None = None) -> None:
        super().__init__()
        check_types((field_type,))
        self.field_type, self.part = field_type, part
        known = {
            rep: trivial(field_type.group) if part is None else on_parts(rep, part) for rep, _ in field_type.distinct
        }
        self.norm_type = FieldType(field_type.group, tuple(known[rep] for rep in field_type.fields))
        counts = [rep.size for rep in self.norm_type.fields]
        sizes = np.repeat([rep.size // n for rep, n in zip(field_type.fields, counts, strict=True)], counts)
        self._alike = len(set(sizes.tolist())) == 1
        part_of = np.repeat(np.arange(len(sizes)), sizes)
        self.register_constant("part_of", part_of)
        self.register_constant("field_of_part", np.repeat(np.arange(len(counts)), counts))
        self.register_constant("members", (np.arange(len(sizes))[:, None] == part_of[None]).astype(float))

    def norms(self, x: Tensor) -> Tensor:
        """Norm of each field or part, ``(B, norm_type.size, H, W)``."""
        if self._alike:
            squares = x.unflatten(-3, (self.norm_type.size, -1)).square().sum(-3)
        else:
            squares = torch.einsum("fc,...chw->...fhw", self.members.to(x.dtype), x.square())
        dtype = x.dtype if isinstance(x, Tensor) else self.members.dtype  # a symbolic trace has none yet
        return (squares + torch.finfo(dtype).tiny).sqrt()

    def spread(self, per_part: Tensor) -> Tensor:
        """Repeat one number per field or part over its channels."""
        return per_part.index_select(-3, self.part_of)

    def by_part(self, per_field: Tensor, x: Tensor) -> Tensor:
        """A learned number per field as a map, ``(norm_type.size, 1, 1)``, in the precision of x."""
        return per_field.index_select(0, self.field_of_part)[:, None, None].to(x.dtype)

    def extra_repr(self) -> str:
        return repr(self.field_type) + ("" if self.part is None else f", part={self.part}")


class NormNonlinearity(ByField):
    r"""Changes the length of each field and keeps its direction.

    .. math:: y = \frac{\phi(|x| + b)}{|x|}\, x

    x is one field and b a learned number per field. The norm is unchanged by the group, whose representations are
    orthogonal. With ``part`` x is one part of an induced field: the group permutes the norms.

    Args:
        field_type: fields of input and output, of any representations.
        function: phi: ``"relu"``, ``"softplus"``, ``"sigmoid"`` or ``"squash"``, :math:`t / (1 + t)`.
        bias: whether b is learned, or 0.
        part: components of the parts of an induced field; None means whole fields.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    Raises:
        ValueError: at construction for another function, or parts that the group mixes.

    >>> from equisym.groups import C, D, O2, induced, irrep
    >>> NormNonlinearity(FieldType.of((2, irrep(O2, 1))))(torch.randn(1, 4, 3, 3)).shape
    torch.Size([1, 4, 3, 3])
    >>> NormNonlinearity(FieldType.of((1, induced(D(4), irrep(C(4), 1)))), part=2).norm_type.size
    2

    Source: Worrall et al., Harmonic Networks (2017), section 4.2.
    """

    def __init__(
        self, field_type: FieldType, function: NormFunction = "relu", *, bias: bool = True, part: int | None = None
    ) -> None:
        super().__init__(field_type, part)
        if function not in get_args(NormFunction):
            raise ValueError(f"function must be one of {', '.join(get_args(NormFunction))} (got {function!r})")
        self.function: NormFunction = function
        self.bias = nn.Parameter(torch.full((len(field_type),), -0.05)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        norm = self.norms(x)
        moved = norm if self.bias is None else norm + self.by_part(self.bias, x)
        return x * self.spread(_apply(self.function, moved) / norm)

    def extra_repr(self) -> str:
        function = "" if self.function == "relu" else f", function={self.function!r}"
        return super().extra_repr() + function + ("" if self.bias is not None else ", bias=False")


def _apply(function: NormFunction, norm: Tensor) -> Tensor:
    return norm / (1 + norm) if function == "squash" else getattr(functional, function)(norm)


class GatedNonlinearity(ByField):
    r"""Scales each field by a learned gate, a scalar field of its own.

    .. math:: y = \sigma(s + b)\, x

    x is one field, s its gate, b a learned number per field and sigma the logistic function. The input carries the
    fields, then one trivial field per field: ask the layer for ``in_type`` and give it to the convolution before. With
    ``part`` x is one part of an induced field and s one component of its gate, which the group permutes as the parts.

    Args:
        field_type: fields of the output.
        bias: whether b is learned, or 0.
        part: components of the parts of an induced field; None means whole fields.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, field_type.size, H, W)``.

    Raises:
        ValueError: at construction for parts that the group mixes.

    >>> from equisym.groups import SO2, irrep
    >>> gate = GatedNonlinearity(FieldType.of((3, irrep(SO2, 2))))
    >>> gate.in_type
    FieldType(SO2, 3 x irrep(SO2, 2) + 3 x trivial(SO2))
    >>> gate(torch.zeros(1, 9, 2, 2)).shape
    torch.Size([1, 6, 2, 2])

    Source: Weiler et al., 3D Steerable CNNs (2018), section 4.3.
    """

    def __init__(self, field_type: FieldType, *, bias: bool = False, part: int | None = None) -> None:
        super().__init__(field_type, part)
        self.in_type = field_type + self.norm_type
        self.bias = nn.Parameter(torch.zeros(len(field_type))) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        fields, gates = x.split([self.field_type.size, self.norm_type.size], -3)
        if self.bias is not None:
            gates = gates + self.by_part(self.bias, x)
        return fields * self.spread(torch.sigmoid(gates))

    def extra_repr(self) -> str:
        return super().extra_repr() + (", bias=True" if self.bias is not None else "")
