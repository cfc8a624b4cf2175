"""The last layer of a classifier, or none, and how it is looked at and replaced."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from torch import nn

from equisym.nn.arguments import count


class NoLastLayer(nn.Identity):
    """Where there are no classes: the pooled features are the answer.

    Args:
        in_features: how many they are.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = in_features


def last_layer(in_features: int, num_classes: int) -> nn.Linear | NoLastLayer:
    """A linear layer to logits, or none for 0 classes.

    >>> last_layer(8, 0).in_features
    8
    """
    classes = count("num_classes", num_classes, 0)
    return nn.Linear(in_features, classes) if classes else NoLastLayer(in_features)


class HasLastLayer(nn.Module):
    """A classifier whose last layer is had and replaced by timm's names for this.

    Attributes:
        global_pool: how maps are pooled over the pixels, as timm calls it; ``""`` leaves them as they are.
        poolings: each ``global_pool`` that the network can have, and how many features come of it.
    """

    global_pool: str = "fixed"
    poolings: Mapping[str, int] = {}

    def _last(self) -> tuple[nn.Module, str]:
        """Where the last layer is: the module that holds it, and its name there."""
        return self, "head"

    @property
    def num_features(self) -> int:
        """Pooled features, of which the last layer makes logits."""
        return self.get_classifier().in_features

    @property
    def num_classes(self) -> int:
        """Size of the answer, 0 where the pooled features are the answer."""
        return getattr(self.get_classifier(), "out_features", 0)

    def get_classifier(self) -> nn.Linear | NoLastLayer:
        """The last linear layer."""
        return getattr(*self._last())

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a fresh last layer in place, for other classes.

        Args:
            num_classes: size of the answer; 0 leaves the layer out, and pooled features are the answer.
            global_pool: one of ``poolings``, ``""`` among them only for 0 classes; None keeps it.

        Raises:
            ValueError: for another pooling, or maps that are not pooled but classified.
        """
        pool, features = self.global_pool if global_pool is None else global_pool, self.num_features
        if global_pool is not None:
            if pool not in self.poolings:
                known = ", ".join(map(repr, self.poolings)) or "left out"
                raise ValueError(f"global_pool must be {known} for {type(self).__name__} (got {pool!r})")
            features = self.poolings[pool]
        if not pool and num_classes:
            raise ValueError(f"global_pool='' leaves maps, which have no classes (got {num_classes}): give 0")
        holder, name = self._last()
        like = next(itertools.chain(self.parameters(), self.buffers()))
        setattr(holder, name, last_layer(features, num_classes).to(like))
        self.global_pool = pool
