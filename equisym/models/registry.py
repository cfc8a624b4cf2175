"""Architectures by name."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import nn

_ARCHS: dict[str, Callable[..., nn.Module]] = {}
_ALIASES = {
    "resnet50": "timm/resnet50",
    "densenet161": "timm/densenet161",
    "xcit_small_12_p8_224": "timm/xcit_small_12_p8_224",
}


def register(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Add a builder under its own name; it takes ``num_classes``, ``in_channels`` and keyword options."""
    _ARCHS[function.__name__] = function
    return function


def list_archs() -> list[str]:
    """Names that :func:`build` knows, sorted; besides these, ``timm/NAME`` builds any timm model."""
    return sorted({*_ARCHS, *_ALIASES})


def build(name: str, *, num_classes: int = 17, in_channels: int = 1, **options: Any) -> nn.Module:
    """Build an architecture with fresh weights.

    Args:
        name: one of :func:`list_archs`, or ``timm/NAME`` for any model of timm.
        num_classes: size of the answer.
        in_channels: channels of the image.
        options: what the architecture offers, such as ``group="D4"`` and ``width=22``.

    Raises:
        ValueError: for an unknown name or option.

    >>> sum(p.numel() for p in build("e2resnet", group="C4", width=4).parameters())
    19901
    """
    name = _ALIASES.get(name, name)
    if name.startswith("timm/"):
        return _build_timm(name.removeprefix("timm/"), num_classes, in_channels, options)
    if name not in _ARCHS:
        raise ValueError(f"arch must be one of {', '.join(list_archs())} or timm/NAME (got {name!r})")
    known = [p for p in inspect.signature(_ARCHS[name]).parameters if p not in ("num_classes", "in_channels")]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}: it takes {', '.join(known) or 'none'}")
    return _ARCHS[name](num_classes=num_classes, in_channels=in_channels, **options)


def _build_timm(name: str, num_classes: int, in_channels: int, options: dict[str, Any]) -> nn.Module:
    import timm

    if name not in timm.list_models():
        close = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or "see timm.list_models()"
        raise ValueError(f"timm has no model {name!r}: close to it are {close}")
    network = timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels, **options)
    # The same standardised input as the equivariant networks get.
    return nn.Sequential(OrderedDict(standardise=nn.InstanceNorm2d(in_channels), network=network))
