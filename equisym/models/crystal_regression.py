"""The classical alternative to symnet: logistic regression on the correlations of every operation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equisym.crystal.shell_correlation import correlate, whitening_filters
from equisym.crystal.symmetry_features import CLASS_GROUP, SymmetryFeatures
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.last_layer import HasLastLayer
from equisym.models.registry import register

_FEATURES = 3 * len(CLASS_GROUP) + 2 * 17


class Crystal(HasLastLayer, FeatureClassifier):
    r"""Logits of the 17 groups, linear in the logarithms of what each operation leaves unexplained.

    .. math:: x = -\log_{10}(1 - \rho)

    for the correlation of each class of operations of each group, under three strengths of whitening, with the strain
    of the lattice against each group's. The weights are those of scikit-learn's ``LogisticRegression`` on standardised
    features; :meth:`fit` finds them.

    >>> Crystal()(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 17])
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(_FEATURES, 17)
        self.register_buffer("mean", torch.zeros(_FEATURES))
        self.register_buffer("spread", torch.ones(_FEATURES))
        self.mean: Tensor
        self.spread: Tensor

    def _last(self) -> tuple[nn.Module, str]:
        return self, "linear"

    def features(self, e: SymmetryFeatures) -> Tensor:
        """Input of the regression, (B, features)."""
        miss = 1 - correlate(e, whitening_filters(e)).value
        left = -miss.clamp(1e-3, 2.0).log10().flatten(1)
        return torch.cat((left, e.strain.clamp(max=0.3), e.admitted.to(left)), 1)

    def classify(self, e: SymmetryFeatures) -> Tensor:
        """Logits, (B, 17)."""
        return self.linear((self.features(e) - self.mean) / self.spread)

    def fit(self, rows: Tensor, labels: Tensor, *, strength: float = 1.0) -> None:
        """Fit the weights to packed features (B, PACKED) and labels (B,).

        Args:
            rows: the result of ``extract``.
            labels: groups.
            strength: inverse of the penalty on the weights, scikit-learn's C.
        """
        from sklearn.linear_model import LogisticRegression

        x = self.features(SymmetryFeatures.unpack(rows)).double()
        mean, spread = x.mean(0), x.std(0).clamp(min=1e-3)
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(((x - mean) / spread).numpy(), labels.numpy())
        with torch.no_grad():
            self.mean.copy_(mean)
            self.spread.copy_(spread)
            self.linear.weight.zero_()
            self.linear.bias.fill_(-30.0)  # for groups without training images
            seen = torch.from_numpy(model.classes_)
            self.linear.weight[seen] = torch.from_numpy(model.coef_).float()
            self.linear.bias[seen] = torch.from_numpy(model.intercept_).float()


@register
def crystal(*, num_classes: int = 17, in_channels: int = 1) -> Crystal:
    """Logistic regression on hand-written features of the unit cell."""
    if num_classes != 17:
        raise ValueError(f"crystal answers with the 17 groups (got num_classes={num_classes})")
    del in_channels  # the mean of the channels is used
    return Crystal()
