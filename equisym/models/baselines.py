"""Plain baselines: any timm model, and a feature pyramid, on the same standardised input as the equivariant ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from equisym.models.last_layer import HasLastLayer, last_layer
from equisym.models.registry import register, register_library
from equisym.nn import to_plain
from equisym.nn.arguments import count

TIMM_OPTIONS = (
    "act_layer",
    "attn_drop_rate",
    "block_config",
    "block_size",
    "channels",
    "depth",
    "depths",
    "drop_block_rate",
    "drop_path_rate",
    "drop_rate",
    "dropout",
    "embed_dim",
    "global_pool",
    "growth_rate",
    "img_size",
    "layers",
    "norm_layer",
    "num_heads",
    "output_stride",
    "patch_size",
    "pos_drop_rate",
    "proj_drop_rate",
    "window_size",
)
"""What may be passed on to timm. Others, such as ``checkpoint_path``, read files."""


class Baseline(nn.Sequential):
    """A timm model behind the input standardisation of the equivariant networks.

    Args:
        name: of the timm model, without ``timm/``; the tag of its weights may follow a dot.
        num_classes: size of the answer.
        in_channels: channels of the image.
        pretrained: take timm's weights, from its cache or the network.
        options: passed on to timm, of :data:`TIMM_OPTIONS` alone; ``dropout`` is what timm calls ``drop_rate``.

    Raises:
        ValueError: if timm has no such model or weights, or the option is not among those.
        OSError: if weights are asked for and can be had from neither.
    """

    def __init__(
        self, name: str, *, num_classes: int, in_channels: int, pretrained: bool = False, **options: Any
    ) -> None:
        import timm

        _require_timm_model(name)
        for option in options:
            if option not in TIMM_OPTIONS:
                raise ValueError(f"timm/{name} takes no option {option!r} here: it may be {', '.join(TIMM_OPTIONS)}")
        if "dropout" in options:
            options["drop_rate"] = options.pop("dropout")
        sizes = {"num_classes": num_classes, "in_chans": in_channels}
        try:
            network = timm.create_model(name, pretrained=pretrained, **sizes, **options)
        except Exception as error:
            if not pretrained:
                raise
            reason = str(error).splitlines()[0]
            if "pretrained tag" in reason:
                raise ValueError(f"timm/{name} has no such weights ({reason}): see timm.list_pretrained()") from None
            raise OSError(
                f"the weights of timm/{name} could not be fetched ({reason:.200}): they are in timm's cache once the "
                "network has been there; leave out pretrained for fresh ones"
            ) from error
        self.network: Any
        super().__init__(OrderedDict(standardise=nn.InstanceNorm2d(in_channels), network=network))

    def get_classifier(self) -> nn.Module:
        """The last layer, as timm names it."""
        return self.network.get_classifier()

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a fresh last layer in place, as timm does."""
        self.network.reset_classifier(num_classes, *([] if global_pool is None else [global_pool]))

    def to_plain(self) -> nn.Module:
        """The same function as one graph; timm's own layers are spelled out in torch functions."""
        return to_plain(self)


class PyramidClassifier(HasLastLayer):
    """A feature pyramid on a timm backbone: P2 to P5 are pooled over the pixels and concatenated, then classified.

    Args:
        backbone: timm model with ResNet's stages.
        channels: of each level of the pyramid.
        dropout: before the linear layer.
        num_classes: size of the answer.
        in_channels: channels of the image.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.

    Source: Lin et al., Feature Pyramid Networks for Object Detection (2017), with the poster's classification head.
    """

    def __init__(self, backbone: str, *, channels: int, dropout: float, num_classes: int, in_channels: int) -> None:
        import timm
        from torchvision.ops import FeaturePyramidNetwork

        super().__init__()
        _require_timm_model(backbone)
        channels = count("channels", channels)
        self.standardise = nn.InstanceNorm2d(in_channels)
        self.backbone = timm.create_model(
            backbone, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), in_chans=in_channels
        )
        levels = self.backbone.feature_info.channels()  # pyright: ignore - timm's backbones carry it
        self.pyramid = FeaturePyramidNetwork(levels, channels)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = last_layer(4 * channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.backbone(self.standardise(x))
        levels = self.pyramid(OrderedDict((str(i), m) for i, m in enumerate(maps)))
        return self.head(self.dropout(torch.cat([level.mean((-2, -1)) for level in levels.values()], 1)))

    def to_plain(self) -> nn.Module:
        """The same function as one graph of torch.nn parts."""
        return to_plain(self)


def _require_timm_model(name: str) -> None:
    """A name such as hf-hub:... or local-dir:... would fetch code or weights from elsewhere."""
    import timm

    if name.partition(".")[0] not in timm.list_models():
        close = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or "see timm.list_models()"
        raise ValueError(f"timm has no model {name!r:.80}: close to it are {close}")


@register
def fpn_resnet50(
    *,
    num_classes: int = 17,
    in_channels: int = 1,
    backbone: str = "resnet50",
    channels: int = 256,
    dropout: float = 0.5,
) -> PyramidClassifier:
    """The poster's FPN_ResNet50: levels P2 to P5 of 256 channels, mean over pixels, dropout, one linear layer."""
    return PyramidClassifier(
        backbone, channels=channels, dropout=dropout, num_classes=num_classes, in_channels=in_channels
    )


register_library("timm", Baseline)
