"""What the networks that judge evidence share: they take images, packed evidence, or evidence."""

from __future__ import annotations

from torch import Tensor, fx, nn

from equisym.crystal import Evidence, gather


class FromEvidence(nn.Module):
    """A network whose first, parameter-free stage measures the symmetry of the image (:mod:`equisym.crystal`).

    Subclasses give :meth:`judge`. Training calls :meth:`look` once for each image and keeps what it returns.

    Shape:
        images ``(B, C, H, W)``, of which the channels' mean is looked at, or what :meth:`look` made of them,
        ``(B, PACKED)``, to ``(B, 17)`` logits.
    """

    def judge(self, e: Evidence) -> Tensor:
        """Logits of the 17 groups, (B, 17)."""
        raise NotImplementedError

    def look(self, images: Tensor) -> Tensor:
        """Packed evidence of images, ``(B, C, H, W)`` to ``(B, PACKED)``; in evaluation without drift of lines."""
        return gather(images, scans=not self.training).pack().to(images)

    def forward(self, x: Tensor) -> Tensor:
        """Images or packed evidence to logits."""
        if not isinstance(x, fx.Proxy) and x.dim() == 4:
            x = self.look(x)
        return self.judge(Evidence.unpack(x))

    def to_plain(self) -> fx.GraphModule:
        """The judgement of packed evidence, as one graph of torch.nn parts; the measurement is no network."""
        return fx.symbolic_trace(self)
