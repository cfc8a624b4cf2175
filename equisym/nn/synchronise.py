"""Batch normalisation over the batches of all processes of a run, on any device."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equisym.nn.normalisation import ChannelBatchNorm2d


class SynchronisedNorm(_BatchNorm):
    r"""Batch normalisation with mean and variance over the batches of all processes.

    .. math:: \mu = \frac{\sum_r \sum_x x}{\sum_r n_r}, \qquad \sigma^2 = \frac{\sum_r \sum_x (x - \mu)^2}{\sum_r n_r}

    r runs over the processes, x over the n_r numbers of a channel in one. torch.nn.SyncBatchNorm does the same, on GPUs
    only.

    Args:
        num_features: channels.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a scale and a shift are learned.
        track_running_stats: whether to keep running statistics.

    Shape:
        ``(B, num_features, ...)`` -> the same.
    """

    process_group: Any = None

    def _check_input_dim(self, input: Tensor) -> None:
        del input

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not is_shared(self):
            return super().forward(input)
        shape = [1, -1] + [1] * (input.ndim - 2)
        mean, variance, count = moments_of_all(input, (0, *range(2, input.ndim)), self)
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean), momentum)
                unbiased = variance * (count / (count - 1).clamp(min=1))
                self.running_var.lerp_(unbiased.to(self.running_var), momentum)
        scale = torch.rsqrt(variance + self.eps)
        y = (input - mean.view(shape)) * (scale * self.weight if self.affine else scale).view(shape)
        return (y + self.bias.view(shape) if self.affine else y).to(input.dtype)


def synchronise_norms(model: nn.Module) -> nn.Module:
    """Let every batch normalisation, of torch.nn or of this library, take the statistics of all processes, anywhere.

    :meth:`torch.nn.SyncBatchNorm.convert_sync_batchnorm` reaches the same layers, with torch's kernels, which run on
    GPUs only. Names in the state stay.

    Args:
        model: changed in place.

    Returns:
        The model; a new module where it is a layer of torch.nn itself.

    >>> from equisym.groups import C
    >>> from equisym.nn import GroupBatchNorm2d
    >>> type(synchronise_norms(GroupBatchNorm2d(2, group=C(4))).norm).__name__
    'SynchronisedNorm'
    """
    twins: dict[nn.Module, nn.Module] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        # a subclass may do more than the base class
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, ChannelBatchNorm2d):
            if module not in twins:
                twins[module] = _twin(module)  # pyright: ignore[reportArgumentType]
            if not name:
                return twins[module]
            model.set_submodule(name, twins[module])
        elif isinstance(module, _BatchNorm) and not isinstance(module, SynchronisedNorm | nn.SyncBatchNorm):
            warnings.warn(
                f"{name} is a {type(module).__name__}, which is normalised separately in each process", stacklevel=2
            )
    return model


def _twin(norm: _BatchNorm) -> SynchronisedNorm:
    twin = SynchronisedNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    for name, values in [*norm.named_parameters(), *norm.named_buffers()]:
        setattr(twin, name, values)
    return twin.train(norm.training)


def is_shared(norm: nn.Module) -> bool:
    """Whether a layer was synchronised, by torch or by us, and there are other processes to share statistics with."""
    if not isinstance(norm, SynchronisedNorm | nn.SyncBatchNorm):
        return False
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size(_group(norm)) > 1


def moments_of_all(x: Tensor, dims: Sequence[int], norm: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance over some axes in the processes of a synchronised layer, and how many numbers each is of.

    In float32 at least.
    """
    dims, group = tuple(dims), _group(norm)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    mean_shape = [1 if axis in dims else size for axis, size in enumerate(x.shape)]
    total = x.sum(dims)
    count = total.new_tensor([x.numel() / total.numel()])
    total = _Sum.apply(torch.cat([total, count]), group)
    mean, count = total[:-1] / total[-1], total[-1].detach()
    return mean, _Sum.apply((x - mean.view(mean_shape)).square().sum(dims), group) / count, count


def _group(norm: nn.Module) -> Any:
    return getattr(norm, "process_group", None) or None


class _Sum(torch.autograd.Function):
    """The sum over processes; each of them has a share in what all make of it, so gradients are added up as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        x = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(x, group=group)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(grads[0], ctx.group), None
