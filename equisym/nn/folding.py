"""A copy of any network in which the layers of this library have become ordinary ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn


def to_plain(model: nn.Module) -> nn.Module:
    """The same function from torch.nn parts alone; running it, or unpickling it, needs no equisym.

    Every layer that has ``to_plain`` is folded into what it returns: filters are expanded once, statistics repeated.
    The other layers of this library are spelled out in torch functions, each as one graph. Your own modules and the
    control flow in their ``forward`` stay as they are, and so do your hooks and what is shared between places. Pruning
    and parametrizations are folded in.

    Args:
        model: any module; it is not changed.

    Returns:
        The copy, in the mode of the model: of your class if the model is yours, a graph if it is this library's.

    Raises:
        ValueError: for a layer whose ``forward`` you have replaced in a class of your own, and for weights on the meta
            device.

    >>> import torch
    >>> from equisym.groups import D
    >>> from equisym.nn import GroupPool2d, LiftConv2d
    >>> model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), nn.ReLU(), GroupPool2d(group=D(4), reduce="mean"))
    >>> [type(part).__name__ for part in to_plain(model)]
    ['Conv2d', 'ReLU', 'Sequential']
    """
    if any(values.is_meta for values in model.parameters()):
        raise ValueError("there is nothing to fold yet: the weights are on the meta device, so load them first")
    _apply_weight_hooks(model)
    if _folds_itself(model):
        return _folded(model)
    plain = copy.deepcopy(model)
    _replace(plain, lambda module: hasattr(module, "to_plain"), _folded)
    if _ours(plain):
        return _traced(plain)
    _replace(plain, _ours, _traced)
    return plain


def _folded(module: Any) -> nn.Module:
    """What the module's own ``to_plain`` returns."""
    if _folds_itself(module) and not type(module).forward.__module__.startswith("equisym."):
        raise ValueError(
            f"{type(module).__name__} has a forward of its own, which to_plain does not know: give the class a "
            "to_plain too, or hold the layer in a module of yours"
        )
    return _with_hooks(module.to_plain(), module)


def _traced(module: nn.Module) -> nn.Module:
    """A graph without type annotations, which TorchScript would take for names of its own."""
    graph = fx.symbolic_trace(module)
    for node in graph.graph.nodes:
        node.type = None
    graph.recompile()
    return _with_hooks(graph.train(module.training), module)


def _ours(module: nn.Module) -> bool:
    return type(module).__module__.startswith("equisym.")


def _folds_itself(module: nn.Module) -> bool:
    """Whether it is a layer of this library, or of a class made of one, that knows its plain form."""
    return _module_of(getattr(type(module), "to_plain", None)).startswith("equisym.nn.")


def _replace(parent: nn.Module, wanted: Callable[[nn.Module], bool], make: Callable[[nn.Module], nn.Module]) -> None:
    """Put what is made of them in the place of the outermost submodules that are wanted; what is shared stays so."""
    made: dict[nn.Module, nn.Module] = {}

    def walk(parent: nn.Module) -> None:
        for name, child in list(parent._modules.items()):  # named_children leaves out a second name
            if child is None:
                continue
            if wanted(child):
                made[child] = made[child] if child in made else make(child)
                setattr(parent, name, made[child])
            else:
                walk(child)

    walk(parent)


def _apply_weight_hooks(model: nn.Module) -> None:
    """Let pruning and the older weight norm make the weights, as they do before every forward pass."""
    with torch.no_grad():
        for module in model.modules():
            for hook in module._forward_pre_hooks.values():
                if _module_of(hook).startswith("torch.nn.utils."):
                    hook(module, ())


def _with_hooks(plain: nn.Module, module: nn.Module) -> nn.Module:
    """Hand on the hooks on a module, but for those that make its weights and those of this library."""
    for number, hook in module._forward_pre_hooks.items():
        if not _module_of(hook).startswith(("torch.nn.utils.", "equisym.")):
            plain.register_forward_pre_hook(hook, with_kwargs=number in module._forward_pre_hooks_with_kwargs)
    for number, hook in module._forward_hooks.items():
        if not _module_of(hook).startswith("equisym."):
            plain.register_forward_hook(hook, with_kwargs=number in module._forward_hooks_with_kwargs)
    return plain


def _module_of(hook: object) -> str:
    return getattr(hook, "__module__", None) or ""
