"""Losses: on the group alone, on every level of the hierarchy, or on its first level."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.models.tree import LEVELS, labels_at, log_sums


class HierarchicalLoss(nn.Module):
    r"""Mean of the cross-entropies of rotation order, crystal class and group, coarse levels first.

    .. math:: L = \frac{\sum_k w_k\, H_k}{\sum_k w_k}, \qquad
              w = \left(1,\ \min(1, 2t/c),\ \min(1, \max(0, 2t/c - 1))\right)

    H_k is the cross-entropy of level k, whose probabilities are sums over the groups below; t is the share of training
    that is done and c ``curriculum``, the share at which all levels weigh the same. With c = 0 they do from the start.

    Args:
        curriculum: c, 0 to 1.

    Attributes:
        progress: t, a number or a tensor of one.

    Shape:
        logits ``(B, 17)``, labels ``(B,)`` -> a number.

    >>> HierarchicalLoss()(torch.zeros(1, 17), torch.tensor([0])).round(decimals=3)  # ln(17 / 4), ln 17, ln 17
    tensor(2.3710)
    """

    classes: Tensor

    def __init__(self, *, curriculum: float = 0.0) -> None:
        super().__init__()
        self.curriculum = curriculum
        self.progress: float | Tensor = 1.0
        self.register_buffer("classes", torch.tensor([labels_at(level) for level in LEVELS]), persistent=False)

    def weights(self) -> Tensor:
        """Weights of rotation order, crystal class and group at the present progress, (3,)."""
        progress = torch.as_tensor(self.progress, dtype=torch.float32)
        ramp = 2 * progress / self.curriculum if self.curriculum else torch.full_like(progress, 2.0)
        return torch.stack([torch.ones_like(ramp), ramp.clamp(max=1), (ramp - 1).clamp(0, 1)])

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        leaves = logits.log_softmax(1)
        parts = [
            functional.nll_loss(log_sums(leaves, labels_at(level)), classes[labels])
            for level, classes in zip(LEVELS, self.classes, strict=True)
        ]
        weights = self.weights().to(leaves)
        return (weights * torch.stack(parts)).sum() / weights.sum()
