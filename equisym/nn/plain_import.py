"""Start an equivariant network from a plain pretrained one, by averaging its filters over the group."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equisym.nn.group_conv import RegularConv2d
from equisym.nn.normalisation import GroupBatchNorm2d
from equisym.nn.steerable_conv import SteerableConv2d


@torch.no_grad()
def from_plain(model: nn.Module, plain: nn.Module) -> nn.Module:
    r"""Set the weights of an equivariant network to the average over the group of a plain network's.

    .. math:: \psi = \operatorname{argmin}_\psi \| \mathrm{expand}(\psi) - W \|

    W is a plain filter of the expanded widths. Layers with a weight for each pixel (``basis="pixels"``, or
    ``conv="pixels"`` of an architecture) take the mean of the entries that share a weight; the others keep the part of
    it that is band-limited. Convolutions, norms and linear layers are paired in order; a network that is already
    equivariant is unchanged. A linear layer on pooled fields gets the sum over each field's channels.

    Args:
        model: the network to fill, such as ``build("e2resnet18", group="D4", width=8)``; its first ``width`` times
            ``order`` channels must be the plain network's, 64 for a ResNet18.
        plain: the plain network. A first convolution with other input channels is averaged over them.

    Returns:
        ``model``.

    Raises:
        ValueError: if the layers do not pair up, naming the first two that differ.

    >>> from equisym.groups import D
    >>> from equisym.nn import LiftConv2d
    >>> lift = from_plain(LiftConv2d(1, 2, 3, group=D(4), basis="pixels"), nn.Conv2d(3, 16, 3))
    >>> lift.weight.shape
    torch.Size([2, 1, 9])
    """
    ours = [
        (n, m) for n, m in model.named_modules() if isinstance(m, (RegularConv2d, SteerableConv2d, GroupBatchNorm2d))
    ]
    theirs = [(n, m) for n, m in plain.named_modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    if len(ours) != len(theirs):
        raise ValueError(f"the networks must have as many convolutions and norms (got {len(ours)} and {len(theirs)})")
    for (our_name, our), (their_name, their) in zip(ours, theirs, strict=True):
        if isinstance(our, GroupBatchNorm2d) and isinstance(their, nn.BatchNorm2d):
            _norm(our, their, f"{our_name} and {their_name}")
        elif not isinstance(our, GroupBatchNorm2d) and isinstance(their, nn.Conv2d):
            _conv(our, their, f"{our_name} and {their_name}")
        else:
            raise ValueError(f"{our_name} is {type(our).__name__} but {their_name} is {type(their).__name__}")
    heads = [[m for m in net.modules() if isinstance(m, nn.Linear)] for net in (model, plain)]
    if heads[0] and heads[1]:
        _head(heads[0][-1], heads[1][-1])
    return model


def _conv(our: nn.Module, their: nn.Conv2d, names: str) -> None:
    assert isinstance(our, (RegularConv2d, SteerableConv2d))
    filters, _ = our.filters()
    weight = their.weight.to(filters)
    if weight.shape[1] != filters.shape[1] and filters.shape[1] == 1:
        weight = weight.sum(1, keepdim=True)  # a grey image has equal channels
    if weight.shape != filters.shape:
        raise ValueError(f"{names} must have equal filters (got {tuple(filters.shape)} and {tuple(weight.shape)})")
    bias = None if their.bias is None else their.bias.to(filters)
    if isinstance(our, SteerableConv2d):
        our.load_filters(weight, bias)
        return
    our.weight.copy_(our.kernel.project(weight))
    if our.bias is not None:
        free = torch.zeros_like(our.bias) if bias is None else bias.view(len(our.bias), -1).mean(1)
        our.bias.copy_(free)


def _norm(our: GroupBatchNorm2d, their: nn.BatchNorm2d, names: str) -> None:
    channels = our.fields * our.group.order
    if their.num_features != channels:
        raise ValueError(f"{names} must have equal channels (got {channels} and {their.num_features})")

    def mean(values: Tensor) -> Tensor:
        return values.view(our.fields, -1).mean(1)

    running_mean, running_var = their.running_mean, their.running_var
    if running_mean is not None and running_var is not None:
        spread = running_mean.view(our.fields, -1).var(1, correction=0)
        our.norm.running_mean.copy_(mean(running_mean))  # type: ignore[union-attr]
        our.norm.running_var.copy_(mean(running_var) + spread)  # type: ignore[union-attr]
    if their.affine:
        our.norm.weight.copy_(mean(their.weight))
        our.norm.bias.copy_(mean(their.bias))


def _head(our: nn.Linear, their: nn.Linear) -> None:
    """Only if the number of classes is the same; a new task starts with a new head."""
    if our.out_features != their.out_features or their.in_features % our.in_features:
        return
    our.weight.copy_(their.weight.view(our.out_features, our.in_features, -1).sum(2))
    our.bias.copy_(their.bias)
