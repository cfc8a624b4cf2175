"""Batch normalisation that keeps the symmetry: one mean, variance, scale and shift for all elements of a field."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from equisym.groups import PointGroup
from equisym.nn.arguments import channels_of, check_group, count, real
from equisym.nn.expanded_conv import is_channels_last
from equisym.nn.fused import fused_kernels, is_plain_call


class GroupBatchNorm2d(nn.Module):
    r"""Batch normalisation of regular fields.

    .. math:: y(g, x) = \gamma\,\frac{f(g, x) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    with mu and sigma^2 over the batch, the pixels x and the elements g of ``group``, one of each for a field, so that
    the layer commutes with every permutation of the elements. The maps keep their layout, channels_last or not; on a
    GPU the statistics are taken per channel and then pooled, which gives every processor work.

    Args:
        fields: number of regular fields; the input has ``fields * group.order`` channels.
        group: the point group.
        eps: added to the variance.
        momentum: weight of the newest batch in the running averages; None means the mean of all batches.
        device: where to make the parameters.
        dtype: of the parameters.

    Shape:
        ``(B, fields * order, H, W)`` -> the same.

    Raises:
        ValueError: at construction if there are no fields; at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> GroupBatchNorm2d(2, group=C(4))(torch.randn(3, 8, 5, 5)).shape
    torch.Size([3, 8, 5, 5])
    """

    def __init__(
        self,
        fields: int,
        *,
        group: PointGroup,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_group(group)
        self.fields, self.group = count("fields", fields), group
        if momentum is not None:
            momentum = real("momentum", momentum, zero=True)
        # a child, so that its synchronised form can replace it
        self.norm = nn.BatchNorm3d(fields, real("eps", eps), momentum, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        channels, order, norm = self.fields * self.group.order, self.group.order, self.norm
        if isinstance(x, Tensor) and channels_of(x) != channels:  # a symbolic trace has no shape yet
            raise ValueError(
                f"input must have {channels} channels, {self.fields} fields of {self.group} (got {x.shape[-3]})"
            )
        if isinstance(x, Tensor) and x.ndim == 3:
            return self.forward(x.unsqueeze(0)).squeeze(0)
        if not self.training:
            mean, variance, scale, shift = self._per_channel()
            return functional.batch_norm(x, mean, variance, scale, shift, eps=norm.eps)
        if type(norm) is nn.BatchNorm3d and is_plain_call(x) and x.numel():
            norm.num_batches_tracked.add_(1)  # pyright: ignore[reportOptionalMemberAccess]
            momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum  # pyright: ignore
            averages = norm.running_mean, norm.running_var
            weights = (values.to(norm.running_mean.dtype) for values in (norm.weight, norm.bias))  # pyright: ignore
            own = x, *weights, *averages, momentum, norm.eps, order
            kernels = fused_kernels(x, "norm_kernel")
            if kernels is not None and x.dtype in kernels.DTYPES:
                return _FusedBatchNorm.apply(*own, kernels)
            return (_PooledBatchNorm if x.is_cuda else _BatchNormOfView).apply(*own)
        return norm(x.unflatten(1, (self.fields, order))).flatten(1, 2)

    def _per_channel(self) -> tuple[Tensor, ...]:
        """Running mean and variance, scale and shift, each repeated for the elements of its field."""
        names, dtype = ("running_mean", "running_var", "weight", "bias"), self.norm.running_mean.dtype  # pyright: ignore
        return tuple(getattr(self.norm, name).to(dtype).repeat_interleave(self.group.order) for name in names)

    @torch.no_grad()
    def to_plain(self) -> nn.BatchNorm2d:
        """The same function as an ordinary :class:`torch.nn.BatchNorm2d` (running statistics)."""
        plain = nn.BatchNorm2d(self.fields * self.group.order, self.norm.eps, self.norm.momentum)
        plain.to(self.norm.weight)
        for name, values in zip(("running_mean", "running_var", "weight", "bias"), self._per_channel(), strict=True):
            getattr(plain, name).copy_(values)
        return plain.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}"


class ChannelBatchNorm2d(nn.BatchNorm2d):
    """:class:`torch.nn.BatchNorm2d`, trained on a GPU by the kernels of :class:`GroupBatchNorm2d`."""

    def forward(self, input: Tensor) -> Tensor:
        momentum = self.momentum
        if not isinstance(input, Tensor):  # a symbolic trace, which cannot follow torch's check of the shape
            figures = self.running_mean, self.running_var, self.weight, self.bias
            return functional.batch_norm(input, *figures, self.training, momentum or 0.0, self.eps)
        usual = self.training and self.affine and self.track_running_stats and momentum is not None
        kernels = fused_kernels(input, "norm_kernel") if usual else None
        if kernels is None or input.dtype not in kernels.DTYPES or input.numel() <= input.shape[1]:
            return super().forward(input)
        self.num_batches_tracked.add_(1)  # pyright: ignore[reportOptionalMemberAccess]
        rest = self.running_mean, self.running_var, momentum, self.eps, 1, kernels
        return _FusedBatchNorm.apply(input, self.weight, self.bias, *rest)

    def to_plain(self) -> nn.BatchNorm2d:
        """The layer of torch."""
        plain = nn.BatchNorm2d(self.num_features, self.eps, self.momentum, self.affine, self.track_running_stats)
        plain.to(self.weight).load_state_dict(self.state_dict())
        return plain.train(self.training)


class _BatchNormOfView(torch.autograd.Function):
    """Training-mode batch norm of fields in place of channels, by torch's own kernel on a view of the maps.

    As one function its answer is no view, so that a ReLU in place behind it costs autograd no copies.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, *rest: Any) -> Tensor:
        running_mean, running_var, momentum, eps, order = rest
        x = _dense(x, is_channels_last(x))
        rows = _rows(x, order)
        y, mean, invstd = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        out = _rows(y, order), mean, invstd
        torch.native_batch_norm(rows, weight, bias, running_mean, running_var, True, momentum, eps, out=out)
        ctx.save_for_backward(x, weight, mean, invstd)
        ctx.eps, ctx.order = eps, order
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, invstd = ctx.saved_tensors
        rows, grad = _rows(x, ctx.order), _rows(_dense(grads[0], is_channels_last(x)), ctx.order)
        found = torch.ops.aten.native_batch_norm_backward(
            grad, rows, weight, None, None, mean, invstd, True, ctx.eps, [True, True, True]
        )
        return _maps(found[0], x), found[1], found[2], *(None,) * 5


