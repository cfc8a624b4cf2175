"""What all our classifiers share: standardised input, exact sizes, pooling, the head, and the plain copy."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, fx, nn

from equisym.groups import PointGroup
from equisym.models.sharing import Sharing


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
        """The same function from torch.nn parts alone; running it, or unpickling it, needs no equisym."""
        return to_plain(self)


class FieldClassifier(Classifier):
    """Stem, stages, then the mean and the maximum of every invariant feature, dropout and one linear layer.

    Subclasses set ``stem`` and ``stages``, then call :meth:`finish`.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, num_classes)`` logits.
    """

    stem: nn.Module
    stages: nn.Module

    def finish(self, sharing: Sharing, fields: int, dropout: float, num_classes: int) -> None:
        """Add the pooling and the head."""
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1 (got {dropout})")
        self.pool = sharing.pool()
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(2 * sharing.pooled(fields), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.pool(self.stages(self.stem(x)))
        # How much of a feature there is, and whether there is any: one 6-fold axis in the image is evidence enough.
        return self.head(self.dropout(torch.cat([maps.mean((-2, -1)), maps.amax((-2, -1))], 1)))


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
            f"the answer changes slightly when the image is turned; the nearest exact size is "
            f"{nearest[0]} x {nearest[1]}",
            stacklevel=3,
        )
