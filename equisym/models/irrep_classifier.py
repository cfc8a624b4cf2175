"""Base class of the classifiers whose features end in irreps."""

from __future__ import annotations

from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.models.field_classifier import Classifier
from equisym.models.last_layer import last_layer
from equisym.models.sharing import parse_group
from equisym.nn import IsotypicInvariants, IsotypicNorm


class IrrepClassifier(Classifier):
    """Features in irreps, pooled over the image, then their invariants and one linear layer.

    Subclasses make the layers before, call :meth:`finish`, and define ``after_stages`` and :meth:`pooled`.

    Args:
        group: C_n or D_n with n dividing 4, or its name.
        size_step: the invariance is exact at multiples of it.

    Raises:
        ValueError: for a group that leaves the pixel grid.
    """

    def __init__(self, group: PointGroup | str, size_step: int) -> None:
        group = parse_group(group)
        if not group.exact_on_grid:
            raise ValueError(f"group must keep the pixel grid, n in 1, 2, 4 (got {group})")
        super().__init__(group, size_step, rest=0)

    def finish(self, fields: int, *, dropout: float = 0.0, num_classes: int = 17) -> None:
        """Add the norm, the invariants and the head.

        Args:
            fields: regular fields of the features.
            dropout: probability of dropping a pooled feature in training.
            num_classes: size of the answer.
        """
        self.norm = IsotypicNorm(fields, group=self.group)
        self.invariants = IsotypicInvariants(fields, group=self.group)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.global_pool, self.poolings = "avg", {"avg": self.invariants.out_features, "": fields * self.group.order}
        self.head = last_layer(self.invariants.out_features, num_classes)

    def pooled(self, features: Tensor) -> Tensor:
        """The features' mean over the image, in irreps: ``(B, fields * order)``."""
        raise NotImplementedError

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of features, or the invariants before the linear layer."""
        if not self.global_pool:
            return features
        found = self.dropout(self.invariants(self.pooled(features)))
        return found if pre_logits else self.head(found)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))
