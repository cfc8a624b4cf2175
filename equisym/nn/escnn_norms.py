"""Batch normalisations of escnn and e2cnn as ours: statistics and scales field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from equisym.nn.escnn_types import field_type
from equisym.nn.field_norm import FieldBatchNorm2d


def _made(module: Any, *, one_mean: bool = False) -> FieldBatchNorm2d:
    if module.momentum is None or not getattr(module, "track_running_stats", True):
        raise NotImplementedError(f"cannot import {type(module).__name__} without running statistics or momentum")
    options = {"eps": module.eps, "momentum": module.momentum, "affine": module.affine, "one_mean": one_mean}
    return FieldBatchNorm2d(field_type(module.in_type), **options)


@torch.no_grad()
def _put(layer: FieldBatchNorm2d, fields: Sequence[int], values: dict[str, Tensor | None]) -> None:
    """Set what some fields have: variances and weights by field, means and biases along their invariant directions."""
    counts = [1 if layer.one_mean else rep.trivial_basis.shape[1] for rep in layer.field_type.fields]
    starts = [sum(counts[:f]) for f in fields]
    free = [start + i for start, f in zip(starts, fields, strict=True) for i in range(counts[f])]
    for name, value in values.items():
        own = getattr(layer, name)
        if own is not None and value is not None:
            own[list(fields) if name in ("running_var", "weight") else free] = value.detach().flatten().to(own)


def _numbered(layer: FieldBatchNorm2d, label: Callable[[int], Any]) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    for f in range(len(layer.field_type)):
        found.setdefault(label(f), []).append(f)
    return found


def inner(module: Any) -> FieldBatchNorm2d:
    """``InnerBatchNorm``: one mean over the components of a field, which the group permutes among themselves."""
    layer = _made(module, one_mean=True)
    for size, fields in _numbered(layer, lambda f: layer.field_type.fields[f].size).items():
        norm = next(m for name, m in module.named_modules() if name.endswith(f"_[{size}]"))
        names = ("running_mean", "running_var", "weight", "bias")
        _put(layer, fields, {name: getattr(norm, name) for name in names})
    return layer


def by_representation(module: Any) -> FieldBatchNorm2d:
    """``IIDBatchNorm2d``, and ``GNormBatchNorm`` of irreps: statistics kept by name of representation."""
    layer, names = _made(module), [rep.name for rep in module.in_type.representations]
    irreps_only = all(len(rep.irreps) == 1 for rep in layer.field_type.fields)
    if type(module).__name__ == "GNormBatchNorm" and not irreps_only:
        raise NotImplementedError(
            "cannot import GNormBatchNorm of fields that are no irreps: each has several variances"
        )
    for name, fields in _numbered(layer, names.__getitem__).items():
        size = layer.field_type.fields[fields[0]].size
        found = {
            key: getattr(module, f"{name.replace('.', '^')}_{key}", None)
            for key in ("running_mean", "running_var", "weight", "bias")
        }
        mean, bias = found["running_mean"], found["bias"]
        if mean is not None and mean.shape[1] == size:  # theirs has a mean for each component
            directions = torch.from_numpy(layer.field_type.fields[fields[0]].trivial_basis.copy()).to(mean)
            found["running_mean"] = mean @ directions / size**0.5
        if bias is not None:
            found["bias"] = bias / size**0.5  # along a unit vector there, along one of unit components here
        _put(layer, fields, found)
    return layer


def by_length(module: Any) -> FieldBatchNorm2d:
    """``NormBatchNorm`` and ``InducedNormBatchNorm``: fields without invariant directions are scaled alone."""
    layer = _made(module)
    parts = [
        next((int(n.split("_")[-1]) for n in rep.supported_nonlinearities if n.startswith("induced_norm")), None)
        for rep in module.in_type.representations
    ]
    induced = type(module).__name__ == "InducedNormBatchNorm"
    sizes = [rep.size for rep in layer.field_type.fields]
    for key, fields in _numbered(layer, lambda f: (sizes[f], parts[f]) if induced else sizes[f]).items():
        _put(layer, fields, {name: getattr(module, f"{key}_{name}", None) for name in ("running_var", "weight")})
    return layer


NORMS: dict[str, Callable[[Any], FieldBatchNorm2d]] = {
    "InnerBatchNorm": inner,
    "IIDBatchNorm2d": by_representation,
    "GNormBatchNorm": by_representation,
    "NormBatchNorm": by_length,
    "InducedNormBatchNorm": by_length,
}
"""What converts each kind."""
