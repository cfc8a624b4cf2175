"""The operations of a training step that touch memory, and the bytes they read and write, counted on shapes alone.

python benchmarks/layers.py --traffic [--sizes 65] [--batch 64] [--out benchmarks/results/layers_traffic.md]
"""

from __future__ import annotations

import math
from typing import Any

import torch
from resnets import HERE, make
from timing import mode_of
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from equisym.document import markdown_table

VIEWS = "view expand transpose permute unsqueeze squeeze slice select detach alias t as_strided unbind split chunk "
VIEWS = frozenset(f"{VIEWS}empty new_empty empty_like _unsafe_view unfold".split())


class Traffic(TorchDispatchMode):
    """Counts the operations that touch memory, and the bytes of their arguments and answers."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func.namespace == "aten" and func.overloadpacket.__name__ not in VIEWS:
            touched = [t for t in tree_leaves((args, answer)) if isinstance(t, Tensor)]
            self.operations += 1
            self.bytes += sum(_bytes(t) for t in touched)
        return answer


def _bytes(t: Tensor) -> int:
    """Bytes of what a tensor shows; a repeated axis is read once."""
    return t.element_size() * math.prod(n for n, step in zip(t.shape, t.stride(), strict=True) if step)


def traffic(names: list[str], size: int, batch: int, mode: str) -> dict[str, dict[str, float]]:
    """Operations and bytes of one training step of each network, on shapes alone."""
    found: dict[str, dict[str, float]] = {}
    for name in names:
        with FakeTensorMode():
            model, x = make(name), torch.empty(batch, 1, size, size)
            if mode.endswith("last"):
                x = x.contiguous(memory_format=torch.channels_last)
            optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
            with Traffic() as forward, mode_of(mode, "cpu"):
                loss = model(x).float().square().mean()
            with Traffic() as backward:
                loss.backward()
                optimiser.step()
        found[name] = {"operations": forward.operations + backward.operations, "bytes": forward.bytes + backward.bytes}
        for what, counted in (("forward", forward), ("backward", backward)):
            found[name][f"{what}_operations"], found[name][f"{what}_bytes"] = counted.operations, counted.bytes
    return found


def traffic_table(size: int, batch: int) -> str:
    """Operations and bytes of a training step in each mode."""
    rows = []
    for mode in ("fp32", "bf16", "bf16_last"):
        found = traffic(list(HERE), size, batch, mode)
        for name, r in found.items():
            operations, moved = r["operations"], r["bytes"]
            ratios = [operations / found["plain"]["operations"], moved / found["plain"]["bytes"]]
            rows.append([mode, name, str(operations), f"{ratios[0]:.2f}", f"{moved / 1e9:.2f}", f"{ratios[1]:.2f}"])
    lines = [
        "# Operations of one training step, and the bytes that they read and write",
        "",
        f"`python benchmarks/layers.py --traffic --sizes {size} --batch {batch}`: shapes alone, no GPU. Views are not",
        "counted; each operation counts its arguments and answers once.",
        "",
        markdown_table(["mode", "network", "operations", "ratio", "GB", "ratio"], rows),
        "",
    ]
    return "\n".join(lines)
