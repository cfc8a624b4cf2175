"""Import models built with escnn or e2cnn: the same network from our layers, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equisym.groups import (
    O2,
    SO2,
    C,
    ContinuousGroup,
    D,
    Group,
    Irrep,
    PointGroup,
    Representation,
    irrep,
    regular,
    trivial,
)
from equisym.groups.representation import angle_and_flip
from equisym.nn.field_norm import FieldBatchNorm2d
from equisym.nn.field_type import FieldType
from equisym.nn.pooling import GroupPool2d
from equisym.nn.resample import FieldMagnitude2d
from equisym.nn.steerable_conv import SteerableConv2d

POINTWISE = {"ReLU": nn.ReLU, "ELU": nn.ELU, "LeakyReLU": nn.LeakyReLU}


def from_escnn(module: Any) -> nn.Module:
    """Convert an escnn or e2cnn module to one of ours with the same output on plain tensors.

    Neither library is imported here. These modules are understood: ``R2Conv`` (zero padding),
    ``InnerBatchNorm``, ``ReLU``, ``ELU``, ``LeakyReLU``, ``PointwiseMaxPool``, ``PointwiseAvgPool``,
    ``PointwiseDropout``, ``GroupPooling``, ``NormPool``, and ``SequentialModule`` of these.

    Args:
        module: the module, its weights as they are.

    Returns:
        The converted module; for a sequence a :class:`torch.nn.Sequential`.

    Raises:
        NotImplementedError: for any other module, naming it.
        ValueError: if the convolution's filters are not in our space (other rings, frequencies or widths).
    """
    name = type(module).__name__
    if name == "SequentialModule":
        return nn.Sequential(*(from_escnn(child) for child in module.children())).train(module.training)
    makers = {
        "R2Conv": _conv,
        "InnerBatchNorm": _batch_norm,
        "PointwiseDropout": lambda m: nn.Dropout(m.p),
        "NormPool": lambda m: FieldMagnitude2d(field_type(m.in_type)),
        "GroupPooling": _group_pool,
    }
    if name in makers:
        return makers[name](module).train(module.training)
    if name in POINTWISE:
        kind = {"alpha": "alpha", "negative_slope": "negative_slope"}
        options = {ours: getattr(module, theirs) for theirs, ours in kind.items() if hasattr(module, theirs)}
        return POINTWISE[name](**options).train(module.training)
    if name.startswith("PointwiseMaxPool") and "Antialiased" not in name:
        return nn.MaxPool2d(
            module.kernel_size, module.stride, module.padding, module.dilation, ceil_mode=module.ceil_mode
        )
    if name.startswith("PointwiseAvgPool") and "Antialiased" not in name:
        return nn.AvgPool2d(module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode)
    raise NotImplementedError(f"cannot import {name}: build that part with equisym.nn and import the others")


def field_type(theirs: Any) -> FieldType:
    """Convert a field type. Every representation keeps their basis, so that channels agree one by one."""
    gspace = theirs.gspace
    group = _group(gspace.fibergroup)
    known: dict[str, Representation] = {}
    for rep in theirs.representations:
        if rep.name not in known:
            known[rep.name] = _representation(rep, group)
    return FieldType(group, tuple(known[rep.name] for rep in theirs.representations))


def _group(theirs: Any) -> Group:
    """Their group's name is C4, D4, SO(2), O(2) or, for the flips alone, C2 on a space with mirrors."""
    name = type(theirs).__name__
    if name == "SO2":
        return SO2
    if name == "O2":
        return O2
    if name == "DihedralGroup":
        return D(theirs.rotation_order)
    if name == "CyclicGroup":
        return C(theirs.order())
    raise NotImplementedError(f"cannot import fields of {theirs}: C_n, D_n, SO(2) and O(2) are known here")


