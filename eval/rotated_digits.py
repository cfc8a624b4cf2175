"""Rotated digits: the network that e2cnn and escnn publish, on their layers and on ours, trained by one loop.

    python eval/rotated_digits.py --parity PYTHON [--seeds 0 1 2] [--scale 0.125] [--device cuda]

PYTHON is the interpreter that tests/parity/make_env.sh prints. The digits are scikit-learn's, 8 x 8 pixels: each is
turned and enlarged in one cubic interpolation. All images are drawn here once; every network is trained in that
interpreter on the same images in the same order, by Adam with the rate and decay of their rotated-MNIST benchmark.
Each network writes its result when it is done, and what is done is not repeated. Results:
eval/results/rotated_digits.csv and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from digit_networks import SIZE, digit_network, parameters
from seed_table import seed_table
from torch import Tensor, nn

HERE = Path(__file__).parent
NETWORKS = ("steerable", "group", "rings", "escnn", "e2cnn", "plain")
FIGURES = ("valid", "test", "kept_45", "kept_90")
HEADS = ("valid %", "test %", "answer kept at 45° %", "at 90° %")
COLUMNS = ("network", "seed", "params", *FIGURES)
SPLITS = {"train": (0, 1000, 2), "valid": (1000, 1200, 2), "test": (1200, 1797, 2)}  # from, to, turns of each digit
EPOCHS, BATCH, RATE, DECAY, DECAY_AFTER = 8, 64, 1e-3, 0.8, 3
PIXELS = 2.6  # of ours in one of the digit's: whatever the angle, the ink stays inside the disc


def turned(digit: np.ndarray, degrees: float) -> np.ndarray:
    """A digit of 8 x 8 pixels turned counter-clockwise and enlarged to the network's size, by one cubic spline."""
    from scipy.ndimage import map_coordinates

    y, x = (np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2) / PIXELS
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    places = np.stack([cos * y + sin * x, cos * x - sin * y]) + 3.5
    return map_coordinates(digit / 16, places, order=3, mode="grid-constant")


def draw(file: Path, split: str, seed: int) -> None:
    """Images, those turned by 45 and by 90 degrees more, and labels of one split, once; no digit is in two splits."""
    from sklearn.datasets import load_digits

    if file.is_file():
        return
    start, stop, turns = SPLITS[split]
    digits, labels = load_digits(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(digits))[start:stop].repeat(turns)
    angles = np.random.default_rng([seed, start]).uniform(0, 360, len(chosen))
    sets = [
        np.stack([turned(digits[i].reshape(8, 8), a + more) for i, a in zip(chosen, angles, strict=True)])
        for more in ((0, 45, 90) if split == "test" else (0,))
    ]
    partial = file.with_suffix(".part")
    torch.save((torch.from_numpy(np.stack(sets)).float()[:, :, None], torch.from_numpy(labels[chosen])), partial)
    partial.replace(file)


@torch.no_grad()
def answers(model: nn.Module, images: Tensor) -> Tensor:
    """The digit named for each image."""
    return torch.cat([model(batch).argmax(1) for batch in images.split(256)])


def train(name: str, seed: int, folder: Path, scale: float, device: str) -> dict[str, object]:
    """Train one network; its accuracy, and the share of answers that stay when the image is turned."""
    sets = {split: torch.load(folder / f"{split}-{seed if split == 'train' else 0}.pt") for split in SPLITS}
    sets = {split: [part.to(device) for part in parts] for split, parts in sets.items()}
    (images,), labels = sets["train"]
    torch.manual_seed(seed)
    model = digit_network(name, scale).to(device)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(images), generator=order).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch.to(device)]), labels[batch.to(device)])
            loss.backward()
            optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= DECAY if epoch >= DECAY_AFTER else 1
        model.eval()
        (seen,), truth = sets["valid"]
        valid = (answers(model, seen) == truth).double().mean().item()
        print(
            f"{name}, seed {seed}: epoch {epoch + 1} of {EPOCHS}, loss {loss.item():.3f}, valid {valid:.3f}",
            file=sys.stderr,
            flush=True,
        )
    views, truth = sets["test"]
    upright, *more = (answers(model, view) for view in views)
    shares = [valid, *((found == upright).double().mean().item() for found in (truth, *more))]
    row: dict[str, object] = {"network": name, "seed": seed, "params": parameters(model)}
    return row | dict(zip(FIGURES, (round(share, 5) for share in shares), strict=True))


