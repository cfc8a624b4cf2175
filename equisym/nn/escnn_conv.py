"""Convolutions and linear maps of escnn and e2cnn as ours, kernel space by kernel space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equisym.groups import Representation
from equisym.nn.escnn_types import field_type, group_of, representation
from equisym.nn.field_linear import FieldLinear
from equisym.nn.steerable_conv import SteerableConv2d, SteerableConvTranspose2d
from equisym.nn.steerable_kernel import Array, KernelBasis, Ring, RingBasis, steerable_basis

Pairs = dict[tuple[Representation, Representation], Any]


class PartOfRings:
    """Some of the kernels on rings: what a frequency offset or a filter of theirs lets through.

    Args:
        kernels: for each pair of representations its kernels.
    """

    def __init__(self, kernels: Mapping[tuple[Representation, Representation], Array]) -> None:
        self.kernels = dict(kernels)

    def __call__(self, inner: Representation, outer: Representation, kernel_size: int) -> Array:
        """The kernels from a field of ``inner`` to one of ``outer``."""
        none = np.zeros((0, outer.size, inner.size, kernel_size**2))
        return self.kernels.get((inner, outer), none)

    def __repr__(self) -> str:
        return f"PartOfRings of {len(self.kernels)} pairs"


@torch.no_grad()
def convolution(module: Any, *, transposed: bool) -> SteerableConv2d | SteerableConvTranspose2d:
    """Convert ``R2Conv`` or ``R2ConvTransposed``: the same kernels to combine, and weights that give their filters."""
    in_type, out_type, size = field_type(module.in_type), field_type(module.out_type), one(module.kernel_size)
    options: dict[str, Any] = {
        "stride": one(module.stride),
        "padding": one(module.padding),
        "dilation": one(module.dilation),
        "groups": module.groups,
        "bias": module.bias is not None,
        "basis": _basis(module, size, one(module.dilation)),
    }
    filters, bias = module.expand_parameters()
    if transposed:
        options["output_padding"] = one(module.output_padding)
        layer = SteerableConvTranspose2d(in_type, out_type, size, **options)
        parts = filters.unflatten(0, (module.groups, -1))  # theirs are stored as torch's layer wants them
        filters = parts.transpose(1, 2).flatten(0, 1)
    else:
        layer = SteerableConv2d(
            in_type, out_type, size, padding_mode=getattr(module, "padding_mode", "zeros"), **options
        )
    _load(layer, filters, bias)
    return layer


@torch.no_grad()
def linear(module: Any) -> FieldLinear:
    """Convert ``Linear``."""
    layer = FieldLinear(field_type(module.in_type), field_type(module.out_type), bias=module.bias is not None)
    matrix, bias = module.expand_parameters()
    _load(layer, matrix[..., None, None], bias)
    return layer


def one(value: Any) -> int:
    """One number out of a number or a pair of equal ones.

    Raises:
        NotImplementedError: if they differ.
    """
    values = set(value) if isinstance(value, (tuple, list)) else {value}
    if len(values) != 1:
        raise NotImplementedError(f"cannot import different values for rows and columns (got {value})")
    return int(values.pop())


def _load(layer: Any, filters: Tensor, bias: Tensor | None) -> None:
    left, scale = layer.load_filters(filters, bias), filters.abs().max().item()
    if left > 1e-4 * max(scale, 1e-3):
        raise ValueError(f"filters differ by {left:.1e} from the nearest of ours, although their kernels are the same")


def _basis(module: Any, size: int, dilation: int) -> KernelBasis | None:
    """What gives their kernels: our rings if these are theirs, other rings, or some of the kernels on rings."""
    blocks = _blocks(module)
    highest: dict[tuple[float, float], int] = {}
    for block in blocks.values():
        for info in block.get_basis_info():
            ring = (round(float(info["radius"]) / dilation, 6), round(float(info["sigma"]) / dilation, 6))
            frequency = info["irrep:frequency"] if "irrep:frequency" in info else info["frequency"]
            highest[ring] = max(highest.get(ring, 0), abs(int(frequency)))
    found: tuple[Ring, ...] = tuple((*ring, m) for ring, m in sorted(highest.items()))
    for on in (None, found):
        if _same_space(blocks, size, on):
            return None if on is None else RingBasis(on)
    kernels = {}
    for (inner, outer), block in blocks.items():
        whole = steerable_basis(inner, outer, size, found)
        flat, wanted = (
            whole.reshape(len(whole), -1),
            block.sampled_basis.double().cpu().numpy().reshape(_count(block), -1),
        )
        part = (wanted @ np.linalg.pinv(flat)) @ flat  # theirs are rounded, ours are exact
        if np.abs(part - wanted).max(initial=0) > 1e-4 * np.abs(wanted).max(initial=0):
            raise NotImplementedError("cannot import kernels that are not Gaussian rings times circular waves")
        part = part.reshape(-1, *whole.shape[1:])
        kernels[inner, outer] = part / np.sqrt((part**2).sum((1, 2, 3), keepdims=True) / outer.size)
    return PartOfRings(kernels)


def _same_space(blocks: Pairs, size: int, on: tuple[Ring, ...] | None) -> bool:
    for (inner, outer), block in blocks.items():
        ours = steerable_basis(inner, outer, size, on)
        if len(ours) != _count(block):
            return False
        flat, theirs = ours.reshape(len(ours), -1), block.sampled_basis.double().cpu().numpy().reshape(len(ours), -1)
        if np.abs(theirs - (theirs @ np.linalg.pinv(flat)) @ flat).max(initial=0) > 1e-4 * np.abs(theirs).max(
            initial=0
        ):
            return False
    return True


def _count(block: Any) -> int:
    return len(block.sampled_basis)


def _blocks(module: Any) -> Pairs:
    """Their sampled kernels, (number, out, in, pixels), for each pair of representations that has any."""
    group, expansion = group_of(module.in_type.gspace), module.basisexpansion
    known: dict[str, Representation] = {}
    for rep in (*module.in_type.representations, *module.out_type.representations):
        if rep.name not in known:
            known[rep.name] = representation(rep, group)
    found = {}
    for inner, outer in expansion._representations_pairs:
        names = [name for name, _ in expansion.named_children() if _names(name, inner, outer)]
        found[known[inner], known[outer]] = getattr(expansion, names[0])
    return found


def _names(block: str, inner: str, outer: str) -> bool:
    return block.removeprefix("block_expansion_").replace("^", ".") == str((inner, outer))
