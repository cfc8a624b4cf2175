"""symnet: learned spectral filters on the unit cell, and a small network that scores each operation class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from equisym.crystal.shell_correlation import Correlations, correlate, level, shell_frequency
from equisym.crystal.symmetry_features import CLASS_GROUP, CLASS_KIND, SymmetryFeatures
from equisym.groups import WALLPAPER_GROUPS
from equisym.models.feature_classifier import FeatureClassifier
from equisym.models.registry import register
from equisym.nn.arguments import count

LARGEST_STRAIN = 0.1  # a lattice further from a group's is another lattice, not a distorted one


class SymNet(FeatureClassifier):
    r"""Log-probabilities of the 17 groups from the symmetry features of a unit cell.

    .. math::
        E(G) = \sum_{c \in G} s_\theta(\rho_\theta(c)) - \frac{\epsilon_G^2}{2 \sigma^2}, \qquad
        p(G) = (1 - \delta_\theta)\, \mathrm{softmax}_G\, E(G) / \tau + \delta_\theta / 17

    Isotropic spectral filters, whose transfer function is learned from frequency, strength and reliability of each
    shell, turn the cell into features. Their correlation :math:`\rho` with themselves under each class c of operations
    of each group (conjugate operations and inverses, which hold together), at the group's best origin, is read by one
    small network that is the same for all classes and gives the log-odds that the class holds. An isometry commutes
    with isotropic filters, so the features have the symmetry of the image. A group's energy adds up its classes, and
    pays for the strain :math:`\epsilon_G` of the lattice against the group's: nothing else of the image reaches it. The
    doubt :math:`\delta` that the lattice is wrong is read from how well its translations hold.

    Args:
        filters: number of spectral filters.
        hidden: width of the small networks.

    Shape:
        images ``(B, C, H, W)`` or packed features ``(B, PACKED)`` to ``(B, 17)`` log-probabilities.

    >>> SymNet()(torch.rand(2, 1, 32, 32)).exp().sum(1).allclose(torch.ones(2))
    True
    """

    def __init__(self, filters: int = 6, *, hidden: int = 16) -> None:
        super().__init__()
        self.filters, self.hidden = count("filters", filters), count("hidden", hidden)
        self.strength = nn.Parameter(torch.linspace(0, 1, filters))
        self.shape = nn.Sequential(nn.Linear(4, hidden), nn.SiLU(), nn.Linear(hidden, filters))
        self.head = nn.Sequential(
            nn.Linear(3 * filters + 7, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1)
        )
        self.doubt = nn.Sequential(nn.Linear(4, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        self.slope = nn.Parameter(torch.tensor(1.0))
        self.log_rigidity = nn.Parameter(torch.tensor(0.03).log())
        self.register_buffer("temperature", torch.tensor(1.0))
        nn.init.zeros_(self.shape[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.shape[-1].bias)  # pyright: ignore[reportArgumentType]
        nn.init.constant_(self.doubt[-1].bias, -4.0)  # pyright: ignore[reportArgumentType]
        members = torch.zeros(17, len(CLASS_GROUP))
        members[CLASS_GROUP, torch.arange(len(CLASS_GROUP))] = 1.0
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("kind", nn.functional.one_hot(CLASS_KIND, 7).float(), persistent=False)
        self.members: Tensor
        self.kind: Tensor
        self.temperature: Tensor

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:  # noqa: ARG002
        """Refuse another answer: there is no last layer, since operations are scored and these make up the groups.

        Raises:
            ValueError: for other classes than the 17 groups.
        """
        if num_classes != 17:
            raise ValueError(
                f"symnet has no last layer to replace, it scores the operations of the 17 groups (got num_classes="
                f"{num_classes}): take crystal, which reads the same features, or e2resnet"
            )

    def extra_repr(self) -> str:
        """Constructor arguments."""
        return f"{self.filters}, hidden={self.hidden}"

    def correlations(self, e: SymmetryFeatures) -> Correlations:
        """Correlations of all operations under the learned filters."""
        q = shell_frequency(e.signal).log2()
        cell = torch.linalg.det(e.basis).abs().clamp(min=1).log2() / 2
        relative = q + cell[:, None]
        strong = level(e)
        about = torch.stack(
            ((q.expand_as(strong) + 4) / 2, (relative - 2) / 2, strong.log10() / 3, e.reliability * 2 - 1), -1
        )
        bend = self.shape(about).movedim(-1, 1)
        weight = (
            e.reliability.square()[:, None] * strong[:, None] ** -self.strength[:, None] * bend.clamp(-4.0, 4.0).exp()
        )
        return correlate(e, weight * (e.signal > 0)[:, None])

    def log_odds(self, e: SymmetryFeatures) -> Tensor:
        """Log-odds that each operation class holds, (B, 39)."""
        c = self.correlations(e)
        miss = 1 - c.value
        # deviation on a logarithmic scale, linear where it is as small as the effect of noise and pixels
        distance = torch.asinh(miss / 0.02) / 3
        error = (c.error + 1e-3).log10() + 1.5
        chance = (c.chance + 1e-3).log10().expand_as(error) + 1
        kind = self.kind + torch.zeros_like(distance[..., :1])
        seen = self.head(torch.cat((distance, error, chance, kind), -1))[..., 0]
        return seen + self.slope * 4 * (1 - distance.mean(-1) * 1.5)

    def energies(self, e: SymmetryFeatures) -> Tensor:
        """Unnormalised log-probabilities of the groups, given that the lattice is right, (B, 17)."""
        energy = self.log_odds(e) @ self.members.T - 0.5 * (e.strain / self.log_rigidity.exp()).square()
        one = torch.arange(17, device=energy.device) == WALLPAPER_GROUPS["p1"].label
        possible = e.admitted & (e.strain <= LARGEST_STRAIN)
        return torch.where(possible | one, energy, torch.full_like(energy, -30.0))

    def log_doubt(self, e: SymmetryFeatures) -> tuple[Tensor, Tensor]:
        """Log-probabilities that the lattice is right and that it is wrong, (B, 1) each."""
        best = torch.where(e.admitted, e.agreement, torch.zeros_like(e.agreement))[:, 1:].amax(1)
        reliable = (e.signal.clamp(min=0) * e.reliability).sum(1)
        seen = torch.stack((e.score * 2 - 1, e.repeats.clamp(min=1).log() / 2 - 1.5, reliable * 2 - 1, best), 1)
        odds = self.doubt(seen)
        return nn.functional.logsigmoid(-odds), nn.functional.logsigmoid(odds)

    def classify(self, e: SymmetryFeatures) -> Tensor:
        """Log-probabilities of the 17 groups, (B, 17)."""
        right, wrong = self.log_doubt(e)
        given = (self.energies(e) / self.temperature).log_softmax(-1)
        return torch.logaddexp(right + given, (wrong - math.log(17)).expand_as(given))


@register
def symnet(*, num_classes: int = 17, in_channels: int = 1, filters: int = 6, hidden: int = 16) -> SymNet:
    """Learned spectral filters and one scorer of operations, after lattice and unit cell."""
    if num_classes != 17:
        raise ValueError(f"symnet answers with the 17 groups (got num_classes={num_classes})")
    del in_channels  # the mean of the channels is used
    return SymNet(filters, hidden=hidden)
