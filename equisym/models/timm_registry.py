"""This library's architectures in timm's registry, so that ``timm.create_model("e2resnet18")`` builds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from equisym.models.registry import architectures, build


def register_in_timm() -> list[str]:
    """Tell timm of every architecture of this library; call it once.

    timm's words are understood: ``in_chans`` is ``in_channels`` and ``drop_rate`` is ``dropout``; other options are
    this library's. There are no pretrained weights to download.

    Returns:
        The names that timm now knows.

    >>> import timm
    >>> names = register_in_timm()
    >>> timm.create_model("e2vit", num_classes=5, in_chans=3, width=6, depth=1).head.out_features
    5
    """
    from timm.models import is_model, register_model

    names = [name for name in architectures() if not name.startswith("fpn")]
    for name in names:
        if is_model(name):  # registered before
            continue
        register_model(_builder(name))
    return names


def _builder(name: str) -> Callable[..., nn.Module]:
    def make(pretrained: bool = False, **options: Any) -> nn.Module:
        if pretrained:
            raise ValueError(f"{name} has no weights to download (got pretrained=True): train it, or load your own")
        known = {"in_chans": "in_channels", "drop_rate": "dropout"}
        ours = {known.get(key, key): value for key, value in options.items() if value is not None}
        for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "scriptable"):
            ours.pop(key, None)
        return build(name, **ours)

    make.__name__, make.__module__ = name, __name__
    return make
