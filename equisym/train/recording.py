"""A network's passes recorded as CUDA graphs, so that a small one does not wait for Python on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn


class _Alone(nn.Module):
    """The network without its own hooks, which a recording does not take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def recorded(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    """The network's forward and backward pass as one CUDA graph each, for batches of this shape.

    Weights, running statistics and random numbers are left as they were; weights may change in place afterwards, as
    optimisers change them. Under autocast the recording keeps its dtype. Gradients are not to be accumulated over
    several batches, whose recording writes them to one place.

    Args:
        network: in training mode on a GPU; it stays usable as it is.
        images: a batch, (B, C, H, W).

    Returns:
        What maps a batch to logits: the recording; the network itself where the batch is not on a GPU, and where it
        cannot be recorded, which a warning says.

    Source: Nguyen et al., Accelerating PyTorch with CUDA Graphs (2021).
    """
    if not images.is_cuda:
        return network.__call__
    state = {name: value.clone() for name, value in network.state_dict().items()}
    mixed = torch.autocast(
        "cuda", torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda"), cache_enabled=False
    )
    try:
        with torch.random.fork_rng([images.device]), mixed:
            passes: Any = torch.cuda.make_graphed_callables(_Alone(network), (images.clone(),), allow_unused_input=True)
            return passes.__call__
    except RuntimeError as error:  # a step that reads numbers back from the GPU cannot be recorded
        reason = str(error).splitlines()[0]
        warn(f"the network cannot be recorded, so a small one waits for Python on the GPU: {reason}", stacklevel=2)
        return network.__call__
    finally:
        network.load_state_dict(state)
