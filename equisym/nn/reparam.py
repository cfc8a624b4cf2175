"""Layers whose weights are a learned symmetry times free weights, for meta-learning the symmetry of a set of tasks."""

from __future__ import annotations

import math
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.arguments import Place, Whole, count
from equisym.nn.expanded_conv import ExpandedConv2d, GridOptions
from equisym.nn.orbit_linear import OrbitLinear


class ReparamLinear(nn.Module):
    r"""Linear layer with a learned sharing pattern.

    .. math:: y = W x + b, \qquad \mathrm{vec}(W) = U v

    U, ``symmetry``, describes how the entries of W share their values and is learned over many tasks; v, ``weight``,
    is specific to one task. U from a group's orbits makes the layer equivariant (:meth:`from_orbits`).

    Args:
        in_features: number of inputs.
        out_features: number of outputs.
        free_weights: length of v.
        bias: whether to add a learned vector.
        place: ``device`` and ``dtype`` of the weights.

    Shape:
        ``(..., in_features)`` -> ``(..., out_features)``.

    Raises:
        ValueError: at construction if a size is not positive.

    >>> ReparamLinear(5, 3, free_weights=4)(torch.zeros(2, 5)).shape
    torch.Size([2, 3])

    Source: Zhou, Knowles & Finn, Meta-Learning Symmetries by Reparameterization (2021), section 4.
    """

    symmetry_parameters: ClassVar[tuple[str, ...]] = ("symmetry",)
    """Parameters shared by all tasks, which the outer loop learns."""

    def __init__(
        self, in_features: int, out_features: int, *, free_weights: int, bias: bool = True, **place: Unpack[Place]
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = count("in_features", in_features), count("out_features", out_features)
        self.free_weights = count("free_weights", free_weights)
        self.symmetry = nn.Parameter(torch.empty(out_features * in_features, free_weights, **place))
        self.weight = nn.Parameter(torch.empty(free_weights, **place))
        self.bias = nn.Parameter(torch.zeros(out_features, **place)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw U with standard deviation 0.1 and v with variance 1 / out_features; set the bias to zero."""
        nn.init.normal_(self.symmetry, 0.0, 0.1)
        nn.init.normal_(self.weight, 0.0, 1 / math.sqrt(self.out_features))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @classmethod
    def from_orbits(cls, layer: OrbitLinear) -> ReparamLinear:
        """The layer with U the indicator of each orbit and v the weights of an equivariant layer.

        Raises:
            ValueError: if the layer has channels.
        """
        if layer.channels is not None:
            raise ValueError(f"the layer must have no channels (got {layer.channels})")
        own = cls(layer.in_features, layer.out_features, free_weights=layer.weight.numel(), bias=layer.bias is not None)
        with torch.no_grad():
            own.symmetry.copy_(functional.one_hot(layer.index, own.free_weights))
            own.weight.copy_(layer.weight.flatten())
            if own.bias is not None and layer.bias is not None:
                own.bias.copy_(layer.bias.flatten()[layer.bias_index])
        return own

    def matrix(self) -> Tensor:
        """W, shape (out_features, in_features)."""
        return (self.symmetry @ self.weight).view(self.out_features, self.in_features)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.matrix(), self.bias)

    @torch.no_grad()
    def to_plain(self) -> nn.Linear:
        """The same function as an ordinary :class:`torch.nn.Linear`."""
        weight = self.matrix()
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None).to(weight)
        plain.weight.copy_(weight)
        if self.bias is not None:
            plain.bias.copy_(self.bias)
        return plain.train(self.training)

    def extra_repr(self) -> str:
        text = f"{self.in_features}, {self.out_features}, free_weights={self.free_weights}"
        return text + ("" if self.bias is not None else ", bias=False")


class ReparamConv2d(ExpandedConv2d):
    r"""Convolution with a learned sharing pattern over output channels, input channels and pixels.

    .. math:: y = W \star x + b, \qquad \mathrm{vec}(W) = (A \otimes B \otimes C)\, \mathrm{vec}(W_0)

    A mixes the ``out_channels`` output channels, B the ``in_channels`` input channels and C the k*k pixels of a kernel
    of side ``kernel_size``; together they are the symmetry, learned over many tasks, and W_0, ``weight``, is specific
    to one task. All three start as the identity: an ordinary convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        bias: whether to add a learned number per output channel.
        device: where to make the weights.
        dtype: of the weights.
        options: ``stride``, ``padding``, ``dilation`` and ``padding_mode``, as :class:`torch.nn.Conv2d` takes them.

    Shape:
        ``(B, in_channels, H, W)`` -> ``(B, out_channels, H', W')``.

    Raises:
        ValueError: at construction if a size is not positive; at the call for a wrong number of channels.

    >>> ReparamConv2d(2, 4, 3)(torch.zeros(1, 2, 9, 9)).shape
    torch.Size([1, 4, 7, 7])

    Source: Zhou, Knowles & Finn, Meta-Learning Symmetries by Reparameterization (2021), section 4 and appendix.
    """

    symmetry_parameters: ClassVar[tuple[str, ...]] = ("out_symmetry", "in_symmetry", "pixel_symmetry")
    """Parameters shared by all tasks, which the outer loop learns."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Whole,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[GridOptions],
    ) -> None:
        super().__init__(kernel_size, **options)
        self.in_channels, self.out_channels = count("in_channels", in_channels), count("out_channels", out_channels)

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.out_symmetry = empty(out_channels, out_channels)
        self.in_symmetry = empty(in_channels, in_channels)
        self.pixel_symmetry = empty(self.kernel_size**2, self.kernel_size**2)
        self.weight = empty(out_channels, in_channels, self.kernel_size, self.kernel_size)
        self.bias = empty(out_channels) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the symmetry to the identity, draw the weights as :class:`torch.nn.Conv2d` does, the bias to zero."""
        for name in self.symmetry_parameters:
            nn.init.eye_(getattr(self, name))
        nn.init.kaiming_uniform_(self.weight, math.sqrt(5))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters and bias of the plain convolution performed."""
        mixed = torch.einsum("po,oik->pik", self.out_symmetry, self.weight.flatten(2))
        mixed = torch.einsum("qi,pik->pqk", self.in_symmetry, mixed) @ self.pixel_symmetry.T
        return mixed.view_as(self.weight), self.bias

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the output."""
        return self.in_channels, self.out_channels

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"
