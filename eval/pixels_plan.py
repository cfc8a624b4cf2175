"""What ``pixels.py`` trains: which networks, on which images, for how long."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = ("noise", "photo", "atom")
SIZE, TEST, MANY, FEW, BATCH, PEAK = 65, 1700, 34000, 3400, 128, 4e-3
EPOCHS = {MANY: 8, FEW: 30}
CORRELATION = {"group": "D12", "width": 6, "stem_kernel": 7, "conv": "band-limited"}
NETWORKS = {
    "correlation": CORRELATION,
    "same parameters": {"group": "C1", "width": 26, "stem_kernel": 7},
    "same computation": {"group": "C1", "width": 142, "stem_kernel": 7},
}


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

    ours = [(MANY, 0), (FEW, 0), (MANY, 1), (FEW, 1), (FEW, 2), (MANY, 2)]
    equivariant = [[job("correlation", family, *of)] for of in ours for family in FAMILIES]
    narrow = [[job("same parameters", family, MANY, seed) for seed in range(3)] for family in FAMILIES]
    wide = [[job("same computation", family, MANY, 0)] for family in FAMILIES]
    plain = [narrow[0], wide[0], narrow[1], narrow[2], wide[1], wide[2]]
    plain += [[job("same parameters", family, FEW, seed) for seed in range(3)] for family in FAMILIES]
    return [("equivariant", True, equivariant), ("plain", False, plain)]
