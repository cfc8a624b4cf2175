"""Plan of the benchmark: what is compared, and how much is trained at each scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PLAIN = {"group": "C1", "width": 20}
NETWORKS: dict[str, dict[str, Any]] = {
    "equivariant": {"arch": "e2resnet"},
    "group-pooling": {"arch": "e2resnet", "arch_options": {"pool": "max"}},
    "pixel-weights": {"arch": "e2resnet", "arch_options": {"conv": "pixels"}},
    "plain-same-parameters": {"arch": "e2resnet", "arch_options": PLAIN},
    "plain-same-computation": {"arch": "e2resnet", "arch_options": {"group": "C1", "width": 64}},
    "plain-augmented": {"arch": "e2resnet", "arch_options": PLAIN, "augment": True},
    "equivariant-C8": {"arch": "e2resnet", "arch_options": {"group": "C8", "conv": "band-limited"}},
    "separable": {"arch": "e2resnet", "arch_options": {"conv": "separable"}},
    "hierarchical": {"arch": "e2resnet", "loss": "hierarchical", "curriculum": 0.3},
    "level-1": {"arch": "e2resnet", "loss": "rotation_family"},
    "equivariant-fft": {"arch": "e2resnet", "inputs": "image,fft"},
    "equivariant-fft-radon": {"arch": "e2resnet", "inputs": "image,fft,radon"},
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
    ("correlation pooling", "equivariant", "group-pooling"),
    ("FFT channel, equivariant network", "equivariant-fft", "equivariant"),
    ("FFT and Radon channels, equivariant network", "equivariant-fft-radon", "equivariant"),
)


@dataclass(frozen=True)
class Scale:
    """How much is trained.

    Attributes:
        summary: the same in words, for the page.
        networks: those of ``NETWORKS`` that are trained if no others are asked for.
        baselines: plain networks of the published kinds.
        images: numbers of training images.
        families: families trained on.
        everywhere: networks that are trained on each of the three families, whatever the others are trained on.
        options: of every run.
        baseline: of the timm baselines besides.
        test_images: of each family.
    """

    summary: str
    networks: tuple[str, ...]
    baselines: dict[str, dict[str, Any]]
    images: tuple[int, ...]
    families: tuple[str, ...]
    everywhere: tuple[str, ...]
    options: dict[str, Any]
    baseline: dict[str, Any]
    test_images: int


SCALES = {
    "cpu": Scale(
        "A benchmark for two CPU cores at the budget of the command's own defaults: 8,160 noise images of 65 x 65 "
        "pixels, 5 epochs in batches of 34, 1,200 steps. The equivariant network learns there, and techniques are "
        "compared on it; plain networks need more images (eval/results/pixels). symnet and crystal are fitted to what "
        "they measure in the same images, degraded.",
        (
            "equivariant",
            "group-pooling",
            "plain-same-computation",
            "plain-same-parameters",
            "hierarchical",
            "equivariant-fft",
            "equivariant-fft-radon",
            "symnet",
            "crystal",
        ),
        {},
        (8160,),
        ("noise",),
        ("equivariant", "plain-same-parameters", "plain-same-computation"),
        {"size": 65, "workers": 0},
        {},
        1700,
    ),
    "gpu": Scale(
        "Every network sees the same images of 129 x 129 pixels for 20 epochs; the published baselines are trained "
        "with Adam at 1e-3 as they were.",
        tuple(NETWORKS),
        PUBLISHED,
        (10_000, 100_000, 1_000_000),
        ("photo", "noise"),
        ("equivariant", "resnet50"),
        {"size": 129, "epochs": 20, "batch_size": 128, "precision": "bf16-mixed", "checkpoint_steps": 500},
        {"lr": 1e-3, "optimiser": "adam", "weight_decay": 0.0, "appearance": False},
        10_200,
    ),
}
