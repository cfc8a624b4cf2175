"""Architectures by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from equisym.models.tree import TreeClassifier, TreeSoftmax

_ARCHS: dict[str, Callable[..., nn.Module]] = {}
_LIBRARIES: dict[str, Callable[..., nn.Module]] = {}
_ALIASES = {
    "resnet50": "timm/resnet50",
    "densenet161": "timm/densenet161",
    "xcit_small_12_p8_224": "timm/xcit_small_12_p8_224",
}
HEADS = ("flat", "tree")


def register(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Add a builder under its own name; it takes ``num_classes``, ``in_channels`` and keyword options."""
    _ARCHS[function.__name__] = function
    return function


def register_library(prefix: str, builder: Callable[..., nn.Module]) -> None:
    """Let ``prefix/NAME`` build every model of another library; ``builder`` takes the name first."""
    _LIBRARIES[prefix] = builder


def architectures() -> list[str]:
    """Names of this library's own architectures, sorted."""
    return sorted(_ARCHS)


def list_archs() -> list[str]:
    """Names that :func:`build` knows, sorted; besides these, ``timm/NAME`` builds any timm model."""
    return sorted({*_ARCHS, *_ALIASES})


def build(name: str, *, num_classes: int = 17, in_channels: int = 1, head: str = "flat", **options: Any) -> nn.Module:
    """Build an architecture with fresh weights.

    Args:
        name: one of :func:`list_archs`, or ``timm/NAME`` for any model of timm.
        num_classes: size of the answer.
        in_channels: channels of the image.
        head: ``"flat"``, or ``"tree"`` for log-probabilities of the 17 groups that agree at every level of the
            hierarchy (:class:`equisym.models.TreeSoftmax`).
        options: options of the architecture, such as ``group="D4"`` and ``width=22``.

    Raises:
        ValueError: for an unknown name or option.

    >>> sum(p.numel() for p in build("e2resnet", group="C4", width=4).parameters())
    30465
    """
    if head not in HEADS:
        raise ValueError(f"head must be one of {', '.join(HEADS)} (got {head!r})")
    if head == "tree":
        if num_classes != 17:
            raise ValueError(f"a tree head answers with the 17 groups (got num_classes={num_classes})")
        return TreeClassifier(build(name, num_classes=TreeSoftmax.nodes, in_channels=in_channels, **options))
    name = _ALIASES.get(name, name)
    prefix, _, rest = name.partition("/")
    if rest and prefix in _LIBRARIES:
        return _LIBRARIES[prefix](rest, num_classes=num_classes, in_channels=in_channels, **options)
    if name not in _ARCHS:
        raise ValueError(f"arch must be one of {', '.join(list_archs())} or timm/NAME (got {name!r})")
    known = [p for p in inspect.signature(_ARCHS[name]).parameters if p not in ("num_classes", "in_channels")]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}: it takes {', '.join(known) or 'none'}")
    return _ARCHS[name](num_classes=num_classes, in_channels=in_channels, **options)
