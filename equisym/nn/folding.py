"""A copy of any network in which the layers of this library have become ordinary ones."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import fx, nn


def to_plain(model: nn.Module) -> nn.Module:
    """The same function from torch.nn parts alone; running it, or unpickling it, needs no equisym.

    Every layer that has ``to_plain`` is folded into what it returns: filters are expanded once, statistics repeated.
    The other layers of this library are spelled out in torch functions, each as one graph. Your own modules, their
    hooks and the control flow in their ``forward`` stay as they are.

    Args:
        model: any module; it is not changed.

    Returns:
        The copy, in the mode of the model: of your class if the model is yours, a graph if it is this library's.

    >>> import torch
    >>> from equisym.groups import D
    >>> from equisym.nn import GroupPool2d, LiftConv2d
    >>> model = nn.Sequential(LiftConv2d(1, 2, 3, group=D(4)), nn.ReLU(), GroupPool2d(group=D(4), reduce="mean"))
    >>> [type(part).__name__ for part in to_plain(model)]
    ['Conv2d', 'ReLU', 'Sequential']
    """
    if _ours(model) and hasattr(model, "to_plain") and type(model).__module__.startswith("equisym.nn."):
        return model.to_plain()  # pyright: ignore[reportCallIssue]
    plain = copy.deepcopy(model)
    for name, module in _outermost(plain, lambda m: hasattr(m, "to_plain")):
        plain.set_submodule(name, module.to_plain())  # pyright: ignore[reportCallIssue]
    if _ours(plain):
        return _traced(plain)
    for name, module in _outermost(plain, _ours):
        plain.set_submodule(name, _traced(module).train(module.training))
    return plain


def _traced(model: nn.Module) -> fx.GraphModule:
    """A graph without type annotations, which TorchScript would take for names of its own."""
    graph = fx.symbolic_trace(model)
    for node in graph.graph.nodes:
        node.type = None
    graph.recompile()
    return graph


def _ours(module: nn.Module) -> bool:
    return type(module).__module__.startswith("equisym.")


def _outermost(model: nn.Module, wanted: Callable[[nn.Module], bool]) -> list[tuple[str, nn.Module]]:
    """Submodules that fulfil a condition and lie in no other that does."""
    found: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        if wanted(child):
            found.append((name, child))
        else:
            found += [(f"{name}.{inner}", module) for inner, module in _outermost(child, wanted)]
    return found
