"""Equivariant layers without pixels: linear maps of field vectors, and perceptrons made of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.arguments import Place
from equisym.nn.field_type import FieldType
from equisym.nn.nonlinearity import PointwiseNonlinearity
from equisym.nn.steerable_conv import _SteerableConv


class FieldLinear(_SteerableConv):
    r"""Linear map of vectors of fields that commutes with the group.

    .. math:: y = W x + b, \qquad W \rho_{in}(g) = \rho_{out}(g)\, W \quad\text{for all } g \in G

    rho_in and rho_out are the representations of ``in_type`` and ``out_type``; b is a vector that the group leaves
    unchanged.

    Args:
        in_type: fields of the input.
        out_type: fields of the output, of the same group.
        bias: whether b is learned, or 0.
        device: where to make the weights.
        dtype: of the weights.

    Shape:
        ``(..., in_type.size)`` -> ``(..., out_type.size)``.

    Raises:
        ValueError: at construction for types of two groups; at the call for a wrong number of channels.

    >>> from equisym.groups import O2, irrep, trivial
    >>> vectors, scalars = FieldType.of((4, irrep(O2, 1))), FieldType.of((3, trivial(O2)))
    >>> FieldLinear(vectors, vectors)(torch.randn(2, 8)).shape, FieldLinear(vectors, scalars).weight.numel()
    (torch.Size([2, 8]), 0)
    """

    printed = ()

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        bias: bool = True,
        **place: Unpack[Place],
    ) -> None:
        super().__init__(in_type, out_type, 1, bias=bias, **place)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and x.shape[-1] != self.in_type.size:  # a symbolic trace has no shape yet
            raise ValueError(f"input must have {self.in_type.size} features, {self.in_type} (got {x.shape[-1]})")
        matrix, bias = self.filters()
        return functional.linear(x, matrix.flatten(1), bias)

    @torch.no_grad()
    def to_plain(self) -> nn.Linear:
        """The same function as an ordinary :class:`torch.nn.Linear`."""
        matrix, bias = self.filters()
        place = {"device": matrix.device, "dtype": matrix.dtype}
        plain = nn.Linear(self.in_type.size, self.out_type.size, bias=bias is not None, **place)
        plain.weight.copy_(matrix.flatten(1))
        if bias is not None:
            plain.bias.copy_(bias)
        return plain.train(self.training)

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        return f"{self.in_type!r}, {self.out_type!r}"


class _Hidden(PointwiseNonlinearity):
    """A pointwise function of vectors, whose features are on the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class FieldMLP(nn.Sequential):
    """A perceptron on vectors of fields: linear maps that commute with the group, with a function between them.

    Args:
        types: fields of the input, of each hidden layer and of the output; the hidden ones are permuted by the group
            (trivial, regular, quotient).
        function: applied to the hidden values, such as ``torch.relu``.

    Shape:
        ``(..., types[0].size)`` -> ``(..., types[-1].size)``.

    Raises:
        ValueError: at construction for fewer than two types, types of two groups, or hidden fields that are not
            permuted.

    >>> from equisym.groups import D, trivial, vector
    >>> group = D(4)
    >>> speed = FieldType.of((2, vector(group)))
    >>> mlp = FieldMLP(speed, FieldType.regular(group, 8), FieldType.of((1, trivial(group))))
    >>> mlp(torch.randn(5, 4)).shape
    torch.Size([5, 1])
    """

    def __init__(self, *types: FieldType, function: Callable[[Tensor], Tensor] = torch.relu) -> None:
        if len(types) < 2:
            raise ValueError(f"types must name the fields of input and output at least (got {len(types)})")
        layers: list[nn.Module] = []
        for number, (inner, outer) in enumerate(pairwise(types)):
            layers.append(FieldLinear(inner, outer))
            if number < len(types) - 2:
                layers.append(_Hidden(outer, function))
        super().__init__(*layers)
