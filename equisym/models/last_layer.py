"""The last layer of a classifier, or none."""

from __future__ import annotations

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
