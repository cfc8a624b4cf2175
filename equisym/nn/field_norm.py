"""Batch, instance, group and layer normalisation of fields of any representation."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from equisym.nn.arguments import Place, count, real
from equisym.nn.constant import ConstantModule
from equisym.nn.field_type import FieldType, check_types
from equisym.nn.synchronise import is_shared, moments_of_all


class _FieldNorm(ConstantModule):
    """Per-channel statistics, pooled over the channels that the group mixes, give a scale and a shift per channel."""

    spread: Tensor
    gather: Tensor
    average: Tensor
    share: Tensor
    field_of: Tensor

    def __init__(
        self,
        field_type: FieldType,
        groups: list[range],
        eps: float,
        affine: bool,
        one_mean: bool = False,
        **place: Unpack[Place],
    ) -> None:
        super().__init__()
        self.field_type, self.eps, self.affine, self.one_mean = field_type, real("eps", eps), affine, one_mean
        sizes = [rep.size for rep in field_type.fields]
        each = [rep.trivial_basis * np.sqrt(rep.size) for rep in field_type.fields]
        if one_mean:
            each = [np.ones((size, 1)) for size in sizes]
        free = sum(t.shape[1] for t in each)
        spread, average = np.zeros((field_type.size, free)), np.zeros((len(groups), field_type.size))
        group_of_column, weight_of_column, at = np.zeros(free, int), np.zeros(free), 0
        field_of = np.repeat(np.arange(len(sizes)), sizes)
        for number, members in enumerate(groups):
            for f in members:
                start, width = field_type.starts[f], each[f].shape[1]
                spread[start : start + sizes[f], at : at + width] = each[f]
                average[number, start : start + sizes[f]] = 1.0
                group_of_column[at : at + width], weight_of_column[at : at + width] = number, sizes[f]
                at += width
        average /= average.sum(1, keepdims=True)
        share = (average > 0).T.astype(float)  # back from groups to channels
        gather = spread.T / weight_of_column[:, None]
        if len(groups) < len(sizes):  # one mean for all invariant directions of a group
            same = (group_of_column[:, None] == group_of_column[None]) * weight_of_column[None]
            gather = (same / np.maximum(same.sum(1, keepdims=True), 1e-30)) @ gather
        for name, values in (("spread", spread), ("gather", gather), ("average", average), ("share", share)):
            self.register_constant(name, values, **place)
        self.register_constant("field_of", field_of, **place)
        self.weight = nn.Parameter(torch.ones(len(sizes), **place)) if affine else None
        self.bias = nn.Parameter(torch.zeros(free, **place)) if affine else None

    def _statistics(self, x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Mean along the invariant directions (..., free) and variance about it (..., groups)."""
        variance, mean = torch.var_mean(x, dims, correction=0)
        return self._pooled(mean, variance)

    def _pooled(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """The same from each channel's mean and variance."""
        free = mean @ self.gather.T
        rest = mean - free @ self.spread.T
        return free, (variance + rest.square()) @ self.average.T

    def _normalise(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = torch.rsqrt(variance + self.eps) @ self.share.T
        if self.weight is not None:
            scale = scale * self.weight[self.field_of]
        shift = -(mean @ self.spread.T) * scale
        if self.bias is not None:
            shift = shift + self.spread @ self.bias.to(self.spread.dtype)
        return x * scale[..., None, None].to(x.dtype) + shift[..., None, None].to(x.dtype)

    def _float(self, x: Tensor) -> Tensor:
        """Half-precision maps are measured in the parameters' precision."""
        self.field_type.check(x)
        return x.to(self.spread.dtype)

    def extra_repr(self) -> str:
        options = ("" if self.affine else ", affine=False") + (", one_mean=True" if self.one_mean else "")
        return f"{self.field_type!r}, eps={self.eps}{options}"


class FieldBatchNorm2d(_FieldNorm):
    r"""Batch normalisation of fields: one mean per invariant direction and one variance per field.

    .. math:: y = \gamma\, \frac{x - T T^\top \mu}{\sqrt{\sigma^2 + \epsilon}} + T \beta

    x is one field, mu its mean over batch and pixels, T an orthonormal basis of the vectors that the group leaves
    unchanged (the constant vector of a regular field, nothing for irreps that are not trivial), sigma^2 the mean square
    of a component about it, and gamma and beta are learned. Every quantity is the same after rotating the input.

    Args:
        field_type: fields of input and output.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether gamma and beta are learned.
        one_mean: whether a field that the group permutes has one mean, over all its components, even where the group
            leaves more than their sum unchanged, as after a restriction.
        place: ``device`` and ``dtype`` of the parameters.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    Raises:
        ValueError: at construction if one mean is asked of fields that are not permuted; at the call for a wrong number
            of channels.

    >>> from equisym.groups import C
    >>> FieldBatchNorm2d(FieldType.regular(C(4), 3))(torch.randn(2, 12, 5, 5)).shape
    torch.Size([2, 12, 5, 5])

    Source: Weiler & Cesa, General E(2)-Equivariant Steerable CNNs (2019), section 2.6.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        field_type: FieldType,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        one_mean: bool = False,
        **place: Unpack[Place],
    ) -> None:
        check_types((field_type,))
        if one_mean and not all(rep.is_permutation for rep, _ in field_type.distinct):
            raise ValueError(f"one_mean needs fields that the group permutes (got {field_type}): leave it out")
        each = [range(f, f + 1) for f in range(len(field_type))]
        super().__init__(field_type, each, eps, affine, one_mean, **place)
        self.momentum = real("momentum", momentum, zero=True)
        self.register_buffer("running_mean", torch.zeros(self.spread.shape[1], **place))
        self.register_buffer("running_var", torch.ones(len(field_type), **place))
        # holds nothing: its synchronised form, which torch.nn.SyncBatchNorm or synchronise_norms puts here, is a sign
        self.processes = nn.BatchNorm1d(1, affine=False, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.field_type.check(x)
            return self._normalise(x, *self._running())
        dims = (*range(x.ndim - 3), x.ndim - 2, x.ndim - 1)
        if is_shared(self.processes):
            *moments, count = moments_of_all(self._float(x), dims, self.processes)
            mean, variance = self._pooled(*(values.to(self.spread) for values in moments))
            unbiased = count / (count - 1).clamp(min=1)
        else:
            count = x.numel() // self.field_type.size
            if count == 0:  # nothing to learn from: the running statistics stay
                return self._normalise(x, *self._running())
            mean, variance = self._statistics(self._float(x), dims)
            unbiased = count / max(count - 1, 1)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            self.running_var.lerp_((variance * unbiased).to(self.running_var), self.momentum)
        return self._normalise(x, mean, variance)

    def _running(self) -> tuple[Tensor, Tensor]:
        return self.running_mean.to(self.spread.dtype), self.running_var.to(self.spread.dtype)

    @torch.no_grad()
    def to_plain(self) -> nn.BatchNorm2d:
        """The same function as an ordinary :class:`torch.nn.BatchNorm2d` (running statistics)."""
        plain = nn.BatchNorm2d(self.field_type.size, self.eps, self.momentum)
        plain.to(self.running_var)
        plain.running_mean = self.spread @ self.running_mean
        plain.running_var = self.share @ self.running_var
        if self.weight is not None and self.bias is not None:
            plain.weight.copy_(self.weight[self.field_of])
            plain.bias.copy_(self.spread @ self.bias)
        return plain.train(self.training)


class FieldGroupNorm2d(_FieldNorm):
    r"""Group normalisation of fields: each sample is normalised over sets of whole fields.

    .. math:: y = \gamma\, \frac{x - T \mu}{\sqrt{\sigma^2 + \epsilon}} + T \beta

    mu is the mean, over the pixels of one sample and the fields of one set, of the components along the invariant
    directions T; sigma^2 the mean square about it of all components in the set. On regular fields this is
    :class:`torch.nn.GroupNorm` with one gamma and beta per field.

    Args:
        num_groups: sets of consecutive fields; it must divide their number.
        field_type: fields of input and output.
        eps: added to the variance.
        affine: whether gamma and beta are learned.
        place: ``device`` and ``dtype`` of the parameters.

    Shape:
        ``(B, field_type.size, H, W)`` -> the same.

    Raises:
        ValueError: at construction if ``num_groups`` does not divide the fields; at the call for a wrong number of
            channels.

    >>> from equisym.groups import C
    >>> FieldGroupNorm2d(2, FieldType.regular(C(4), 4))(torch.randn(1, 16, 5, 5)).shape
    torch.Size([1, 16, 5, 5])
    """

    def __init__(
        self,
        num_groups: int,
        field_type: FieldType,
        *,
        eps: float = 1e-5,
        affine: bool = True,
        **place: Unpack[Place],
    ) -> None:
        check_types((field_type,))
        if len(field_type) % count("num_groups", num_groups):
            raise ValueError(f"num_groups must divide the {len(field_type)} fields (got {num_groups})")
        width = len(field_type) // num_groups
        super().__init__(
            field_type, [range(i * width, (i + 1) * width) for i in range(num_groups)], eps, affine, **place
        )
        self.num_groups = num_groups

    def forward(self, x: Tensor) -> Tensor:
        return self._normalise(x, *self._statistics(self._float(x), (-2, -1)))


class FieldInstanceNorm2d(FieldGroupNorm2d):
    """Instance normalisation: :class:`FieldGroupNorm2d` with every field on its own.

    >>> from equisym.groups import O2, irrep
    >>> FieldInstanceNorm2d(FieldType.of((2, irrep(O2, 1))))(torch.randn(1, 4, 5, 5)).shape
    torch.Size([1, 4, 5, 5])
    """

    def __init__(
        self, field_type: FieldType, *, eps: float = 1e-5, affine: bool = True, **place: Unpack[Place]
    ) -> None:
        check_types((field_type,))
        super().__init__(len(field_type), field_type, eps=eps, affine=affine, **place)


class FieldLayerNorm2d(FieldGroupNorm2d):
    """Layer normalisation: :class:`FieldGroupNorm2d` with all fields in one set, pixels included.

    >>> from equisym.groups import D
    >>> FieldLayerNorm2d(FieldType.regular(D(2), 2))(torch.randn(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self, field_type: FieldType, *, eps: float = 1e-5, affine: bool = True, **place: Unpack[Place]
    ) -> None:
        super().__init__(1, field_type, eps=eps, affine=affine, **place)
