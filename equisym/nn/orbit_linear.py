"""A linear layer that commutes with any group of permutations, by sharing weights along orbits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equisym.groups.orbit import check_permutation, orbits
from equisym.nn.arguments import Place, count, tuples
from equisym.nn.constant import ConstantModule

Pair = tuple[Sequence[int] | NDArray[Any], Sequence[int] | NDArray[Any]]


class OrbitLinear(ConstantModule):
    r"""Linear layer whose weights are shared along the orbits of a permutation group.

    .. math:: W_{m,n} = W_{g m,\, g n}, \quad b_m = b_{g m}, \qquad P_{out}(g)\, W = W\, P_{in}(g)

    g runs over the group that ``generators`` generate; it takes input n to ``g n`` and output m to ``g m``. The free
    weights are the orbits on pairs (m, n): their number is the dimension of the space of all commuting matrices.

    Args:
        in_features: number of inputs.
        out_features: number of outputs.
        generators: pairs of a permutation of the inputs and one of the outputs; ``p[i]`` is where i goes.
        channels: tuple of input and output channels; each pair of channels has its own free weights.
        bias: whether to add a learned number per orbit of the outputs and channel.
        place: ``device`` and ``dtype`` of the weights.

    Shape:
        ``(..., in_features)`` -> ``(..., out_features)``; with channels ``(..., c_in, in_features)`` ->
        ``(..., c_out, out_features)``.

    Raises:
        ValueError: at construction if a generator is not a pair of permutations of the right lengths.

    >>> swap, cycle = [1, 0, 2, 3], [1, 2, 3, 0]
    >>> layer = OrbitLinear(4, 4, generators=[(swap, swap), (cycle, cycle)])
    >>> layer.weight.numel(), layer(torch.ones(2, 4)).shape
    (2, torch.Size([2, 4]))

    Source: Ravanbakhsh, Schneider & Poczos, Equivariance Through Parameter-Sharing (2017), section 3.
    """

    index: Tensor
    bias_index: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        generators: Sequence[Pair],
        channels: tuple[int, int] | None = None,
        bias: bool = True,
        **place: Unpack[Place],
    ) -> None:
        super().__init__()
        in_features, out_features = count("in_features", in_features), count("out_features", out_features)
        ((c_in, c_out),) = tuples("channels", [channels or (1, 1)], 2)
        c_in, c_out = count("channels", c_in), count("channels", c_out)
        pairs = []
        for number, pair in enumerate(tuples("generators", generators, 2)):
            inner = check_permutation(pair[0], in_features, f"input permutation {number}")
            pairs.append((inner, check_permutation(pair[1], out_features, f"output permutation {number}")))
        self.in_features, self.out_features, self.channels = in_features, out_features, channels
        self.generators = pairs
        on_pairs = [(g_out[:, None] * in_features + g_in[None]).ravel() for g_in, g_out in pairs]
        index = orbits(on_pairs, in_features * out_features)
        bias_index = orbits([g_out for _, g_out in pairs], out_features)
        self.register_constant("index", index, **place)
        self.register_constant("bias_index", bias_index, **place)
        self.weight = nn.Parameter(torch.empty(c_out, c_in, int(index.max()) + 1, **place))
        self.bias = nn.Parameter(torch.empty(c_out, int(bias_index.max()) + 1, **place)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all free weights uniformly, with the bound of :class:`torch.nn.Linear`."""
        bound = 1 / math.sqrt(self.in_features * self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def matrix(self) -> tuple[Tensor, Tensor | None]:
        """The full weight ``(c_out * out, c_in * in)`` and bias ``(c_out * out,)``."""
        c_out, c_in, _ = self.weight.shape
        full = self.weight.index_select(2, self.index).view(c_out, c_in, self.out_features, self.in_features)
        bias = None if self.bias is None else self.bias.index_select(1, self.bias_index).flatten()
        return full.transpose(1, 2).reshape(c_out * self.out_features, c_in * self.in_features), bias

    def forward(self, x: Tensor) -> Tensor:
        expected = (self.in_features,) if self.channels is None else (self.channels[0], self.in_features)
        if tuple(x.shape[-len(expected) :]) != expected:
            raise ValueError(f"input must end in the shape {expected} (got {tuple(x.shape)})")
        weight, bias = self.matrix()
        if self.channels is None:
            return functional.linear(x, weight, bias)
        return functional.linear(x.flatten(-2), weight, bias).unflatten(-1, (self.channels[1], self.out_features))

    @torch.no_grad()
    def to_plain(self) -> nn.Module:
        """The same function as an ordinary :class:`torch.nn.Linear`, between flattening where there are channels."""
        weight, bias = self.matrix()
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None).to(weight)
        plain.weight.copy_(weight)
        if bias is not None:
            plain.bias.copy_(bias)
        plain.train(self.training)
        if self.channels is None:
            return plain
        return nn.Sequential(nn.Flatten(-2), plain, nn.Unflatten(-1, (self.channels[1], self.out_features)))

    def extra_repr(self) -> str:
        text = f"{self.in_features}, {self.out_features}, generators=<{len(self.generators)} pairs>"
        text += f", channels={self.channels}" if self.channels else ""
        return text + ("" if self.bias is not None else ", bias=False") + f", free_weights={self.weight.numel()}"


def commutant_dimension(generators: Sequence[Pair], in_features: int, out_features: int) -> int:
    """Dimension of the matrices with P_out(g) W = W P_in(g), by linear algebra instead of orbits: an independent count.

    >>> commutant_dimension([([1, 2, 0], [1, 2, 0])], 3, 3)
    3
    """
    rows = []
    for g_in, g_out in generators:
        p_in, p_out = np.eye(in_features)[:, np.asarray(g_in)].T, np.eye(out_features)[:, np.asarray(g_out)].T
        rows.append(np.kron(p_out, np.eye(in_features)) - np.kron(np.eye(out_features), p_in.T))
    return in_features * out_features - int(np.linalg.matrix_rank(np.concatenate(rows)))
