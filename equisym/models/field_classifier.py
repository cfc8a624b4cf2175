"""Base classes of the classifiers: standardised input, exact sizes, pooling, the head, and the plain copy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TypedDict

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.models.last_layer import HasLastLayer, last_layer
from equisym.models.readout import CorrelationReadout
from equisym.models.sharing import Sharing
from equisym.models.stages import Block, after_stages, stage_numbers
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


class Classifier(HasLastLayer):
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

    @property
    def stage_count(self) -> int:
        """Number of stages whose fields can be had."""
        return 0

    def after_stages(self, x: Tensor) -> Iterator[Tensor]:
        """The features after each stage, one after the other."""
        raise NotImplementedError

    def as_maps(self, features: Tensor, image: Tensor, *, norm: bool) -> Tensor:  # noqa: ARG002
        """Features after a stage as maps of regular fields, after the last norm if asked for."""
        return features

    def finished(self, features: Tensor) -> Tensor:
        """What follows the last stage before the features are pooled."""
        return features

    def forward_features(self, x: Tensor) -> Tensor:
        """The features before pooling."""
        for features in self.after_stages(x):
            x = features
        return self.finished(x)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The regular fields after each stage, ``(B, fields * order, H', W')``, as detectors and segmenters take them.

        The arguments are timm's.

        Args:
            x: images.
            indices: numbers of the stages, negative ones from the end, or how many of the last; None means all.
            norm: whether to apply the norm before pooling, where there is one.
            stop_early: whether to leave out the stages after the last wanted one.
            output_fmt: ``"NCHW"``.
            intermediates_only: whether to leave out the features before pooling.

        Returns:
            Features before pooling, and the maps in the order of the stages; or the maps.

        Raises:
            ValueError: for a network without stages, a stage that is not there, or another format.
        """
        if not self.stage_count:
            raise ValueError(
                f"{type(self).__name__} has no stages of fields: take create_feature_extractor of torchvision"
            )
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW' (got {output_fmt!r})")
        wanted = stage_numbers("indices", indices, self.stage_count)
        maps, features = [], x
        for stage, features in enumerate(self.after_stages(x)):
            if stage in wanted:
                maps.append(self.as_maps(features, x, norm=norm))
            if stop_early and stage == max(wanted):
                break
        return maps if intermediates_only else (self.finished(features), maps)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Let each block be computed again in the backward pass, for less memory; batch norms see each batch twice.

        Raises:
            ValueError: for a network that has no blocks.
        """
        blocks = [module for module in self.modules() if isinstance(module, Block)]
        if enable and not blocks:
            raise ValueError(f"{type(self).__name__} has no blocks that could be computed again")
        for block in blocks:
            block.grad_checkpointing = enable

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
        ends: Sequence[int] | None = None,
    ) -> None:
        """Add the pooling and the head.

        Args:
            sharing: of the stages.
            fields: of each stage.
            pool: ``"max"``, or ``"correlation"`` where the sharing has fields of a group.
            dropout: probability of dropping a pooled feature in training.
            num_classes: size of the answer.
            channels: of the correlation readout.
            ends: numbers of the modules in ``stages`` that end a stage; None means all.
        """
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1 (got {dropout})")
        if pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)} (got {pool!r})")
        if pool == "correlation" and (sharing.invariance.order < 2 or sharing.multiplicity < 2):
            raise ValueError(f'pool="correlation" needs regular fields of a group (got {sharing}): use pool="max"')
        self.ends = tuple(range(len(self.stages)) if ends is None else ends)
        self.readout = (
            CorrelationReadout(sharing.group, fields, channels=channels, dropout=dropout, num_classes=num_classes)
            if pool == "correlation"
            else None
        )
        maps, pooled = fields[-1] * sharing.multiplicity, sharing.pooled(fields[-1])
        if self.readout is not None:
            self.global_pool, self.poolings = pool, {pool: self.num_features, "": maps}
            return
        self.global_pool, self.poolings = "catavgmax", {"catavgmax": 2 * pooled, "avg": pooled, "max": pooled, "": maps}
        self.pool = sharing.pool()
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = last_layer(2 * pooled, num_classes)

    def _last(self) -> tuple[nn.Module, str]:
        return (self, "head") if self.readout is None else (self.readout, "linear")

    @property
    def stage_count(self) -> int:
        """Number of stages."""
        return len(self.ends)

    def after_stages(self, x: Tensor) -> Iterator[Tensor]:
        """The fields after each stage, one after the other."""
        return after_stages(self.stages, self.ends, self.stem(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """The fields after the last stage."""
        return self.stages(self.stem(x))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the last stage's fields, or the pooled features before the linear layer; for ``pool="max"``."""
        if not self.global_pool:
            return maps
        if self.readout is not None:
            raise ValueError('forward_head needs pool="max": the correlation readout takes the fields of all stages')
        pooled = self.dropout(pool_pixels(self.pool(maps), self.global_pool))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        if self.readout is not None and self.global_pool:
            return self.readout(list(self.after_stages(x)))
        return self.forward_head(self.forward_features(x))


def pool_pixels(maps: Tensor, kind: str) -> Tensor:
    """Mean and maximum over the pixels, ``"catavgmax"``, or one of them, ``"avg"`` or ``"max"``.

    The two say how much of a feature there is, and whether there is any: one 6-fold centre is enough.
    """
    mean = [] if kind == "max" else [maps.mean((-2, -1))]
    return torch.cat([*mean, *([] if kind == "avg" else [maps.flatten(2).max(2).values])], 1)


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
