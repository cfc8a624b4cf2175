"""Base class of all layers that are a plain convolution once their weights are expanded into filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypedDict, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from equisym.nn.arguments import Whole, channels_of, whole
from equisym.nn.constant import ConstantModule

PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]
"""What pads a map."""
PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)


class GridOptions(TypedDict, total=False):
    """How a kernel moves over the grid, with the meaning and the defaults of :class:`torch.nn.Conv2d`.

    Attributes:
        stride: step; it keeps the symmetry where it divides the padded size less the kernel's extent.
        padding: pixels added on each side, or ``"same"`` or ``"valid"``; of a transposed layer, pixels cut off.
        dilation: distance between the kernel's pixels.
        padding_mode: what the padding holds: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
    """

    stride: Whole
    padding: Whole | str
    dilation: Whole
    padding_mode: PaddingMode


class WeightOptions(GridOptions, total=False):
    """The options of a convolution whose parts follow from its kind, as those of :class:`torch.nn.Conv2d`.

    Attributes:
        bias: whether to add a learned bias that the group leaves unchanged.
        device: where to make the weights.
        dtype: of the weights.
    """

    bias: bool
    device: torch.device | str | None
    dtype: torch.dtype | None


class ConvOptions(WeightOptions, total=False):
    """The options that every convolution takes, with the meaning and the defaults of :class:`torch.nn.Conv2d`.

    Attributes:
        groups: equal consecutive parts of input and output that are connected only to each other.
    """

    groups: int


class ExpandedConv2d(ConstantModule):
    """A convolution whose filters are made of fewer weights in every forward pass.

    Subclasses make the parameters ``weight`` and ``bias`` and define three things: the ``channels`` of the plain
    convolution, :meth:`filters`, and their constructor call (:meth:`call`). The rest is here: the forward pass, the
    folded layer, the checks and the printed form.

    Args:
        kernel_size: side of the kernel.
        stride: as the rest, see :class:`GridOptions`.
        padding: pixels on each side, ``"same"`` or ``"valid"``.
        dilation: distance between the kernel's pixels.
        groups: parts that are connected only to each other.
        padding_mode: what the padding holds.

    Attributes:
        channels_last: whether the filters are written in that layout even where the input does not show it, as an
            image of one channel does not; set by ``.to(memory_format=...)``, as the layout of a plain layer's weights.
    """

    transposed: ClassVar[bool] = False
    printed: ClassVar[tuple[str, ...]] = ("stride", "padding", "output_padding", "dilation", "groups", "padding_mode")
    output_padding: int = 0
    channels_last: bool = False
    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        kernel_size: Whole,
        *,
        stride: Whole = 1,
        padding: Whole | str = 0,
        dilation: Whole = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = whole("kernel_size", kernel_size), whole("stride", stride)
        self.dilation, self.groups = whole("dilation", dilation), whole("groups", groups)
        self.padding = self._pixels(padding)
        self.padding_mode: PaddingMode = padding_mode
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)} (got {padding_mode!r})")
        if self.transposed and padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros' in a transposed convolution (got {padding_mode!r})")

    def _pixels(self, padding: Whole | str) -> int:
        """Padding on each side, in pixels."""
        if not isinstance(padding, str):
            return whole("padding", padding, 0)
        if padding not in ("same", "valid"):
            raise ValueError(f"padding must be a number, 'same' or 'valid' (got {padding!r})")
        if padding == "valid":
            return 0
        around, odd = divmod(self.dilation * (self.kernel_size - 1), 2)
        if self.transposed:
            raise ValueError("padding='same' has no meaning in a transposed convolution: give the pixels to cut off")
        if self.stride != 1 or odd:
            raise ValueError(
                f"padding='same' needs stride 1 and an odd kernel (got stride={self.stride}, kernel_size="
                f"{self.kernel_size}): give the padding in pixels"
            )
        return around

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the plain convolution's output."""
        raise NotImplementedError

    def filters(self) -> tuple[Tensor, Tensor | None]:
        """The filters ``(out, in / groups, k, k)`` and the bias ``(out,)`` of the plain convolution performed."""
        raise NotImplementedError

    def filters_for(self, x: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        """The filters in the layout that suits an input."""
        return self.filters()

    def call(self) -> str:
        """The layer's own constructor arguments, as text."""
        raise NotImplementedError

    def what_comes(self) -> str:
        """Description of the input's channels, for messages."""
        return ""

    def check_channels(self, x: Tensor) -> None:
        """Raise for an input with another number of channels.

        Raises:
            ValueError: naming both numbers.
        """
        needed = self.channels[0]
        if isinstance(x, Tensor) and channels_of(x) != needed:  # a symbolic trace has no shape yet
            what = self.what_comes()
            raise ValueError(f"input must have {needed} channels{', ' if what else ''}{what} (got {x.shape[-3]})")

    def forward(self, x: Tensor) -> Tensor:
        self.check_channels(x)
        weight, bias = self.filters_for(x)
        if self.channels_last and not torch.compiler.is_compiling():
            weight = weight.contiguous(memory_format=torch.channels_last)
        if self.transposed:
            steps = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
            return functional.conv_transpose2d(x, self._swapped(weight), bias, *steps)
        x, padding = self.pad(x)
        return functional.conv2d(x, weight, bias, self.stride, padding, self.dilation, self.groups)

    def pad(self, x: Tensor) -> tuple[Tensor, int]:
        """The input with any padding other than zeros applied, and the padding left for the convolution."""
        if not self.padding or self.padding_mode == "zeros":
            return x, self.padding
        return functional.pad(x, (self.padding,) * 4, mode=self.padding_mode), 0

    def _swapped(self, weight: Tensor) -> Tensor:
        """Filters in the layout of a transposed convolution, ``(in, out / groups, k, k)``."""
        if self.groups == 1:
            return weight.transpose(0, 1)
        return weight.unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1)

    @torch.no_grad()
    def to_plain(self) -> nn.Module:
        """The same function as an ordinary :class:`torch.nn.Conv2d` or :class:`torch.nn.ConvTranspose2d`."""
        with torch.autocast(self.weight.device.type, enabled=False):
            weight, bias = self.filters()
        sizes = (*self.channels, self.kernel_size, self.stride, self.padding)
        options = {"dilation": self.dilation, "groups": self.groups, "bias": bias is not None}
        options |= {"device": weight.device, "dtype": weight.dtype}
        if self.transposed:
            plain = nn.ConvTranspose2d(*sizes, output_padding=self.output_padding, **options)
        else:
            plain = nn.Conv2d(*sizes, padding_mode=self.padding_mode, **options)
        plain.weight.copy_(self._swapped(weight) if self.transposed else weight)
        if bias is not None and plain.bias is not None:
            plain.bias.copy_(bias)
        if self.channels_last:
            plain.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return plain.train(self.training)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ExpandedConv2d:
        super()._apply(fn, recurse)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        probe = torch.empty(2, 2, 2, 2, dtype=self.weight.dtype, device=self.weight.device, memory_format=layout)
        self.channels_last = is_channels_last(fn(probe))
        return self

    def extra_repr(self) -> str:
        usual = {"padding": 0, "output_padding": 0, "padding_mode": "zeros"}
        found = {name: getattr(self, name) for name in self.printed}
        options = [f"{name}={value!r}" for name, value in found.items() if value != usual.get(name, 1)]
        return ", ".join([self.call(), *options, *(["bias=False"] if self.bias is None else [])])


def is_channels_last(x: Tensor) -> bool:
    """Whether a batch of maps is stored pixel by pixel, as ``channels_last``; read off the strides, also under vmap."""
    if not isinstance(x, Tensor) or x.ndim != 4 or torch.compiler.is_compiling():
        return False
    return x.stride(1) == 1 and x.shape[2] * x.shape[3] > 1  # images of one channel too: their stride says it
