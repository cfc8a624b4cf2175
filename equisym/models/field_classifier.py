"""Base classes of the classifiers: standardised input, exact sizes, pooling, the head, and the plain copy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.models.last_layer import NoLastLayer, last_layer
from equisym.models.readout import CorrelationReadout
from equisym.models.sharing import Sharing
from equisym.nn import to_plain
from equisym.nn.arguments import count

POOLS = ("max", "correlation")


class HeadOptions(TypedDict, total=False):
    """What every classifier takes for its last layer.

    Attributes:
        num_classes: size of the answer, 17 if not given; 0 for the pooled features.
        dropout: probability of dropping a pooled feature in training, none if not given.
    """

    num_classes: int
    dropout: float


class Classifier(nn.Module):
    """A network from an image to logits that knows the input sizes at which its invariance is exact.

    Args:
        group: the group whose action on the image leaves the answer unchanged.
        size_step: the invariance is exact at sizes of ``rest`` modulo this.
        rest: 1 where strided layers have odd kernels, 0 where they have even ones.
    """

    def __init__(self, group: PointGroup, size_step: int, *, rest: int = 1) -> None:
        super().__init__()
        self.group, self.size_step, self.rest = group, size_step, rest
        self._told = False
        self.register_forward_pre_hook(_look_at_input, with_kwargs=True)

    def nearest_exact_size(self, size: int) -> int:
        """The input size nearest to ``size`` at which the invariance is exact.

        >>> from equisym.models import build
        >>> build("e2resnet18", width=2).nearest_exact_size(224)
        225
        """
        if self.group.order == 1:
            return size
        step = self.size_step
        return max(1, round((size - self.rest) / step)) * step + self.rest

    def _last(self) -> tuple[nn.Module, str]:
        """Where the last layer is: the module that holds it, and its name there."""
        return self, "head"

    @property
    def num_features(self) -> int:
        """Pooled features, of which the last layer makes logits."""
        return self.get_classifier().in_features

    def get_classifier(self) -> nn.Linear | NoLastLayer:
        """The last linear layer."""
        return getattr(*self._last())

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh last layer in place, for other classes; 0 leaves it out, and pooled features are the answer."""
        setattr(*self._last(), last_layer(self.num_features, num_classes).to(next(self.parameters())))

    def to_plain(self) -> nn.Module:
        """The same function from torch.nn parts alone; it runs and unpickles without equisym."""
        return to_plain(self)


class FieldClassifier(Classifier):
    """Stem, stages, then pooling from their fields to logits.

    With ``pool="max"`` the mean and the maximum over the pixels of every field's maximum over the group, of the last
    stage; with ``pool="correlation"`` :class:`CorrelationReadout` on all stages. Dropout and one linear layer follow.

    Subclasses set ``stem`` and ``stages``, then call :meth:`finish`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    stem: nn.Module
    stages: nn.Sequential

    def finish(
        self,
        sharing: Sharing,
        fields: Sequence[int],
        *,
        pool: str,
        dropout: float = 0.0,
        num_classes: int = 17,
        channels: int = 32,
    ) -> None:
        """Add the pooling and the head.

        Args:
            sharing: of the stages.
            fields: of each stage.
            pool: ``"max"``, or ``"correlation"`` where the sharing has fields of a group.
            dropout: probability of dropping a pooled feature in training.
            num_classes: size of the answer.
            channels: of the correlation readout.
        """
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1 (got {dropout})")
        if pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)} (got {pool!r})")
        if pool == "correlation" and (sharing.invariance.order < 2 or sharing.multiplicity < 2):
            raise ValueError(f'pool="correlation" needs regular fields of a group (got {sharing}): use pool="max"')
        self.readout = (
            CorrelationReadout(sharing.group, fields, channels=channels, dropout=dropout, num_classes=num_classes)
            if pool == "correlation"
            else None
        )
        if self.readout is not None:
            return
        self.pool = sharing.pool()
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = last_layer(2 * sharing.pooled(fields[-1]), num_classes)

    def _last(self) -> tuple[nn.Module, str]:
        return (self, "head") if self.readout is None else (self.readout, "linear")

    def forward_intermediates(self, x: Tensor) -> list[Tensor]:
        """The fields after each stage: ``(B, fields * order, H', W')`` each, as detectors and segmenters take them."""
        x, found = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward_features(self, x: Tensor) -> Tensor:
        """The fields after the last stage."""
        return self.stages(self.stem(x))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the last stage's fields, or the pooled features before the linear layer; for ``pool="max"``."""
        if self.readout is not None:
            raise ValueError('forward_head needs pool="max": the correlation readout takes the fields of all stages')
        maps = self.pool(maps)
        # mean and maximum: how much of a feature there is, and whether any; one 6-fold centre is enough
        pooled = self.dropout(torch.cat([maps.mean((-2, -1)), maps.flatten(2).max(2).values], 1))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        if self.readout is not None:
            return self.readout(self.forward_intermediates(x))
        return self.forward_head(self.forward_features(x))


def _look_at_input(model: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
    """Refuse what is no batch of images, and tell once of a size that is not exact."""
    for x in [*args, *named.values()][:1]:
        if not isinstance(x, Tensor):  # a symbolic trace has no shape yet
            return
        if x.ndim != 4:
            raise ValueError(f"input must be images (B, C, H, W) (got the shape {tuple(x.shape)})")
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        if isinstance(model, Classifier) and not model._told and not traced:
            _tell_inexact_size(model, *x.shape[-2:])


def _tell_inexact_size(model: Classifier, height: int, width: int) -> None:
    nearest = model.nearest_exact_size(height), model.nearest_exact_size(width)
    if nearest != (height, width):
        model._told = True
        warnings.warn(
            f"input of {height} x {width} pixels is not exact for {model.group}: strided stages sample off centre and "
            f"the answer changes slightly when the image is rotated; the nearest exact size is "
            f"{nearest[0]} x {nearest[1]}",
            stacklevel=6,
        )


def even_layout(exact_at: int | None, step: int, sharing: Sharing) -> bool:
    """Whether strided layers need even kernels to be exact at a size.

    Raises:
        ValueError: if neither layout is exact there, or the layers have no even kernels.
    """
    if exact_at is None or count("exact_at", exact_at) % step == 1 % step:
        return False
    if exact_at % step:
        size = max(1, round(exact_at / step)) * step
        raise ValueError(f"exact_at must be 0 or 1 modulo {step} (got {exact_at}): use {size} or {size + 1}")
    group, grid = sharing.invariance, sharing.invariance.exact_on_grid
    if not grid or sharing.basis == "circular":
        what, why = (f"{sharing.basis} kernels", "these are odd") if grid else (group, "quarter turns alone keep those")
        raise ValueError(
            f"exact_at must be 1 modulo {step} for {what} (got {exact_at}): even sizes need even kernels, and {why}; "
            f"use {exact_at + 1}, or leave it out"
        )
    return True
