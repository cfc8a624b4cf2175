"""Non-linearities that make other fields: both signs side by side, and products of a field with itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from equisym.groups import Representation
from equisym.groups.representation import decompose
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types
from equisym.nn.steerable_kernel import steerable_basis


class ConcatenatedNonlinearity(nn.Module):
    r"""A function of each value and of its opposite: for fields whose components change places and signs.

    .. math:: y_{2i} = \phi(x_i), \qquad y_{2i+1} = \phi(-x_i)

    A sign change of :math:`x_i` swaps the two answers, so that the output's fields are permuted by the group.

    Args:
        field_type: fields of the input: permutations, irreps of size 1, vectors of D(4) and the like.
        function: phi, such as ``torch.relu``.

    Shape:
        ``(B, field_type.size, H, W)`` -> ``(B, 2 field_type.size, H, W)``, of fields ``out_type``.

    Raises:
        ValueError: at construction if a field does more than that; at the call for a wrong number of channels.

    >>> from equisym.groups import D, irrep
    >>> layer = ConcatenatedNonlinearity(FieldType.of((2, irrep(D(4), 1))))
    >>> layer.out_type.fields[0].is_permutation, layer(torch.randn(1, 4, 3, 3)).shape
    (True, torch.Size([1, 8, 3, 3]))

    Source: Shang et al., Understanding and Improving Convolutional Neural Networks via Concatenated Rectified Linear
    Units (2016), section 2.
    """

    def __init__(self, field_type: FieldType, function: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        check_types((field_type,))
        self.field_type, self.function = field_type, function
        doubled = {rep: _with_both_signs(rep) for rep, _ in field_type.distinct}
        self.out_type = FieldType(field_type.group, tuple(doubled[rep] for rep in field_type.fields))

    def forward(self, x: Tensor) -> Tensor:
        self.field_type.check(x)
        return torch.stack((self.function(x), self.function(-x)), -3).flatten(-4, -3)

    def extra_repr(self) -> str:
        return repr(self.field_type)


def _with_both_signs(rep: Representation) -> Representation:
    def at(angle: float, flip: bool) -> np.ndarray:
        matrix = rep.at(angle, flip)
        signs = matrix.round()
        if not np.allclose(matrix, signs, atol=1e-9):
            raise ValueError(
                f"both signs need fields whose components change places and signs (got {rep}): use NormNonlinearity"
            )
        swap = np.array([[0.0, 1.0], [1.0, 0.0]])
        return np.kron(np.maximum(signs, 0), np.eye(2)) + np.kron(np.maximum(-signs, 0), swap)

    return decompose(rep.group, at, f"with_both_signs({rep})", max(part.frequency for part in rep.irreps))


class TensorProductNonlinearity(ConstantModule):
    r"""The products of each field's components with one another, combined to a field of another kind.

    .. math:: y_c = W_c\, (x_c \otimes x_c), \qquad W_c\, (\rho_{in}(g) \otimes \rho_{in}(g)) = \rho_{out}(g)\, W_c

    x_c is field c of the input, of representation rho_in, and y_c field c of the output, of rho_out. The learned
    coefficients combine all W_c that commute with the group.

    Args:
        in_type: fields of the input, all of one representation.
        out_type: as many fields of the output, all of one representation.

    Shape:
        ``(B, in_type.size, H, W)`` -> ``(B, out_type.size, H, W)``.

    Raises:
        ValueError: at construction for different numbers of fields, mixed representations or if no product transforms
            so; at the call for a wrong number of channels.

    >>> from equisym.groups import O2, irrep
    >>> layer = TensorProductNonlinearity(FieldType.of((3, irrep(O2, 1))), FieldType.of((3, irrep(O2, 2))))
    >>> layer(torch.randn(1, 6, 5, 5)).shape
    torch.Size([1, 6, 5, 5])

    Source: Kondor, Lin & Trivedi, Clebsch-Gordan Nets (2018), section 4.1.
    """

    basis: Tensor

    def __init__(self, in_type: FieldType, out_type: FieldType) -> None:
        super().__init__()
        check_types((in_type, out_type))
        if len(in_type) != len(out_type) or len(in_type.distinct) > 1 or len(out_type.distinct) > 1:
            raise ValueError(f"both types must hold equally many fields of one kind (got {in_type} and {out_type})")
        self.in_type, self.out_type = in_type, out_type
        inner, outer = in_type.fields[0], out_type.fields[0]
        basis = steerable_basis(inner.tensor(inner), outer, 1)[..., 0]
        if not len(basis):
            raise ValueError(f"no product of {inner} with itself transforms as {outer}: choose another out_type")
        self.register_constant("basis", basis / math.sqrt(inner.size))
        self.weight = nn.Parameter(torch.empty(len(in_type), len(basis)))
        nn.init.normal_(self.weight, std=1 / math.sqrt(len(basis)))

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        fields = x.unflatten(-3, (len(self.in_type), -1))
        products = torch.einsum("...ihw,...jhw->...ijhw", fields, fields).flatten(-4, -3)
        matrix = torch.einsum("cn,noi->coi", self.weight, self.basis.to(self.weight.dtype)).to(x.dtype)
        return torch.einsum("coi,...cihw->...cohw", matrix, products).flatten(-4, -3)

    def extra_repr(self) -> str:
        return f"{self.in_type!r}, {self.out_type!r}"
