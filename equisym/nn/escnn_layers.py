"""Single layers of escnn and e2cnn as ours, by the name of their class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import PointGroup, regular
from equisym.nn.constant import ConstantModule
from equisym.nn.dropout import FieldDropout2d
from equisym.nn.escnn_conv import convolution, linear, one
from equisym.nn.escnn_norms import NORMS
from equisym.nn.escnn_types import field_type, group_of
from equisym.nn.field_nonlinearity import GatedNonlinearity, NormFunction, NormNonlinearity
from equisym.nn.field_order import SelectFields2d, SplitFields2d
from equisym.nn.field_pooling import FieldMagnitude2d, FieldMax2d, NormMaxPool2d
from equisym.nn.field_type import FieldType
from equisym.nn.pooling import GroupPool2d
from equisym.nn.product_nonlinearity import ConcatenatedNonlinearity, TensorProductNonlinearity
from equisym.nn.resample import BlurPool2d, DiscMask2d
from equisym.nn.restriction import Restrict2d

POINTWISE: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


def which(function: Callable[[Tensor], Tensor], known: Sequence[str]) -> str:
    """The name of a function that they keep as a lambda, found by its values.

    Raises:
        NotImplementedError: if it is none of the known ones.
    """
    points = torch.linspace(-2, 2, 9)
    for name in known:
        ours = points / (1 + points) if name == "squash" else getattr(functional, name)(points)
        if torch.allclose(function(points.clone()), ours):
            return name
    raise NotImplementedError(f"cannot import a function that is none of {', '.join(known)}")


def _pointwise(module: Any) -> nn.Module:
    return POINTWISE[which(module._function, tuple(POINTWISE))]()


def _max_pool(module: Any) -> nn.Module:
    return nn.MaxPool2d(module.kernel_size, module.stride, module.padding, module.dilation, ceil_mode=module.ceil_mode)


def _avg_pool(module: Any) -> nn.Module:
    return nn.AvgPool2d(module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode)


def _blur(module: Any, padding: Any) -> nn.Module:
    row = module.filter[0, 0, module.filter.shape[-1] // 2].double().cpu()
    radius = len(row) // 2
    if radius == 0:
        return nn.AvgPool2d(1, one(module.stride), one(padding))
    sigma = round(math.sqrt(-0.5 / math.log(row[radius + 1] / row[radius])), 6)
    return BlurPool2d(one(module.stride), sigma=sigma, radius=radius, padding=one(padding))


def _max_blur(module: Any) -> nn.Module:
    window = (one(module.kernel_size), 1, one(module.padding), one(module.dilation))
    return nn.Sequential(nn.MaxPool2d(*window), _blur(module, module._pad))


def _norm_max_pool(module: Any) -> nn.Module:
    if one(module.dilation) != 1 or module.ceil_mode:
        raise NotImplementedError("cannot import NormMaxPool with dilation or ceil_mode: only stride and padding")
    sizes = (one(module.kernel_size), one(module.stride))
    return NormMaxPool2d(field_type(module.in_type), *sizes, padding=one(module.padding))


def _upsample(module: Any) -> nn.Module:
    return nn.Upsample(module._size, module._scale_factor, module._mode, module._align_corners)


def _mask(module: Any) -> nn.Module:
    mask = module.mask[0, 0].double().cpu()
    half = (len(mask) - 1) / 2
    margin = half * module.margin / 100
    row = torch.arange(len(mask), dtype=torch.float64) - half
    beyond = row[:, None] ** 2 + row**2 - (half - margin) ** 2
    edge = (mask < 0.99) & (mask > 1e-30)
    sigma = 2.0 if not edge.any() else (beyond[edge] / -mask[edge].log()).sqrt().median().item()
    layer = DiscMask2d(round(margin, 9), sigma=round(sigma, 5), profile="area")
    if not torch.allclose(layer(torch.ones_like(mask)[None, None])[0, 0], mask, atol=1e-5):
        raise NotImplementedError("cannot import this MaskModule: it is no disc with a Gaussian edge")
    return layer


def _group_pool(module: Any) -> nn.Module:
    own = field_type(module.in_type)
    if isinstance(own.group, PointGroup) and all(rep == regular(own.group) for rep in own.fields):
        return GroupPool2d(group=own.group)
    return FieldMax2d(own)


def _part(module: Any) -> int:
    """Components of the parts of their induced fields, which must be the same in all."""
    found = {
        int(name.split("_")[-1])
        for rep in module.in_type.representations
        for name in rep.supported_nonlinearities
        if name.startswith("induced_norm")
    }
    if len(found) != 1:
        raise NotImplementedError(
            f"cannot import induced fields with parts of {sorted(found)} components: only of one size"
        )
    return found.pop()


def _induced_pool(module: Any) -> nn.Module:
    lengths = FieldMagnitude2d(field_type(module.in_type), part=_part(module))
    return nn.Sequential(lengths, FieldMax2d(lengths.norm_type))


@torch.no_grad()
def _norm_nonlinearity(module: Any, part: int | None = None) -> nn.Module:
    own = field_type(module.in_type)
    function: NormFunction = which(module._function, ("relu", "softplus", "sigmoid", "squash"))  # pyright: ignore
    layer = NormNonlinearity(own, function, bias=module.log_bias is not None, part=part)
    if layer.bias is not None:
        by_size = sorted(range(len(own)), key=lambda f: own.fields[f].size)  # theirs are kept so
        layer.bias[by_size] = -module.log_bias.flatten().exp().to(layer.bias)
    return layer


@torch.no_grad()
def _gated(module: Any, part: int | None = None) -> nn.Module:
    """Theirs mixes gates and fields in any order, ours wants the fields first and each gate as its field comes."""
    own = field_type(module.in_type)
    if not module.drop_gates:
        raise NotImplementedError("cannot import a gated non-linearity that keeps its gates: set drop_gates=True")
    gates, fields = _fields(own, module, "gates_indices", "gate"), []
    for kind in module._order:
        fields += _fields(own, module, f"input_indices_{kind}", kind)
    return _gates(own, fields, gates, module.bias.flatten(), part)


@torch.no_grad()
def _gated_pair(module: Any) -> nn.Module:
    """``GatedNonLinearity2`` takes gates and fields as two maps; ours takes both in one, in this order."""
    gate_type, gated_type = (field_type(t) for t in module.in_type)
    by_size = sorted(range(len(gated_type)), key=lambda f: gated_type.fields[f].size)
    own = gate_type + gated_type
    fields = [len(gate_type) + f for f in by_size]
    return _gates(own, fields, list(range(len(gate_type))), module.bias.flatten(), None)


def _gates(own: FieldType, fields: list[int], gates: list[int], bias: Tensor, part: int | None) -> nn.Module:
    order = sorted(range(len(fields)), key=fields.__getitem__)
    layer = GatedNonlinearity(FieldType(own.group, tuple(own.fields[fields[i]] for i in order)), bias=True, part=part)
    assert layer.bias is not None
    layer.bias.copy_(-bias[order])
    select = SelectFields2d(own, [fields[i] for i in order] + [gates[i] for i in order])
    return nn.Sequential(select, layer)


def fields_of(own: Any, channels: list[int]) -> list[int]:
    """The numbers of the fields, ours or theirs, that begin at some of the channels, in the order of the channels."""
    if not isinstance(own, FieldType):
        own = field_type(own)
    number = {start: f for f, start in enumerate(own.starts)}
    return [number[c] for c in channels if c in number]


def _fields(own: FieldType, module: Any, name: str, kind: Any) -> list[int]:
    """The numbers of fields whose channels they keep, as a list or as first and last."""
    kept = getattr(module, name).tolist()
    contiguous = next(
        c for key, c in module._contiguous.items() if key == kind or (kind == "gate" and isinstance(key, str))
    )
    return fields_of(own, list(range(*kept)) if contiguous else kept)


def _concatenated(module: Any) -> nn.Module:
    function = which(module._function, ("relu", "sigmoid", "tanh"))
    return ConcatenatedNonlinearity(field_type(module.in_type), getattr(torch, function))


def _fourier(module: Any) -> nn.Module:
    return Sampled(module.A, module.Ainv, _pointwise(module))


@torch.no_grad()
def _tensor_product(module: Any) -> nn.Module:
    layer = TensorProductNonlinearity(field_type(module.in_type), field_type(module.out_type))
    matrix = module.expand_parameters().reshape(len(layer.in_type), -1).double().cpu()
    basis = torch.from_numpy(layer._exact["basis"].copy()).flatten(1)
    layer.weight.copy_(torch.linalg.lstsq(basis.T, matrix.T).solution.T)
    return layer


def _restrict(module: Any) -> nn.Module:
    return Restrict2d(field_type(module.in_type), to=group_of(module.out_type.gspace))


def _disentangle(module: Any) -> nn.Module:
    """Theirs takes a field apart only where its decomposition into irreps does, and not always in our order."""
    split, order = SplitFields2d(field_type(module.in_type)), []
    for start, rep in zip(split.in_type.starts, module.in_type.representations, strict=True):
        order += [start + int(c) for c in getattr(module, f"change_of_basis_{rep.name}").argmax(1)]
    if order == list(range(len(order))):
        return nn.Identity()
    return split if order == split.channels.tolist() else Reordered(order)


class Reordered(ConstantModule):
    """Channels in another order.

    Args:
        order: which channel of the input comes at each place.
    """

    order: Tensor

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.register_constant("order", np.array(order))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.order)


class Sampled(ConstantModule):
    """A pointwise function of the signal behind each field, at the elements and with the scales that they chose.

    Args:
        evaluate: from coefficients to samples, (samples, size).
        back: from samples to coefficients, (size, samples).
        function: applied to the samples.
    """

    evaluate: Tensor
    back: Tensor

    def __init__(self, evaluate: Tensor, back: Tensor, function: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.register_constant("evaluate", evaluate.double().cpu().numpy())
        self.register_constant("back", back.double().cpu().numpy())

    def forward(self, x: Tensor) -> Tensor:
        fields = x.unflatten(1, (-1, self.evaluate.shape[1]))
        signal = self.function(torch.einsum("gf,bcf...->bcg...", self.evaluate.to(x.dtype), fields))
        return torch.einsum("fg,bcg...->bcf...", self.back.to(x.dtype), signal).flatten(1, 2)


LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    **NORMS,
    "R2Conv": lambda m: convolution(m, transposed=False),
    "R2ConvTransposed": lambda m: convolution(m, transposed=True),
    "Linear": linear,
    "ReLU": lambda _: nn.ReLU(),
    "ELU": lambda m: nn.ELU(m.alpha),
    "LeakyReLU": lambda m: nn.LeakyReLU(m._negative_slope),
    "PointwiseNonLinearity": _pointwise,
    "NormNonLinearity": _norm_nonlinearity,
    "InducedNormNonLinearity": lambda m: _norm_nonlinearity(m, _part(m)),
    "GatedNonLinearity1": _gated,
    "GatedNonLinearity2": _gated_pair,
    "InducedGatedNonLinearity1": lambda m: _gated(m, next(sub for _, sub in m._order)),
    "ConcatenatedNonLinearity": _concatenated,
    "TensorProductModule": _tensor_product,
    **{name: _fourier for name in ("FourierPointwise", "FourierELU", "QuotientFourierPointwise", "QuotientFourierELU")},
    "PointwiseMaxPool": _max_pool,
    "PointwiseAvgPool": _avg_pool,
    "PointwiseMaxPoolAntialiased": _max_blur,
    "PointwiseAvgPoolAntialiased": lambda m: _blur(m, m.padding),
    "PointwiseAdaptiveMaxPool": lambda m: nn.AdaptiveMaxPool2d(m.output_size),
    "PointwiseAdaptiveAvgPool": lambda m: nn.AdaptiveAvgPool2d(m.output_size),
    "NormMaxPool": _norm_max_pool,
    "GroupPooling": _group_pool,
    "NormPool": lambda m: FieldMagnitude2d(field_type(m.in_type)),
    "InducedNormPool": _induced_pool,
    "PointwiseDropout": lambda m: nn.Dropout(m.p),
    "FieldDropout": lambda m: FieldDropout2d(field_type(m.in_type), m.p),
    "MaskModule": _mask,
    "R2Upsampling": _upsample,
    "RestrictionModule": _restrict,
    "DisentangleModule": _disentangle,
    "ReshuffleModule": lambda m: SelectFields2d(field_type(m.in_type), fields_of(m.in_type, m.indices.tolist())),
    "IdentityModule": lambda _: nn.Identity(),
}
"""What converts each kind; the suffix 2D of a name is left out."""
