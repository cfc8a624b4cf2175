"""The same D4 residual network on our layers and on those of escnn and e2cnn, and a plain one: what each learns.

    python eval/rivals.py --parity PYTHON [--seeds 0 1 2]

PYTHON is the interpreter that tests/parity/make_env.sh prints. The images are drawn here once, and every network is
trained in that interpreter by the same loop (AdamW, one cycle) on the same images in the same order. Each network
writes its result when it is done, and what is done is not repeated. Results: eval/results/rivals.csv and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from resnets import make  # noqa: E402

NETWORKS = ("equisym", "band-limited", "pixels", "escnn", "e2cnn", "narrow")
FAMILIES = ("noise", "photo", "atom")
COLUMNS = ("network", "seed", "params", *FAMILIES)
WIDTH, NARROW, BLOCKS = 8, 23, (1, 1, 1)
SIZE, TRAIN, TEST, EPOCHS, BATCH, PEAK = 65, 3400, 1700, 6, 34, 4e-3


def draw(file: Path, family: str, count: int, seed: int, split: str) -> None:
    """Images and labels of one set, once."""
    from equisym.data import WallpaperDataset

    if not file.is_file():
        data = WallpaperDataset(family, count, size=SIZE, seed=seed, split=split).in_memory()
        partial = file.with_suffix(".part")
        torch.save(data.tensors, partial)
        partial.replace(file)


def read(file: Path) -> tuple[Tensor, Tensor]:
    """Standardised images and labels."""
    images, labels = torch.load(file)
    mean, spread = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True)
    return (images - mean) / spread, labels


def network(name: str) -> nn.Module:
    """A network of the comparison; the narrow one has as many parameters as ours."""
    return make(name, NARROW if name == "narrow" else WIDTH, BLOCKS)


def train(name: str, seed: int, folder: Path) -> dict[str, object]:
    """Train one network and test it on every family."""
    images, labels = read(folder / f"train-{seed}.pt")
    torch.manual_seed(seed)
    model = network(name)
    optimiser = torch.optim.AdamW(model.parameters(), PEAK, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, total_steps=EPOCHS * len(images) // BATCH)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(images), generator=order).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
        print(
            f"{name}, seed {seed}: epoch {epoch + 1} of {EPOCHS}, loss {loss.item():.3f}", file=sys.stderr, flush=True
        )
    model.eval()
    row = {"network": name, "seed": seed, "params": sum(p.numel() for p in model.parameters())}
    with torch.no_grad():
        for family in FAMILIES:
            tested, truth = read(folder / f"test-{family}.pt")
            answers = torch.cat([model(batch).argmax(1) for batch in tested.split(BATCH)])
            row[family] = round((answers == truth).double().mean().item(), 5)
    return row


def table(rows: list[dict]) -> str:
    """Mean and 95 % interval over seeds of each network, as Markdown."""
    from equisym.document import markdown_table
    from equisym.eval.statistics import mean_interval

    lines = []
    for name in NETWORKS:
        own = [row for row in rows if row["network"] == name]
        if not own:
            continue
        cells = [
            f"equisym, {name}" if name in ("band-limited", "pixels") else name,
            f"{own[0]['params']:,}",
            str(len(own)),
        ]
        for family in FAMILIES:
            mean, half = mean_interval([row[family] for row in own])
            cells.append(f"{100 * mean:.1f} ± {100 * half:.1f}" if len(own) > 1 else f"{100 * mean:.1f}")
        lines.append(cells)
    return markdown_table(["network", "parameters", "seeds", *(f"{family} %" for family in FAMILIES)], lines)


def write_page(rows: list[dict]) -> None:
    """The rows as csv, and the page."""
    from equisym.eval.protocol import write_table
    from equisym.train.artifacts import write_whole

    write_table(rows, HERE / "results" / "rivals.csv", COLUMNS)
    text = [
        "# One network on the layers of three libraries, and a plain one",
        "",
        "`python eval/rivals.py --parity PYTHON`",
        "",
        f"A residual network of D4, {WIDTH} fields in the first of {len(BLOCKS)} stages; narrow, a plain one of as "
        f"many parameters as ours. {TRAIN:,} noise images of {SIZE} x {SIZE}, {EPOCHS} epochs in batches of "
        f"{BATCH}, AdamW with a peak of {PEAK:g} for all. Accuracy on {TEST:,} fresh images of "
        "each family: mean and 95 % interval over seeds (Student). Ours differ in what the weights of a kernel "
        "are: coefficients of a basis sorted by the group's irreps, the default; band-limited, coefficients of "
        'waves on rings (`GroupConv2d(basis="circular")`); pixels, one for each (`basis="pixels"`). All but the '
        "last leave out the parts of a 3 x 3 kernel that the pixels hold badly, hence fewer parameters. The scale "
        "of our default basis was chosen by the accuracy of e2resnet after as many images and steps, which acts like a "
        "higher rate; nothing was tuned for the others. Speed: benchmarks/results/layers.md.",
        "",
        table(rows),
        "",
    ]
    write_whole(HERE / "results" / "rivals.md", "\n".join(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn; without it the rest is trained")
    parser.add_argument("--runs", type=Path, default=Path("runs/rivals"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", help="train this network here with the first seed, and print its row as JSON")
    arguments = parser.parse_args()
    folder = arguments.runs
    if arguments.train:
        print(json.dumps(train(arguments.train, arguments.seeds[0], folder)))
        return
    from equisym.train.artifacts import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        draw(folder / f"test-{family}.pt", family, TEST, 1000, "test")
    rows = []
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    for seed in arguments.seeds:
        draw(folder / f"train-{seed}.pt", "noise", TRAIN, seed, "train")
        for name in NETWORKS:
            result = folder / f"{name}-{seed}.json"
            if not result.is_file() and not (name in ("escnn", "e2cnn") and arguments.parity is None):
                python = str(arguments.parity or sys.executable)
                command = [python, "-W", "ignore", __file__, "--train", name, "--seeds", str(seed)]
                command += ["--runs", str(folder)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
                write_whole(result, done.stdout.splitlines()[-1] + "\n")
            if result.is_file():
                rows.append({k: v for k, v in json.loads(result.read_text()).items() if k in COLUMNS})
        write_page(rows)
    print((HERE / "results" / "rivals.md").read_text())


if __name__ == "__main__":
    main()
