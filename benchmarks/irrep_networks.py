"""Training steps of the networks on irreps beside timm's of the same width: ViT, and stages of ConvNeXt.

python benchmarks/irrep_networks.py [--device cuda] [--batch 64] [--rounds 5] [--modes tf32 bf16] [--widths 768]
    [--out benchmarks/results/irrep_networks.md]

Both networks of a row run in turn within each round; the times are medians, the ratios medians of the paired ratios.
Graph: the step as one CUDA graph. The equivariance error is that of the network's answer (of the stage's maps) under
D(4), relative to the largest number in it, in float64 on the CPU, at width 64.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import timm
import torch
from timing import graphed, paired, say, trainer
from timm.models.convnext import ConvNeXtStage
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from equisym.document import markdown_table, print_page, write_page
from equisym.groups import D
from equisym.models.e2convnext import ConvNeXtBlock
from equisym.models.e2vit import E2ViT
from equisym.testing import equivariance_error

DEPTH = 6


def vit(width: int, ours: bool) -> nn.Module:
    """Six blocks of a vision transformer on 14 x 14 patches, heads of 64 channels, mean over the tokens."""
    heads = width // 64
    if ours:
        return E2ViT(group=D(4), width=width // 8, depth=DEPTH, heads=heads, patch=16, size=224)
    options = {"embed_dim": width, "depth": DEPTH, "num_heads": heads, "class_token": False, "global_pool": "avg"}
    return VisionTransformer(in_chans=1, num_classes=17, **options)


def stage(width: int, ours: bool) -> nn.Module:
    """Six blocks of ConvNeXt."""
    if ours:
        return nn.Sequential(*(ConvNeXtBlock(width // 8, group=D(4)) for _ in range(DEPTH)))
    return ConvNeXtStage(width, width, stride=1, depth=DEPTH)


def inputs(kind: str, width: int, batch: int, device: str) -> Tensor:
    """Images for a transformer, maps in channels_last for a stage."""
    if kind == "vit":
        return torch.randn(batch, 1, 224, 224, device=device)
    return torch.randn(batch, width, 14, 14, device=device).contiguous(memory_format=torch.channels_last)


MAKERS = {"vit": vit, "convnext stage": stage}


def row(kind: str, width: int, mode: str, batch: int, rounds: int, device: str) -> list[str]:
    """Times of both networks in one mode."""
    torch.manual_seed(0)
    make, x = MAKERS[kind], inputs(kind, width, batch, device)
    models = {name: make(width, name == "ours").to(device) for name in ("timm", "ours")}
    if kind != "vit":
        models = {name: m.to(memory_format=torch.channels_last) for name, m in models.items()}
    steps = {name: trainer(m, x, mode) for name, m in models.items()}
    repeats = 3 if device == "cuda" else 1
    cells = [kind, str(width), mode, f"{parameters(models['timm']):.1f}", f"{parameters(models['ours']):.1f}"]
    ways = [steps]
    if device == "cuda":
        try:
            ways.append({name: graphed(step) for name, step in steps.items()})
        except RuntimeError as error:
            say(f"no graph: {error}")
    for way in ways:
        times = paired(way, rounds, device, repeats)
        middle = {name: 1e3 * statistics.median(values) for name, values in times.items()}
        faster = statistics.median(a / b for a, b in zip(times["timm"], times["ours"], strict=True))
        cells += [f"{middle['timm']:.2f}", f"{middle['ours']:.2f}", f"{faster:.2f}"]
    return cells


def parameters(model: nn.Module) -> float:
    """Millions of parameters."""
    return sum(p.numel() for p in model.parameters()) / 1e6


def errors() -> dict[str, float]:
    """Equivariance errors in float64."""
    torch.manual_seed(0)
    net, maps = vit(64, True).double().eval(), stage(64, True).double().eval()
    return {
        "vit": equivariance_error(net, torch.rand(1, 1, 224, 224).double(), group=D(4), output="invariant"),
        "convnext stage": equivariance_error(maps, torch.rand(1, 64, 14, 14).double(), group=D(4), input="regular"),
    }


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to measure")
    parser.add_argument("--batch", type=int, default=64, help="images at once")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the timings")
    parser.add_argument("--modes", nargs="+", default=["fp32"], help="fp32, tf32, bf16")
    parser.add_argument("--widths", type=int, nargs="+", default=[768], help="channels of a token or pixel")
    parser.add_argument("--out", type=Path, help="file for the table")
    args = parser.parse_args()
    where = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    given = f"--device {args.device} --batch {args.batch} --rounds {args.rounds} --modes {' '.join(args.modes)}"
    head = ["network", "width", "mode", "timm M parameters", "ours", "timm ms", "ours ms", "ours is faster by"]
    head += ["timm graph ms", "ours", "faster by"] if args.device == "cuda" else []
    lines = [
        f"# Networks on irreps of D(4) beside timm's of the same width, {DEPTH} blocks, one training step",
        "",
        f"`python benchmarks/irrep_networks.py {given} --widths {' '.join(map(str, args.widths))}`,",
        f"{where}, torch {torch.__version__.split('+')[0]}, timm {timm.__version__}.",
        "",
    ]
    rows = []
    for kind in MAKERS:
        for width in args.widths:
            for mode in args.modes:
                say(f"{kind} {width} {mode}")
                cells = row(kind, width, mode, args.batch, args.rounds, args.device)
                rows.append(cells)
                print(*cells, sep=", ", flush=True)
                if args.out:
                    write_page("\n".join([*lines, markdown_table(head, rows), ""]), args.out)
    found = ", ".join(f"{kind} {error:.1e}" for kind, error in errors().items())
    lines += [markdown_table(head, rows), "", f"Equivariance error in float64: {found}.", ""]
    print_page("\n".join(lines), args.out)


if __name__ == "__main__":
    main()
