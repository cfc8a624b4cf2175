"""A distribution over the tree rotation order -> crystal class -> group, consistent at every level by construction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equisym.groups import CRYSTAL_CLASSES, ROTATION_ORDERS, WALLPAPER_GROUPS
from equisym.nn import to_plain

LEVELS = ("rotation", "class", "group")


def labels_at(level: str) -> tuple[int, ...]:
    """For each of the 17 groups, its class at a level: ``"rotation_family"``, ``"rotation"``, ``"class"``, ``"group"``.

    >>> labels_at("rotation_family")
    (0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2)
    """
    return tuple(
        {
            "rotation_family": lambda g: g.rotation_family,
            "rotation": lambda g: ROTATION_ORDERS.index(g.rotation_order),
            "class": lambda g: CRYSTAL_CLASSES.index(g.crystal_class),
            "group": lambda g: g.label,
        }[level](g)
        for g in WALLPAPER_GROUPS
    )


def log_sums(log_probabilities: Tensor, classes: Sequence[int]) -> Tensor:
    """Log-probabilities of the classes of a coarser level.

    Args:
        log_probabilities: of the leaves, shape (B, leaves).
        classes: coarser class of each leaf.

    Returns:
        Shape (B, number of classes).

    >>> log_sums(torch.full((1, 17), 1 / 17).log(), labels_at("rotation_family")).exp() * 17
    tensor([[4., 8., 5.]])
    """
    members = [[leaf for leaf, c in enumerate(classes) if c == wanted] for wanted in range(max(classes) + 1)]
    # leaf by leaf: a list of indices would be copied to a GPU in every call
    leaves = log_probabilities.unbind(1)
    return torch.stack([torch.stack([leaves[leaf] for leaf in own]).logsumexp(0) for own in members], 1)


class TreeSoftmax(nn.Module):
    r"""From 32 numbers, one for each node of the tree, to the log-probabilities of the 17 groups.

    .. math:: \log p(g) = \log p(r) + \log p(c \mid r) + \log p(g \mid c)

    r is the rotation order and c the crystal class of the group g; each factor is a softmax among siblings. For
    any input, the probability of an order is the sum over its groups.

    Shape:
        ``(B, 32)`` -> ``(B, 17)``, normalised.

    >>> bool(torch.allclose(TreeSoftmax()(torch.randn(2, 32)).exp().sum(1), torch.ones(2)))
    True
    """

    nodes = len(ROTATION_ORDERS) + len(CRYSTAL_CLASSES) + len(WALLPAPER_GROUPS)

    def __init__(self) -> None:
        super().__init__()
        rotation, crystal_class = labels_at("rotation"), labels_at("class")
        parent_of_class = {c: r for r, c in zip(rotation, crystal_class, strict=True)}
        parents = ((0,) * len(ROTATION_ORDERS), tuple(parent_of_class[c] for c in range(len(CRYSTAL_CLASSES))))
        self.parents = (*parents, crystal_class)
        self.rotation, self.crystal_class = rotation, crystal_class

    def forward(self, nodes: Tensor) -> Tensor:
        orders, classes, groups = nodes.split([len(p) for p in self.parents], 1)
        orders, classes, groups = (
            _log_softmax_among_siblings(x, p) for x, p in zip((orders, classes, groups), self.parents, strict=True)
        )
        return orders[:, list(self.rotation)] + classes[:, list(self.crystal_class)] + groups


class TreeClassifier(nn.Module):
    """Any architecture with 32 outputs, followed by :class:`TreeSoftmax`.

    Args:
        network: maps images to 32 numbers.

    Shape:
        ``(B, C, H, W)`` -> ``(B, 17)`` log-probabilities.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.tree = network, TreeSoftmax()

    def forward(self, x: Tensor) -> Tensor:
        return self.tree(self.network(x))

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a fresh last layer before the tree, which answers with the 17 groups.

        Raises:
            ValueError: for other classes.
        """
        if num_classes != 17:
            raise ValueError(f"a tree head answers with the 17 groups (got num_classes={num_classes})")
        options = [] if global_pool is None else [global_pool]
        self.network.reset_classifier(TreeSoftmax.nodes, *options)  # pyright: ignore[reportCallIssue]

    def to_plain(self) -> nn.Module:
        """The same function from torch.nn parts."""
        return to_plain(self)


def _log_softmax_among_siblings(x: Tensor, parents: Sequence[int]) -> Tensor:
    norms = log_sums(x, parents)
    return x - norms[:, list(parents)]
