"""Times of training steps and answers, of several networks in turn, so that all see the same machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def seconds(action: Callable[[], object], device: str = "cpu", repeats: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


@contextmanager
def mode_of(mode: str, device: str) -> Iterator[None]:
    """The precision of a mode."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 4
    with torch.autocast(device, torch.bfloat16, enabled=mode.startswith("bf16")):
        yield


def trainer(model: nn.Module, x: Tensor, mode: str = "fp32") -> Callable[[], None]:
    """One step of gradient descent on a loss that needs no labels."""
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with mode_of(mode, x.device.type):
            answer = model(x)
        answer.float().square().mean().backward()
        optimiser.step()

    return step


def answerer(model: nn.Module, x: Tensor, mode: str = "fp32") -> Callable[[], None]:
    """One batch of answers."""

    def answer() -> None:
        with mode_of(mode, x.device.type), torch.no_grad():
            model(x)

    return answer


def graphed(step: Callable[[], None]) -> Callable[[], None]:
    """The step as one CUDA graph: no launches are waited for."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):  # its own, else graphs share the workspace of cuBLAS
        step()
    return graph.replay


def paired(
    actions: dict[str, Callable[[], object]], rounds: int, device: str = "cpu", repeats: int = 1
) -> dict[str, list[float]]:
    """Times of every action, one after another in each round, after two runs that warm up."""
    for action in actions.values():
        for _ in range(2):
            action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action, device, repeats))
    return times
