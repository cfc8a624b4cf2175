"""Poolings of whole fields: their magnitude, their greatest component, and the longest field of a window."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional

from equisym.groups import trivial
from equisym.nn.arguments import Whole, whole
from equisym.nn.constant import ConstantModule
from equisym.nn.field_nonlinearity import ByField
from equisym.nn.field_type import FieldType, check_types


class FieldMagnitude2d(ByField):
    """The norm of each field: scalars that the group leaves unchanged, one per field; or of each part of one.

    Args:
        field_type: fields of the input, of any representations.
        part: components of the parts of an induced field, whose norms the group permutes; None means whole fields.

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, norm_type.size, H, W)``.

    Raises:
        ValueError: at construction for parts that the group mixes; at the call for a wrong number of channels.

    >>> import torch
    >>> from equisym.groups import SO2, irrep
    >>> FieldMagnitude2d(FieldType.of((3, irrep(SO2, 1))))(torch.randn(1, 6, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        return self.norms(x)


class FieldMax2d(ConstantModule):
    """The greatest component of each field: scalars that the group leaves unchanged, one per field.

    Args:
        field_type: fields of the input, each a permutation (trivial, regular, quotient).

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, number of fields, H, W)``.

    Raises:
        ValueError: at construction if a field is not a permutation; at the call for a wrong number of channels.

    >>> import torch
    >>> from equisym.groups import C, D, quotient, regular
    >>> FieldMax2d(FieldType.of((2, regular(D(4))), (3, quotient(D(4), C(4)))))(torch.randn(1, 22, 2, 2)).shape
    torch.Size([1, 5, 2, 2])
    """

    members: Tensor

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        check_types((field_type,))
        for rep, _ in field_type.distinct:
            if not rep.is_permutation:
                raise ValueError(f"the maximum needs fields that the group permutes (got {rep}): use FieldMagnitude2d")
        self.field_type = field_type
        self.out_type = FieldType.of((len(field_type), trivial(field_type.group)))
        longest = np.arange(max(rep.size for rep in field_type.fields))
        pairs = zip(field_type.starts, field_type.fields, strict=True)
        members = [start + np.minimum(longest, rep.size - 1) for start, rep in pairs]  # a short field repeats its last
        self.register_constant("members", np.concatenate(members))

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        return x.index_select(-3, self.members).unflatten(-3, (len(self.field_type), -1)).amax(-3)

    def extra_repr(self) -> str:
        return repr(self.field_type)


class NormMaxPool2d(ByField):
    """Max pooling of vectors: each field is taken where its norm is largest in the window.

    Args:
        field_type: fields of input and output, of any representations.
        kernel_size: side of the window.
        stride: step; None means ``kernel_size``.
        padding: pixels added on each side, never taken.

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, field_type.size, H', W')``.

    Raises:
        ValueError: at construction if the window or the step is not positive; at the call for a wrong number of
            channels.

    >>> import torch
    >>> from equisym.groups import O2, irrep
    >>> NormMaxPool2d(FieldType.of((2, irrep(O2, 1))), 2)(torch.randn(1, 4, 6, 6)).shape
    torch.Size([1, 4, 3, 3])
    """

    def __init__(
        self, field_type: FieldType, kernel_size: Whole, stride: Whole | None = None, *, padding: Whole = 0
    ) -> None:
        super().__init__(field_type)
        self.kernel_size = whole("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else whole("stride", stride)
        self.padding = whole("padding", padding, 0)

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        window = (self.kernel_size, self.stride, self.padding)
        _, where = functional.max_pool2d(self.norms(x), *window, return_indices=True)
        return x.flatten(-2).gather(-1, self.spread(where).flatten(-2)).unflatten(-1, where.shape[-2:])

    def extra_repr(self) -> str:
        text = f"{self.field_type!r}, {self.kernel_size}, stride={self.stride}"
        return text + (f", padding={self.padding}" if self.padding else "")
