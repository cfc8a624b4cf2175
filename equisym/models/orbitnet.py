"""A network on the torus whose weights are shared along the orbits of a whole wallpaper group."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups import WALLPAPER_GROUPS, C
from equisym.models.field_classifier import Classifier, pool_pixels
from equisym.models.last_layer import last_layer
from equisym.models.registry import register
from equisym.nn import WallpaperConv2d
from equisym.nn.arguments import count


class OrbitNet(Classifier):
    r"""Layers that commute with a wallpaper group on the torus, then pooling over the torus.

    .. math:: \Phi(g f) = \Phi(f) \quad\text{for all rotations and mirrors } g \text{ of the group at its origin}

    f is the image on a torus with its centre at the origin: its first and last rows are joined, and so are its columns.
    With ``cell=1`` a layer is a convolution with a symmetric kernel; with larger cells its weights vary within the
    cell, as far as the group's rotations, mirrors and glides allow. Exact at sizes of 1 modulo
    ``cell * 2**(stages - 1)``; other sizes are first resized.

    Args:
        group: name of a wallpaper group without 3-fold axes.
        cell: side of the cell in pixels of each layer; even for groups with glides or centring.
        width: channels of the first stage; each further stage doubles it.
        stages: pairs of layers; each after the first halves the resolution.
        num_classes: size of the answer.
        in_channels: channels of the image.
        dropout: probability of dropping a pooled feature in training.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits; square images for groups with 4-fold axes.

    Raises:
        ValueError: for a hexagonal group, or as :class:`equisym.nn.WallpaperConv2d` does.

    Source: Ravanbakhsh, Schneider & Poczos, Equivariance Through Parameter-Sharing (2017).
    """

    def __init__(
        self,
        *,
        num_classes: int = 17,
        in_channels: int = 1,
        group: str = "p4m",
        cell: int = 2,
        width: int = 16,
        stages: int = 4,
        dropout: float = 0.0,
    ) -> None:
        if group not in WALLPAPER_GROUPS.names or WALLPAPER_GROUPS[group].family == "hexagonal":
            square = " ".join(g.name for g in WALLPAPER_GROUPS if g.family != "hexagonal")
            raise ValueError(f"group must be one of {square} (got {group!r}): pixel axes are at right angles")
        known, width, stages = WALLPAPER_GROUPS[group], count("width", width), count("stages", stages)
        whole = sum(operation.w == (0, 0) for operation in known.operations) == known.point_group.order
        super().__init__(known.point_group if whole else C(known.rotation_order), cell * 2 ** (stages - 1))
        self.standardise = nn.InstanceNorm2d(in_channels)
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in range(stages):
            out = width * 2**stage
            if stage:
                layers.append(_HalveTorus())
            for source in (channels, out):
                layers += [
                    WallpaperConv2d(source, out, 3, group=group, cell=cell, bias=False),
                    nn.BatchNorm2d(out),
                    nn.ReLU(inplace=True),
                ]
            channels = out
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.global_pool = "catavgmax"
        self.poolings = {"catavgmax": 2 * channels, "avg": channels, "max": channels, "": channels}
        self.head = last_layer(2 * channels, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps on the torus, whose origin is the image's centre."""
        return self.layers(lay_on_torus(self.standardise(x), self.size_step))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the maps, or the pooled features before the linear layer."""
        if not self.global_pool:
            return maps
        pooled = self.dropout(pool_pixels(maps, self.global_pool))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def lay_on_torus(x: Tensor, step: int) -> Tensor:
    """Join opposite edges and roll the centre pixel to the origin; sides become multiples of ``step``.

    >>> lay_on_torus(torch.tensor([[[[1., 2, 3], [4, 5, 6], [7, 8, 9]]]]), 2)
    tensor([[[[5., 5.],
              [5., 5.]]]])
    """
    halves = []
    for axis in (-2, -1):  # no branch on the size, so that the graph can be traced
        steps = (x.size(axis) - 1 + step // 2) // step
        halves.append((steps + (steps < 1)) * step)
    x = functional.interpolate(x, (halves[0] + 1, halves[1] + 1), mode="bilinear", align_corners=True)
    x = torch.cat([(x[..., :1, :] + x[..., -1:, :]) / 2, x[..., 1:-1, :]], -2)
    x = torch.cat([(x[..., :1] + x[..., -1:]) / 2, x[..., 1:-1]], -1)
    return x.roll((-(halves[0] // 2), -(halves[1] // 2)), (-2, -1))


class _HalveTorus(nn.Module):
    """The maximum of each 3x3 neighbourhood, on every second pixel of the torus."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(functional.pad(x, (1, 1, 1, 1), mode="circular"), 3, 2)


register(OrbitNet, "orbitnet")