def _rows(x: Tensor, order: int) -> Tensor:
    """Maps with the fields on the second axis, whatever their layout, without a copy."""
    if is_channels_last(x):
        return x.permute(0, 2, 3, 1).unflatten(-1, (-1, order)).flatten(0, 2)
    return x.unflatten(1, (-1, order))


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """Back from rows to maps."""
    if is_channels_last(like):
        return rows.view(like.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
    return rows.flatten(1, 2)


class _PooledBatchNorm(torch.autograd.Function):
    """Training-mode batch norm with statistics pooled over the group, by the GPU kernels of synchronised batch norm.

    Those kernels measure each channel, pool the figures of several workers, and normalise each channel. Here the
    elements of the group take the part of the workers. Both layouts are read and written as they are.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, *rest: Any) -> Tensor:
        running_mean, running_var, momentum, eps, order = rest
        x = _dense(x, is_channels_last(x))
        count = x.numel() // x.shape[1]
        mean, invstd = (v.view(-1, order).T.contiguous() for v in torch.batch_norm_stats(x, eps))
        counts = torch.full((order,), count, dtype=running_mean.dtype, device=x.device)
        averages = running_mean, running_var
        pooled = torch.batch_norm_gather_stats_with_counts(x, mean, invstd, *averages, momentum, eps, counts)
        mean, invstd, scale, shift = torch.stack((*pooled, weight, bias)).repeat_interleave(order, 1)
        ctx.save_for_backward(x, mean, invstd, scale)
        ctx.order, ctx.count = order, count * order
        return torch.batch_norm_elemt(x, scale, shift, mean, invstd, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, mean, invstd, scale = ctx.saved_tensors
        grad = _dense(grads[0], is_channels_last(x))
        figures = torch.batch_norm_backward_reduce(grad, x, mean, invstd, scale, True, True, True)
        pooled = torch.stack(figures).view(4, -1, ctx.order).sum(2)
        sum_dy, sum_dy_xmu = pooled[:2].repeat_interleave(ctx.order, 1)
        count = torch.full((1,), ctx.count, dtype=torch.int32, device=x.device)
        dx = torch.batch_norm_backward_elemt(grad, x, mean, invstd, scale, sum_dy, sum_dy_xmu, count)
        return dx, pooled[2], pooled[3], *(None,) * 5


class _FusedBatchNorm(torch.autograd.Function):
    """Training-mode batch norm of fields by our own GPU kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, *rest: Any) -> Tensor:
        *averages, momentum, eps, order, kernels = rest
        last = is_channels_last(x)
        x = _dense(x, last)
        y, figures = kernels.normalise(x, weight, bias, *averages, momentum, eps, order, last)
        ctx.save_for_backward(x, weight, figures)
        ctx.options = kernels, order, last
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x, weight, figures), (kernels, order, last) = ctx.saved_tensors, ctx.options
        return *kernels.gradients(x, _dense(grads[0], last), weight, figures, order, last), *(None,) * 6


def _dense(x: Tensor, channels_last: bool) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
