"""What ``pixels.py`` trains: which networks, on which images, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FAMILIES = ("noise", "photo", "atom")
SIZE, TEST, MANY, FEW, BATCH, PEAK = 65, 1700, 34000, 3400, 128, 4e-3
EPOCHS = {MANY: 8, FEW: 30}
NETWORKS = {
    "correlation": {"group": "D12", "width": 6, "stem_kernel": 7},
    "correlation, rings": {"group": "D12", "width": 6, "stem_kernel": 7, "conv": "band-limited"},
    "same parameters": {"group": "C1", "width": 26, "stem_kernel": 7},
    "same computation": {"group": "C1", "width": 142, "stem_kernel": 7},
}
PUBLISHED = {
    "ResNet50": {"arch": "resnet50", "options": {"dropout": 0.5}},
    "XCiT": {"arch": "xcit_small_12_p8_224", "options": {"dropout": 0.5}},
    "FPN-ResNet50": {"arch": "fpn_resnet50", "options": {}},
    "DenseNet161": {"arch": "densenet161", "options": {"dropout": 0.5}},
}
PUBLISHED_PEAK = 1e-3


@dataclass(frozen=True)
class Job:
    """One training: which network, on which images, and how."""

    network: str
    options: dict
    family: str
    images: int
    epochs: int
    seed: int = 0
    batch: int = BATCH
    peak: float = PEAK
    appearance: bool = True
    turn: bool = False
    arch: str = "e2resnet"
    inputs: str = "image"
    loss: str = "flat"
    curriculum: float = 0.0

    @property
    def recipe(self) -> tuple[Any, ...]:
        """What network it is and what it minimises: trainings that agree in it can be loaded into one another's."""
        return self.arch, self.options, self.inputs, self.loss, self.curriculum

    @property
    def name(self) -> str:
        """Its name among the results."""
        words = "".join(c if c.isalnum() else " " for c in self.network).split()
        return "-".join([*words, self.family, str(self.images), str(self.seed)])


def plan() -> list[tuple[str, bool, list[list[Job]]]]:
    """What each process trains: its name, whether networks are compiled, and groups of jobs that run at once."""

    def job(network: str, family: str, images: int, seed: int) -> Job:
        options = NETWORKS[network]
        return Job(network, options, family, images, EPOCHS[images], seed, turn=options["group"] == "C1")

    order = [(MANY, 0), (FEW, 0), (FEW, 1), (FEW, 2), (MANY, 1), (MANY, 2)]
    kinds = ("correlation", "correlation, rings")
    equivariant = [[job(kind, family, *of)] for kind in kinds for of in order for family in FAMILIES]
    narrow = {
        n: [[job("same parameters", family, n, seed) for seed in range(3)] for family in FAMILIES] for n in EPOCHS
    }
    wide = {of: [[job("same computation", family, *of)] for family in FAMILIES] for of in order}
    plain = [*narrow[FEW], *wide[MANY, 0], *narrow[MANY], *wide[FEW, 0], *(g for of in order[2:] for g in wide[of])]
    for family in FAMILIES:
        for name, what in PUBLISHED.items():
            plain += [
                [Job(name, family=family, images=n, epochs=EPOCHS[n], peak=PUBLISHED_PEAK, turn=True, **what)]
                for n in (MANY, FEW)
            ]
    return [("equivariant", True, equivariant), ("plain", False, plain)]
