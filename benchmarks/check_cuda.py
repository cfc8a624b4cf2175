"""Every layer of the contract suite on a GPU against the CPU: answers and gradients, both layouts, autocast; trainings.

python benchmarks/check_cuda.py [--only layers kernels trainings] [--out FILE]

Layers are compared in float64 throughout, so that a difference is a fault and not a rounding. The first steps of whole
trainings are compared by their losses: one step after the other and recorded as a graph, alone and three at once.
Prints one line for each fault, then the count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "nn"))
from layer_cases import CASES, OTHERS

from equisym.data import WallpaperDataset
from equisym.groups import C, D, PointGroup
from equisym.models import build
from equisym.nn import (
    CorrelationPool2d,
    GroupBatchNorm2d,
    GroupConv2d,
    IsotypicLinear,
    IsotypicNonlinearity,
    IsotypicTransform,
)
from equisym.nn.normalisation import ChannelBatchNorm2d
from equisym.train.recording import recorded
from equisym.train.resident import ResidentTraining


def run(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Answer, gradient of the input and of each parameter."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).view(y.shape)
    found = torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()], allow_unused=True)
    return [t.double().cpu() for t in (y.detach(), *found) if t is not None]


def irreps(group) -> nn.Module:
    """The layers on irreps in a row, on vectors."""
    layers = [IsotypicTransform(group=group), IsotypicLinear(3, 5, group=group), IsotypicNonlinearity(group=group)]
    return nn.Sequential(*layers, IsotypicTransform(group=group, inverse=True))


class Vectors(nn.Module):
    """Maps as a vector for each pixel, and back."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 3)


NETWORKS = {
    "plain": {"group": "C1", "width": 8},
    "max": {"pool": "max", "width": 4},
    "correlation": {"width": 4},
    "correlation, D6": {"group": "D6", "width": 2, "stem_kernel": 7},
}
FIRST = 12


