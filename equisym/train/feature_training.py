"""Training of networks on packed symmetry features, which takes seconds because the images are measured before."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from equisym.crystal import SymmetryFeatures
from equisym.crystal.symmetry_features import CLASS_GROUP
from equisym.groups import WALLPAPER_GROUPS
from equisym.models import Crystal, SymNet
from equisym.train.config import OptimiserOptions
from equisym.train.module import ClassifierModule


class PseudoSymmetry:
    """Training features of patterns that nearly have a symmetry: a cell mixed with its image symmetrised by a group.

    Mixing raises the correlation of every operation of that group, and of its subgroups, by the same share of what is
    missing to 1. A family of textures whose forbidden operations all correlate near 0 would otherwise not show
    how narrowly an operation may fail; here it may fail by as little as the label guard's margin, whatever the family.

    Args:
        margin: forbidden operations stay below 1 by at least this much.
        chance: probability that an image is mixed.
    """

    def __init__(self, margin: float = 0.1, chance: float = 0.5) -> None:
        self.margin, self.chance = margin, chance
        below = torch.tensor([[k == g or k.is_subgroup_of(g) for g in WALLPAPER_GROUPS] for k in WALLPAPER_GROUPS])
        self.slot_in = below[CLASS_GROUP].T  # (17 groups, 39 classes): the classes of a group and of its subgroups
        self.within = below  # [k, g]: k is g or a subgroup of it

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Packed features (B, PACKED) and labels (B,) to packed features, some of it mixed."""
        e = SymmetryFeatures.unpack(rows)
        higher = e.admitted & ~self.within.T[labels]  # groups with operations that the label lacks
        chosen = (higher + 1e-6 * torch.rand(higher.shape)).multinomial(1)[:, 0]
        members = self.slot_in[chosen]
        power = e.signal.clamp(min=0).sum(-1, keepdim=True).clamp(min=1e-9)
        missing = 1 - e.profile.sum(-1) / power
        forbidden = members & (missing > self.margin)
        least = torch.where(forbidden, missing, torch.inf).amin(1)
        most = (self.margin / least).clamp(max=1)  # the fraction of the missing part that may remain
        left = most ** torch.rand(len(rows))
        mixed = higher.gather(1, chosen[:, None])[:, 0] & least.isfinite() & (torch.rand(len(rows)) < self.chance)
        share = torch.where(mixed, 1 - left, torch.zeros_like(left))[:, None] * members
        profile = e.profile + share[..., None] * (e.signal[:, None] - e.profile)
        return replace(e, profile=profile).pack()


class SymmetryModule(ClassifierModule):
    """Trains a network on packed features, part of it mixed towards higher symmetry."""

    mix = PseudoSymmetry()

    def prepare(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The batch, part of it mixed in training."""
        rows, labels = super().prepare(batch)
        return (self.mix(rows, labels) if self.training else rows), labels


def fit_symnet(
    rows: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
    steps: int = 2500,
    batch_size: int = 64,
    lr: float = 5e-3,
    progress: bool = False,
    **options: int,
) -> SymNet:
    """Train symnet.

    Args:
        rows: packed features, (N, PACKED).
        labels: groups, (N,).
        seed: of the initial weights and the order.
        steps: of the optimiser, AdamW under one cycle of the learning rate, whatever N.
        batch_size: images in a step.
        lr: peak of the learning rate.
        progress: whether to show a bar.
        options: of :class:`equisym.models.SymNet`.
    """
    torch.manual_seed(seed)
    network = SymNet(**options)
    settings = OptimiserOptions(lr=lr, weight_decay=1e-3)
    module = SymmetryModule(network, num_classes=17, options=settings, seed=seed)
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(TensorDataset(rows, labels), batch_size, shuffle=True, drop_last=True, generator=order)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of workers and validation, which features in memory has no need of
        trainer = L.Trainer(
            accelerator="cpu",
            max_steps=steps,
            max_epochs=-1,
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=progress,
        )
        trainer.fit(module, batches)
    return network.eval()


def calibrate(network: SymNet, rows: Tensor, labels: Tensor) -> float:
    """Set the temperature to the one that maximises the likelihood of validation labels, and return it.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    log_temperature = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        network.temperature = log_temperature.exp()
        value = torch.nn.functional.nll_loss(network(rows), labels)
        value.backward()
        return value

    optimiser.step(loss)  # pyright: ignore[reportArgumentType]
    network.temperature = log_temperature.detach().exp()
    return network.temperature.item()


def fit_crystal(rows: Tensor, labels: Tensor) -> Crystal:
    """Fit the classical classifier."""
    network = Crystal()
    network.fit(rows, labels)
    return network.eval()
