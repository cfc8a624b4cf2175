"""Start an equivariant network from a plain pretrained one: run in every orientation, or averaged over the group."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equisym.nn.group_conv import RegularConv2d
from equisym.nn.normalisation import GroupBatchNorm2d
from equisym.nn.steerable_conv import SteerableConv2d


@torch.no_grad()
def from_plain(model: nn.Module, plain: nn.Module) -> nn.Module:
    r"""Set the weights of an equivariant network from a plain network's.

    .. math:: \psi(g, x) = \delta_{g,e}\, W(x) \qquad\text{or}\qquad
        \psi = \operatorname{argmin}_\psi \| \mathrm{expand}(\psi) - W \|

    W is a plain filter. With a field for each plain channel, the first: element g of every field holds what the plain
    network makes of the image turned by g^-1, and a mean over the group before the last layer is the mean of its
    answers. So nothing of what it learned is lost, and training can mix the orientations from there. With as many
    expanded channels as plain ones, the second: the average over the group, which keeps a network that is equivariant
    already and little of one that is not. Layers with a weight for each pixel (``basis="pixels"``, or
    ``conv="pixels"`` of an architecture) do so exactly; the others keep the part of a filter that is band-limited.
    Convolutions, norms and linear layers are paired in order.

    Args:
        model: the network to fill. With ``build("e2resnet18", group="D4", conv="pixels", width=64)`` a ResNet18 is run
            in eight orientations; with ``width=8`` it is averaged.
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
    bias = None if their.bias is None else their.bias.to(filters)
    if isinstance(our, RegularConv2d) and weight.shape[:2] == our.weight.shape[:2] and weight.shape != filters.shape:
        _in_every_orientation(our, weight, bias, names)
        return
    if weight.shape != filters.shape:
        raise ValueError(
            f"{names} must have equal filters (got {tuple(filters.shape)} and {tuple(weight.shape)}), or the plain one "
            f"a channel for each field"
        )
    if isinstance(our, SteerableConv2d):
        our.load_filters(weight, bias)
        return
    our.weight.copy_(our.kernel.project(weight))
    if our.bias is not None:
        free = torch.zeros_like(our.bias) if bias is None else bias.view(len(our.bias), -1).mean(1)
        our.bias.copy_(free)


def _in_every_orientation(our: RegularConv2d, weight: Tensor, bias: Tensor | None, names: str) -> None:
    if weight.shape[2:] != (our.kernel_size,) * 2:
        raise ValueError(f"{names} must have kernels of one size (got {our.kernel_size} and {tuple(weight.shape[2:])})")
    our.weight.copy_(our.kernel.in_every_orientation(weight))
    if our.bias is not None:
        our.bias.copy_(torch.zeros_like(our.bias) if bias is None else bias)


def _norm(our: GroupBatchNorm2d, their: nn.BatchNorm2d, names: str) -> None:
    channels = our.fields * our.group.order
    if their.num_features not in (channels, our.fields):
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