def losses(options: dict, images: tuple[Tensor, Tensor], device: str, together: int, **options_of_step: bool) -> Tensor:
    """The first losses of each of several trainings that go on at once, (together, FIRST)."""

    def network() -> nn.Module:
        return build("e2resnet", **options)

    room = {"size": images[0].shape[-1], "images": len(images[0]), "steps": FIRST, "batch_size": 34}
    all_of_them = [
        ResidentTraining(network, **room, device=device, appearance=False, **options_of_step) for _ in range(together)
    ]
    for training in all_of_them:
        training.load(*images, epochs=-(-FIRST * 34 // len(images[0])), lr=1e-3)
    for _ in range(FIRST):
        for training in all_of_them:
            training.advance()
    if device == "cuda":
        torch.cuda.synchronize()
    return torch.stack([training.losses[:FIRST].cpu() for training in all_of_them])


def check_layers() -> Iterator[str]:
    """A line for each layer of the contract suite that differs, and how many comparisons there were."""
    count = 0
    cases = [(case, case.groups[-1]) for case in CASES] + [(case, C(1)) for case in OTHERS]
    jobs = []
    for case, group in cases:
        torch.manual_seed(0)
        layer, in_type, _ = case.make(group)
        jobs.append((f"{case.name} {group}", layer.double().train(case.train), in_type.size, case.size))
    for group in {g for _, g in cases if hasattr(g, "order")}:
        jobs.append((f"irreps {group}", irreps(group).double(), 3 * group.order, None))
    for name, layer, channels, size in jobs:
        x = torch.randn(2, channels, *((size, size) if size else ()), dtype=torch.float64)
        if "Dropout" in name:
            layer.eval()
        for layout in (torch.contiguous_format, torch.channels_last) if size else (torch.contiguous_format,):
            count += 1
            try:
                right = run(layer.cpu(), x)
                found = run(layer.cuda(), x.cuda().contiguous(memory_format=layout))
                apart = max(
                    ((a - b).abs().max() / b.abs().max().clamp_min(1e-6)).item()
                    for a, b in zip(found, right, strict=True)
                )
                if not apart < 1e-9:
                    yield f"{name} {layout}: {apart:.1e}"
                if layout is torch.contiguous_format:
                    with torch.autocast("cuda", torch.bfloat16):
                        y = layer.float()(x.float().cuda())
                    if not y.isfinite().all():
                        yield f"{name}: not finite in bf16"
                    layer.double()
            except Exception as error:
                yield f"{name} {layout}: {type(error).__name__}: {str(error).splitlines()[0][:150]}"
                layer.double()
    yield f"{count} comparisons of layers"


def check_kernels() -> Iterator[str]:
    """A line for each fused kernel, which work in float32, whose answer or gradient is not that of the CPU."""
    sizes = {D(4): ((3, 9, 7), (70, 33, 33)), C(1): ((2, 1, 1),), C(3): ((3, 9, 7),)}
    layers: list[tuple[nn.Module, int, PointGroup]] = [(ChannelBatchNorm2d(52), 52, C(3))]
    for group in sizes:
        layers.append((GroupBatchNorm2d(5, group=group), 5 * group.order, group))
        if group.order > 1:
            layers.append((CorrelationPool2d(group=group), 5 * group.order, group))
            vectors = nn.Sequential(Vectors(), irreps(group), Vectors())
            layers.append((vectors, 3 * group.order, group))
    layers.append((GroupConv2d(5, 3, 3, group=D(4), padding=1, basis="pixels"), 40, D(4)))
    for layer, channels, group in layers:
        for size, layout in product(sizes[group], (torch.contiguous_format, torch.channels_last)):
            x = torch.randn(size[0], channels, *size[1:]) + torch.linspace(0, 3, channels)[:, None, None]
            right = run(layer.cpu().double(), x.double())
            here = x.cuda().contiguous(memory_format=layout)
            for kind, bound in ((torch.float32, 2e-3), (torch.bfloat16, 0.1)):
                with torch.autocast("cuda", kind, enabled=kind is torch.bfloat16):
                    found = run(layer.cuda().float(), here.to(kind))
                apart = [
                    ((a - b).abs().max() / b.abs().max().clamp_min(1e-3)).item()
                    for a, b in zip(found, right, strict=True)
                ]
                if (
                    kind is torch.bfloat16
                ):  # where two values round to the same, the gradient of the greatest may differ
                    apart = apart[:1]
                if not max(apart) < bound:
                    yield f"{layer} {size} {layout} {kind}: {[f'{v:.1e}' for v in apart]}"


def check_trainings() -> Iterator[str]:
    """A line for each way to train whose losses are not those of the CPU."""
    images = WallpaperDataset("noise", 68, size=33, seed=0).in_memory(progress=False).tensors
    for name, options in NETWORKS.items():
        right = losses(options, images, "cpu", 1, bfloat16=False)
        for graphed, bfloat16, together in product((False, True), (False, True), (1, 3)):
            found = losses(options, images, "cuda", together, graphed=graphed, bfloat16=bfloat16)
            apart = (found - right).abs().max().item()
            if not apart < (0.1 if bfloat16 else 0.01):
                way = (
                    f"{'recorded' if graphed else 'eager'}, {'bfloat16' if bfloat16 else 'float32'}, {together} at once"
                )
                yield f"training {name}, {way}: losses differ by {apart:.2g}"


def check_recording() -> Iterator[str]:
    """A line for each network whose recorded passes differ from its own, as the command trains on one GPU."""
    x = torch.randn(8, 1, 33, 33, device="cuda")
    for name, options in NETWORKS.items():
        model = build("e2resnet", **options).cuda().train()
        before = {n: v.clone() for n, v in model.state_dict().items()}
        passes = recorded(model, x)
        if any(not torch.equal(v, before[n]) for n, v in model.state_dict().items()):
            yield f"recording {name}: its state has changed"
        found = []
        for forward in (passes, model):
            model.load_state_dict(before)
            model.zero_grad()
            for _ in range(2):  # a second step shows whether a recording reads what the first has left
                model.zero_grad()
                forward(x.clone()).square().mean().backward()
            figures = [p.grad for p in model.parameters() if p.grad is not None] + list(model.buffers())
            found.append([v.double().clone() for v in figures])
        apart = max(((a - b).abs().max() / b.abs().max().clamp_min(1e-3)).item() for a, b in zip(*found, strict=True))
        if not apart < 1e-3:
            yield f"recording {name}: gradients or statistics differ by {apart:.2g}"


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["layers", "kernels", "trainings"], help="what to compare")
    parser.add_argument("--out", type=Path, help="file for the lines")
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    lines: list[str] = []
    if "layers" in args.only:
        lines += check_layers()
    if "kernels" in args.only:
        lines += check_kernels()
    if "trainings" in args.only:
        lines += check_trainings()
        lines += check_recording()
    lines.append(f"{', '.join(args.only)} on {torch.cuda.get_device_name()}, torch {torch.__version__}: done")
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
