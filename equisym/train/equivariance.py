"""A callback that reports, as training goes on, how far the network is from the symmetry it should have."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.testing import equivariance_errors


class EquivarianceCallback(L.Callback):
    """Logs ``equivariance_error`` on the first validation batch of every epoch.

    The figure is the greatest change of the answer under the elements of the group, relative to the greatest number in
    the answer. It is rounding for an exact network at an exact size, grows where a layer breaks the symmetry, and says
    of a plain network how much of the symmetry it has learned.

    Args:
        group: the group; None takes the network's own, where it has one.
        images: how many images of the batch are measured.

    Raises:
        ValueError: at the first batch, if no group is given and the network has none.
    """

    def __init__(self, group: PointGroup | None = None, *, images: int = 4) -> None:
        self.group, self.images = group, images

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: tuple[Tensor, ...],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure the first batch."""
        del trainer, outputs
        if batch_idx or dataloader_idx:
            return
        pl_module.log("equivariance_error", self.measure(network_of(pl_module), batch[0]), batch_size=len(batch[0]))

    @torch.no_grad()
    def measure(self, network: nn.Module, images: Tensor) -> float:
        """The greatest error over the group."""
        group = self.group or getattr(network, "group", None)
        if group is None:
            raise ValueError(f"{type(network).__name__} has no group: give one, EquivarianceCallback(D(4))")
        images = images[: self.images]
        return equivariance_errors(network.eval(), images, group=group, output="invariant").max().item()


def network_of(module: L.LightningModule) -> nn.Module:
    """The network that a Lightning module trains, its attribute ``model``, or the module itself."""
    return getattr(module, "model", module)
