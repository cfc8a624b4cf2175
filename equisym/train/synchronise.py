"""Batch normalisation over all processes of a run, on any device."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from equisym.nn.normalisation import ChannelBatchNorm2d
from equisym.train.samplers import rank_and_world


class SynchronisedNorm(_BatchNorm):
    r"""Batch normalisation with mean and variance over the batches of all processes.

    .. math:: \mu = \frac{\sum_r \sum_x x}{\sum_r n_r}, \qquad \sigma^2 = \frac{\sum_r \sum_x (x - \mu)^2}{\sum_r n_r}

    r runs over the processes, x over the n_r numbers of a channel in one. torch.nn.SyncBatchNorm does the same, on GPUs
    only.

    Args:
        num_features: channels.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.

    Shape:
        ``(B, num_features, ...)`` -> the same.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        del input

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or rank_and_world()[1] == 1:
            return super().forward(input)
        dims = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        x = input.to(self.weight.dtype)
        count = torch.tensor([x.numel() / x.shape[1]], dtype=x.dtype, device=x.device)
        total = all_reduce(torch.cat([x.sum(dims), count]))
        mean, count = total[:-1] / total[-1], total[-1].detach()
        centred = x - mean.view(shape)
        variance = all_reduce(centred.square().sum(dims)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)


def synchronise_norms(model: nn.Module) -> None:
    """Replace every batch normalisation of torch.nn, and ours, by the synchronised form; names in the state stay."""
    twins: dict[nn.Module, nn.Module] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        # a subclass may do more than the base class
        plain = type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, ChannelBatchNorm2d)
        if isinstance(module, _BatchNorm) and plain and module.affine:
            if module not in twins:
                twin = SynchronisedNorm(module.num_features, module.eps, module.momentum)
                twin.load_state_dict(module.state_dict())
                twins[module] = twin.to(module.weight.device, module.weight.dtype).train(module.training)
            model.set_submodule(name, twins[module])
        elif isinstance(module, _BatchNorm) and not isinstance(module, SynchronisedNorm | nn.SyncBatchNorm):
            warnings.warn(
                f"{name} is a {type(module).__name__}, which is normalised separately in each process", stacklevel=2
            )