def report(rows: list[dict], scale: float) -> str:
    """The table and what it was made with."""
    digits = {split: stop - start for split, (start, stop, _) in SPLITS.items()}
    drawn = {split: digits[split] * turns for split, (_, _, turns) in SPLITS.items()}
    text = [
        "# Rotated digits: one published network on the layers of three libraries",
        "",
        f"`python eval/rotated_digits.py --parity PYTHON --scale {scale:g}`",
        "",
        f"The C8 network of e2cnn's and escnn's own example with {scale:g} of its fields (1 is the plan as published). "
        "group: on our GroupConv2d; rings: the same with basis='circular'; steerable: on our SteerableConv2d; "
        "plain: the same plan with ordinary convolutions and as many parameters. All but the plain one can be the same "
        "functions; what the weights are coordinates of is different. scikit-learn's digits, turned by any angle, "
        f"{SIZE} x {SIZE}: {drawn['train']:,} images of {digits['train']:,} digits to train, {drawn['valid']:,} of "
        f"{digits['valid']} to validate, {drawn['test']:,} of {digits['test']} others to test. {EPOCHS} epochs in "
        f"batches of {BATCH}, Adam at {RATE:g}, times {DECAY} each epoch after the first {DECAY_AFTER}, for all; tuned "
        "for none. Mean and 95 % "
        "interval over seeds (Student). Answer kept: of the test images, those named as before when turned further.",
        "",
        seed_table(rows, {"network": "network", "parameters": "params"}, dict(zip(HEADS, FIGURES, strict=True)), 2),
        "",
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn; without it the rest is trained")
    parser.add_argument("--runs", type=Path, default=Path("runs/rotated_digits"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--scale", type=float, default=0.125, help="of the published numbers of fields")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--train", help="train this network here with the first seed, and print its row as JSON")
    parser.add_argument("--report", action="store_true", help="write the page from the results that are there")
    arguments = parser.parse_args()
    folder = arguments.runs
    if arguments.train:
        row = train(arguments.train, arguments.seeds[0], folder, arguments.scale, arguments.device)
        print(json.dumps(row))
        return
    from equisym.eval.protocol import write_table
    from equisym.train.artifacts import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        for split in ("valid", "test"):
            draw(folder / f"{split}-0.pt", split, 0)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    rows = []
    for seed in arguments.seeds:
        if not arguments.report:
            draw(folder / f"train-{seed}.pt", "train", seed)
        for name in arguments.networks:
            result = folder / f"{name}-{seed}.json"
            left_out = arguments.report or (name in ("escnn", "e2cnn") and arguments.parity is None)
            if not result.is_file() and not left_out:
                python = str(arguments.parity or sys.executable)
                command = [python, "-W", "ignore", __file__, "--train", name, "--seeds", str(seed)]
                command += ["--runs", str(folder), "--scale", str(arguments.scale), "--device", arguments.device]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
                write_whole(result, done.stdout.splitlines()[-1] + "\n")
            if result.is_file():
                rows.append({k: v for k, v in json.loads(result.read_text()).items() if k in COLUMNS})
            write_table(rows, HERE / "results" / "rotated_digits.csv", COLUMNS)
            write_whole(HERE / "results" / "rotated_digits.md", report(rows, arguments.scale))
    print((HERE / "results" / "rotated_digits.md").read_text())


if __name__ == "__main__":
    main()
