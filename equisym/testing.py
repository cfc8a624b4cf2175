"""Measure and assert equivariance, for the layers of this package and for your own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from equisym.groups import PointGroup
from equisym.nn.field_type import FieldType
from equisym.nn.layer_report import (
    KINDS,
    EquivarianceReport,
    act_as,
    difference,
    element_name,
    equivariance_report,
)

__all__ = [
    "EquivarianceReport",
    "assert_equivariant",
    "equivariance_error",
    "equivariance_errors",
    "equivariance_report",
]


@torch.no_grad()
def equivariance_errors(
    module: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: PointGroup,
    input: str | FieldType = "image",
    output: str | FieldType = "regular",
) -> Tensor:
    r"""Relative equivariance error of a function, one value for each group element.

    .. math:: e(g) = \frac{\max |\Phi(g x) - g\,\Phi(x)|}{\max |\Phi(x)|}

    Args:
        module: the function Phi; a network should be in eval mode.
        x: an input, ``(B, C, H, W)``, or ``(B, C)`` of a field type; its dtype and device are the ones measured.
        group: the point group.
        input: what x is: ``"image"`` (scalar channels), ``"regular"`` (regular fields, element fastest), or its
            :class:`FieldType`.
        output: what the module returns: ``"image"``, ``"regular"``, its :class:`FieldType`, or ``"invariant"`` (any
            shape, not moved by g).

    Returns:
        Errors on the CPU in float64, shape (order,). Elements that do not keep the pixel grid are applied by bicubic
        interpolation, and compared on the disc inscribed in the image.

    Raises:
        ValueError: for an unknown input or output kind, or fields of a group that does not contain ``group``.
    """
    known_input = isinstance(input, FieldType) or input in ("image", "regular")
    if not known_input or not (isinstance(output, FieldType) or output in KINDS):
        raise ValueError(
            f"input must be image, regular or a FieldType, output one of these or invariant (got {input!r}, {output!r})"
        )
    reference = module(x)
    scale = reference.abs().max().clamp_min(torch.finfo(reference.dtype).tiny)
    errors = []
    for g in range(group.order):
        moved = module(act_as(x, g, group, input))
        errors.append((difference(moved, reference, g, group, output) / scale).double().cpu())
    return torch.stack(errors)


def equivariance_error(
    module: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: PointGroup,
    input: str | FieldType = "image",
    output: str | FieldType = "regular",
) -> float:
    """The largest of the :func:`equivariance_errors` over the group.

    >>> from equisym.groups import D
    >>> from equisym.nn import LiftConv2d
    >>> layer = LiftConv2d(1, 4, 3, group=D(4), padding=1).double()
    >>> equivariance_error(layer, torch.randn(1, 1, 9, 9).double(), group=D(4)) < 1e-12
    True
    """
    return equivariance_errors(module, x, group=group, input=input, output=output).max().item()


def assert_equivariant(
    module: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: PointGroup,
    input: str | FieldType = "image",
    output: str | FieldType = "regular",
    tolerance: float | None = None,
) -> None:
    """Raise unless the equivariance error is below a tolerance.

    Args:
        module: the function.
        x: an input.
        group: the point group.
        input: as in :func:`equivariance_errors`.
        output: as in :func:`equivariance_errors`.
        tolerance: relative; by default 1e-10 in float64 and 1e-4 in lower precisions.

    Raises:
        AssertionError: naming the worst element, its error and the tolerance.
    """
    if tolerance is None:
        tolerance = 1e-10 if x.dtype == torch.float64 else 1e-4
    errors = equivariance_errors(module, x, group=group, input=input, output=output)
    worst = int(errors.argmax())
    if not errors[worst] <= tolerance:
        raise AssertionError(
            f"not equivariant under {group}: error {errors[worst]:.1e} at {element_name(worst, group)}, "
            f"above {tolerance:.0e}"
        )
