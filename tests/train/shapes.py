"""Small labelled pictures that a small network tells apart in seconds, for tests of runs on one's own data."""

import numpy as np
from PIL import Image

CLASSES = ("bars", "disc", "noise")


def draw(name: str, rng: np.random.Generator, size: int = 17) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    pixels = rng.normal(0.5, 0.05, (size, size))
    if name == "bars":
        pixels += 0.4 * np.sign(np.sin(x * 1.5 + rng.uniform(0, 6)))
    elif name == "disc":
        pixels += 0.4 * (x**2 + y**2 < rng.uniform(9, 30))
    else:
        pixels += rng.normal(0, 0.3, (size, size))
    return (255 * pixels.clip(0, 1)).astype(np.uint8)


def folder_of_shapes(folder, count: int = 24, seed: int = 0):
    rng = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for k in range(count):
            Image.fromarray(draw(name, rng)).save(folder / name / f"{k}.png")
    return folder
