"""Plan of the benchmark: what is compared, and how much is trained at each scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PLAIN = {"group": "C1", "width": 23}
NETWORKS: dict[str, dict[str, Any]] = {
    "equivariant": {"arch": "e2resnet", "arch_options": {"conv": "pixels"}},
    "plain-same-parameters": {"arch": "e2resnet", "arch_options": PLAIN},
    "plain-same-computation": {"arch": "e2resnet", "arch_options": {"group": "C1", "width": 64}},
    "plain-augmented": {"arch": "e2resnet", "arch_options": PLAIN, "augment": True},
    "equivariant-C8": {"arch": "e2resnet", "arch_options": {"group": "C8", "conv": "band-limited"}},
    "separable": {"arch": "e2resnet", "arch_options": {"conv": "separable"}},
    "steerable": {"arch": "e2resnet", "arch_options": {"conv": "steerable"}},
    "hierarchical": {
        "arch": "e2resnet",
        "arch_options": {"conv": "pixels"},
        "loss": "hierarchical",
        "curriculum": 0.3,
    },
    "level-1": {"arch": "e2resnet", "arch_options": {"conv": "pixels"}, "loss": "rotation_family"},
    "plain-fft-radon": {"arch": "e2resnet", "arch_options": PLAIN, "inputs": "image,fft,radon"},
    "rotating-kernels": {"arch": "rkcnn"},
    "fixed-kernels": {"arch": "rkcnn", "arch_options": {"rotations": 1}},
    "learned-sharing": {"arch": "msrnet"},
    "orbit-sharing": {"arch": "orbitnet", "arch_options": {"group": "p4m", "cell": 1}},
    "no-sharing": {"arch": "orbitnet", "arch_options": {"group": "p1", "cell": 1}},
    "symmetry-filter": {"arch": "filternet"},
    "e2wideresnet": {"arch": "e2wideresnet", "arch_options": {"width": 6, "depth": 10}},
    "e2densenet": {"arch": "e2densenet", "arch_options": {"growth": 4, "layers": [3, 6, 6]}},
    "symnet": {"arch": "symnet", "degrade": True, "epochs": 40},
    "crystal": {"arch": "crystal", "degrade": True},
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "resnet50": {"arch": "resnet50", "arch_options": {"dropout": 0.5}},
    "densenet161": {"arch": "densenet161", "arch_options": {"dropout": 0.5}},
    "fpn_resnet50": {"arch": "fpn_resnet50"},
    "xcit_small_12": {"arch": "xcit_small_12_p8_224", "arch_options": {"dropout": 0.5}},
}
SMALLER: dict[str, dict[str, Any]] = {
    "resnet18": {"arch": "timm/resnet18", "arch_options": {"dropout": 0.5}},
    "densenet_small": {
        "arch": "densenet161",
        "arch_options": {"growth_rate": 16, "block_config": [3, 6, 6, 6], "dropout": 0.5},
    },
    "fpn_resnet18": {"arch": "fpn_resnet50", "arch_options": {"backbone": "resnet18", "channels": 64}},
    "xcit_small_4": {
        "arch": "xcit_small_12_p8_224",
        "arch_options": {"depth": 4, "embed_dim": 128, "num_heads": 4, "dropout": 0.5},
    },
}
TECHNIQUES = (
    ("group convolutions, equal parameters", "equivariant", "plain-same-parameters"),
    ("group convolutions, equal computation", "equivariant", "plain-same-computation"),
    ("group convolutions against augmentation", "equivariant", "plain-augmented"),
    ("rotating kernels", "rotating-kernels", "fixed-kernels"),
    ("parameter sharing along orbits", "orbit-sharing", "no-sharing"),
    ("meta-learned sharing (MSR), trained with the weights", "learned-sharing", "fixed-kernels"),
    ("symmetry filter", "symmetry-filter", "plain-same-parameters"),
    ("FFT and Radon channels", "plain-fft-radon", "plain-same-parameters"),
    ("hierarchy", "hierarchical", "equivariant"),
)


@dataclass(frozen=True)
class Scale:
    """How much is trained.

    Attributes:
        summary: the same in words, for the page.
        baselines: plain networks of the published kinds.
        narrow: options that make the dearest networks narrower.
        images: numbers of training images.
        families: families trained on.
        everywhere: networks that are trained on each of the three families, whatever the others are trained on.
        options: of every run.
        baseline: of the timm baselines besides.
        test_images: of each family.
    """

    summary: str
    baselines: dict[str, dict[str, Any]]
    narrow: dict[str, dict[str, Any]]
    images: tuple[int, ...]
    families: tuple[str, ...]
    everywhere: tuple[str, ...]
    options: dict[str, Any]
    baseline: dict[str, Any]
    test_images: int


SCALES = {
    "cpu": Scale(
        "A benchmark for two CPU cores: every network sees the same 3,400 noise images of 65 x 65 pixels for 4 epochs "
        "in batches of 17, 800 steps, far too few for any of them; three also learn photo and atom images. "
        "symnet and crystal are fitted to what they measure in the same images, degraded. Smaller "
        "members stand for the published baselines, trained with Adam at 1e-3 as those were. It compares; it does not "
        "show what networks can reach.",
        SMALLER,
        {
            "rotating-kernels": {"width": 8},
            "fixed-kernels": {"width": 8},
            "learned-sharing": {"width": 1},
            "orbit-sharing": {"width": 8},
            "no-sharing": {"width": 8},
            "e2wideresnet": {"width": 4},
        },
        (3400,),
        ("noise",),
        ("equivariant", "plain-same-parameters", "plain-same-computation"),
        {"size": 65, "epochs": 4, "batch_size": 17, "workers": 0},
        {"lr": 1e-3, "optimiser": "adam", "weight_decay": 0.0, "appearance": False},
        1700,
    ),
    "gpu": Scale(
        "Every network sees the same images of 129 x 129 pixels for 20 epochs; the published baselines are trained "
        "with Adam at 1e-3 as they were.",
        PUBLISHED,
        {},
        (10_000, 100_000, 1_000_000),
        ("photo", "noise"),
        ("equivariant", "resnet50"),
        {"size": 129, "epochs": 20, "batch_size": 128, "precision": "bf16-mixed", "checkpoint_steps": 500},
        {"lr": 1e-3, "optimiser": "adam", "weight_decay": 0.0, "appearance": False},
        10_200,
    ),
}