def _representation(rep: Any, group: Group) -> Representation:
    parts = tuple(_irrep(rep, group, at) for at in range(len(rep.irreps)))
    basis = np.array(rep.change_of_basis, dtype=float)
    basis, _ = np.linalg.qr(basis) if not np.allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-5) else (basis, None)
    ours = Representation(group, parts, basis, f"imported({rep.name})")
    if len(parts) == 1 and np.allclose(basis, np.eye(len(basis)), atol=1e-6):
        return trivial(group) if ours.is_trivial else irrep(group, parts[0].frequency, odd=parts[0].odd)
    if isinstance(group, PointGroup) and ours.size == group.order:
        whole = regular(group)
        elements = [angle_and_flip(group, g) for g in range(group.order)]
        if all(np.allclose(ours.at(*e), whole.at(*e), atol=1e-5) for e in elements):
            return whole
    return ours


def _irrep(rep: Any, group: Group, at: int) -> Irrep:
    part = rep.irreps[at]
    if isinstance(part, str):  # e2cnn names its irreps irrep_k and irrep_j,k
        numbers = tuple(int(n) for n in part.removeprefix("irrep_").split(","))
    else:
        numbers = tuple(part)
    if not group.mirrors:
        return Irrep(group, numbers[0])
    flip, frequency = numbers
    own = Irrep(group, frequency)
    return Irrep(group, frequency, odd=own.size == 1 and flip == 1)


@torch.no_grad()
def _conv(module: Any) -> nn.Module:
    mode = getattr(module, "padding_mode", "zeros")
    if mode != "zeros":
        raise NotImplementedError(f"cannot import padding_mode={mode!r}: only zeros")
    layer = SteerableConv2d(
        field_type(module.in_type),
        field_type(module.out_type),
        _one(module.kernel_size),
        stride=_one(module.stride),
        padding=_one(module.padding),
        dilation=_one(module.dilation),
        groups=module.groups,
        bias=module.bias is not None,
    )
    filters, bias = module.expand_parameters()
    left = layer.load_filters(filters, bias)
    scale = filters.abs().max().item()
    if left > 1e-3 * scale:
        raise ValueError(
            f"filters differ by {left / scale:.1e} from the nearest of ours: only their default rings, frequencies and "
            "widths are the same space; set kernel_size alone"
        )
    return layer


@torch.no_grad()
def _batch_norm(module: Any) -> nn.Module:
    layer = FieldBatchNorm2d(field_type(module.in_type), eps=module.eps, momentum=module.momentum, affine=module.affine)
    if layer.spread.shape[1] != len(layer.field_type):
        raise NotImplementedError("cannot import InnerBatchNorm of fields with several or no invariant directions")
    sizes = {rep.size for rep in layer.field_type.fields}
    for size in sizes:
        where = torch.tensor([i for i, rep in enumerate(layer.field_type.fields) if rep.size == size])
        norm = _child(module, size)
        for own, theirs in (
            (layer.running_mean, norm.running_mean),
            (layer.running_var, norm.running_var),
            (layer.weight, norm.weight),
            (layer.bias, norm.bias),
        ):
            if own is not None and isinstance(theirs, Tensor):
                own[where] = theirs
    return layer


def _child(module: Any, size: int) -> nn.Module:
    found = [child for name, child in module.named_modules() if name.endswith(f"_[{size}]")]
    if len(found) != 1:
        raise NotImplementedError(f"cannot find the statistics of the fields of size {size} in this InnerBatchNorm")
    return found[0]


def _group_pool(module: Any) -> nn.Module:
    own = field_type(module.in_type)
    if isinstance(own.group, ContinuousGroup) or any(rep != regular(own.group) for rep in own.fields):
        raise NotImplementedError(f"cannot import GroupPooling of {own}: only regular fields are pooled here")
    return GroupPool2d(group=own.group)


def _one(value: Any) -> int:
    values = set(value) if isinstance(value, (tuple, list)) else {value}
    if len(values) != 1:
        raise NotImplementedError(f"cannot import different values for rows and columns (got {value})")
    return int(values.pop())
