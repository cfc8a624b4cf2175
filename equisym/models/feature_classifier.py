"""Base class of networks that read symmetry features: they take images, packed features, or features."""

from __future__ import annotations

from torch import Tensor, fx, nn

from equisym.crystal import SymmetryFeatures, extract_features


class FeatureClassifier(nn.Module):
    """A network whose first, parameter-free stage measures the symmetry of the image (:mod:`equisym.crystal`).

    Subclasses define :meth:`classify`. Training calls :meth:`extract` once for each image and stores the result.

    Shape:
        images ``(B, C, H, W)``, of which the mean of the channels is used, or the result of ``extract``,
        ``(B, PACKED)``, to ``(B, 17)`` logits.
    """

    def classify(self, e: SymmetryFeatures) -> Tensor:
        """Logits of the 17 groups, (B, 17)."""
        raise NotImplementedError

    def extract(self, images: Tensor) -> Tensor:
        """Packed features of images, ``(B, C, H, W)`` to ``(B, PACKED)``; in evaluation mode after drift correction."""
        return extract_features(images, scans=not self.training).pack().to(images)

    def forward(self, x: Tensor) -> Tensor:
        """Images or packed features to logits."""
        if not isinstance(x, fx.Proxy) and x.dim() == 4:
            x = self.extract(x)
        return self.classify(SymmetryFeatures.unpack(x))

    def to_plain(self) -> fx.GraphModule:
        """The classification of packed features as one graph of torch.nn parts, without the measurement."""
        return fx.symbolic_trace(self)
