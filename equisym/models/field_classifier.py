"""Base classes of the classifiers: standardised input, exact sizes, pooling, the head, and the plain copy."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from equisym.groups import PointGroup
from equisym.models.readout import CorrelationReadout
from equisym.models.sharing import Sharing

POOLS = ("max", "correlation")


class Classifier(nn.Module):
    """A network from an image to logits that knows the input sizes at which its invariance is exact.

    Args:
        group: the group whose action on the image leaves the answer unchanged.
        size_step: the invariance is exact at sizes of 1 modulo this.
    """

    def __init__(self, group: PointGroup, size_step: int) -> None:
        super().__init__()
        self.group, self.size_step = group, size_step
        self._told = False
        self.register_forward_pre_hook(_tell_inexact_size)

    def nearest_exact_size(self, size: int) -> int:
        """The input size nearest to ``size`` at which the invariance is exact.

        >>> from equisym.models import build
        >>> build("e2resnet18", width=2).nearest_exact_size(224)
        225
        """
        step = self.size_step if self.group.order > 1 else 1
        return max(1, round((size - 1) / step)) * step + 1

    def to_plain(self) -> fx.GraphModule:
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
        dropout: float,
        num_classes: int,
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
        self.head = nn.Linear(2 * sharing.pooled(fields[-1]), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.readout is not None:
            found = []
            for stage in self.stages:
                x = stage(x)
                found.append(x)
            return self.readout(found)
        maps = self.pool(self.stages(x))
        # mean and maximum: how much of a feature there is, and whether any; one 6-fold centre is enough
        return self.head(self.dropout(torch.cat([maps.mean((-2, -1)), maps.flatten(2).max(2).values], 1)))


def to_plain(model: nn.Module) -> fx.GraphModule:
    """A copy in which every layer that has ``to_plain`` is replaced, as one graph of torch.nn parts."""
    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        convert = getattr(module, "to_plain", None)
        if name and convert is not None and not isinstance(module, Classifier):
            plain.set_submodule(name, convert())
    return fx.symbolic_trace(plain)


def _tell_inexact_size(model: nn.Module, args: tuple[Tensor, ...]) -> None:
    if not isinstance(model, Classifier) or model._told or torch.compiler.is_compiling():
        return
    height, width = args[0].shape[-2:]
    if isinstance(height, fx.Proxy):
        return
    nearest = model.nearest_exact_size(height), model.nearest_exact_size(width)
    if nearest != (height, width):
        model._told = True
        warnings.warn(
            f"input of {height} x {width} pixels is not exact for {model.group}: strided stages sample off centre and "
            f"the answer changes slightly when the image is rotated; the nearest exact size is "
            f"{nearest[0]} x {nearest[1]}",
            stacklevel=3,
        )
