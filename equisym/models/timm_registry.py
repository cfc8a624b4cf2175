"""This library's architectures in timm's registry, so that ``timm.create_model("e2resnet18")`` builds them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equisym.models.e2convnext import E2ConvNeXt
from equisym.models.field_classifier import FieldClassifier
from equisym.models.registry import architectures, build, builder_of, options_of
from equisym.models.stages import after_stages, stage_numbers


def register_in_timm() -> list[str]:
    """Tell timm of every architecture of this library; call it once.

    timm's words are understood: ``in_chans`` is ``in_channels``, ``drop_rate`` is ``dropout``, ``num_classes=0`` leaves
    the last layer out, ``global_pool`` is how maps are pooled over the pixels, and ``features_only=True`` gives the
    fields after the stages ``out_indices``. Other options are this library's, and so are the weights of
    ``pretrained=True``, see :func:`build`.

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


class StageFields(nn.Module):
    """Stem and stages of a network, as timm's ``features_only`` gives them to detectors and segmenters.

    Args:
        model: a network with stages of fields.
        in_channels: channels of the image.
        out_indices: numbers of the stages whose fields are the answer, negative ones from the end, or how many of the
            last; None means all.

    Attributes:
        feature_info: channels and reduction of each stage, as timm tells them.

    Shape:
        ``(B, in_channels, H, W)`` -> a list of ``(B, fields * order, H', W')``.

    Raises:
        ValueError: for a network without such stages, or a stage that is not there.
    """

    def __init__(self, model: nn.Module, in_channels: int, out_indices: int | Sequence[int] | None) -> None:
        from timm.models import FeatureInfo

        super().__init__()
        if not isinstance(model, FieldClassifier | E2ConvNeXt):
            raise ValueError(
                f"features_only needs stages of fields (got {type(model).__name__}): take create_feature_extractor of "
                "torchvision"
            )
        self.out_indices = tuple(stage_numbers("out_indices", out_indices, model.stage_count))
        self.stem, self.stages, self.ends = model.stem, model.stages, model.ends
        side, rest = 64 * model.size_step + model.rest, model.rest
        shapes = copy.deepcopy(model).to("meta").eval()  # no arithmetic
        maps = shapes.after_stages(torch.empty(1, in_channels, side, side, device="meta"))
        known = [
            {"num_chs": y.shape[1], "reduction": (side - rest) // (y.shape[-1] - rest), "module": ""} for y in maps
        ]
        self.feature_info = FeatureInfo(known, self.out_indices)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = list(after_stages(self.stages, self.ends, self.stem(x)))
        return [found[stage] for stage in self.out_indices]


def _builder(name: str) -> Callable[..., nn.Module]:
    def make(pretrained: bool = False, **options: Any) -> nn.Module:
        known = {"in_chans": "in_channels", "drop_rate": "dropout"}
        ours = {known.get(key, key): value for key, value in options.items() if value is not None}
        for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "scriptable"):
            ours.pop(key, None)
        features, stages = ours.pop("features_only", False), ours.pop("out_indices", None)
        global_pool = ours.pop("global_pool", None)
        if global_pool in ("avg", "max", "catavgmax") and "pool" in (options_of(builder_of(name)) or ()):
            ours.setdefault("pool", "max")  # over the group
        classes = ours.pop("num_classes", None) if pretrained else None  # weights are loaded, then a last layer put in
        model: Any = build(name, pretrained=pretrained, **ours)
        if not features and (global_pool is not None or classes not in (None, 17)):
            model.reset_classifier(ours.get("num_classes", 17) if classes is None else classes, global_pool)
        return StageFields(model, ours.get("in_channels", 1), stages) if features else model

    make.__name__, make.__module__ = name, __name__
    return make
