"""Dropout of whole fields."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional

from equisym.nn.arguments import real
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types


class FieldDropout2d(ConstantModule):
    """Sets whole fields of a sample to zero, all pixels and components at once, and scales up the rest.

    Dropping single components would break the symmetry of a field; dropping fields does not.

    Args:
        field_type: fields of input and output.
        p: probability that a field is dropped, from 0 to below 1.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    Raises:
        ValueError: at construction if p is outside that range.

    >>> from equisym.groups import C
    >>> import torch
    >>> FieldDropout2d(FieldType.regular(C(4), 2), 0.5).eval()(torch.ones(1, 8, 1, 1)).sum()
    tensor(8.)
    """

    field_of: Tensor

    def __init__(self, field_type: FieldType, p: float = 0.5) -> None:
        super().__init__()
        check_types((field_type,))
        if not 0 <= real("p", p, zero=True) < 1:
            raise ValueError(f"p must be at least 0 and below 1 (got {p})")
        self.field_type, self.p = field_type, p
        field_of = np.repeat(np.arange(len(field_type)), [rep.size for rep in field_type.fields])
        self.register_constant("field_of", field_of)

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x, linear=True)
        if not self.training or self.p == 0:
            return x
        kept = functional.dropout(x.new_ones(*x.shape[:-3], len(self.field_type)), self.p)
        return x * kept.index_select(-1, self.field_of)[..., None, None]

    def extra_repr(self) -> str:
        return f"{self.field_type!r}, p={self.p}"
