"""Which input sizes keep the symmetry exactly, and which layer breaks it at others."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from equisym.nn.arguments import count


@dataclass(frozen=True)
class LayerSize:
    """What one strided layer does to a size.

    Attributes:
        name: of the layer in the model.
        size: pixels of a side that reach it.
        exact: whether its samples lie symmetrically about the middle of the input.
    """

    name: str
    size: int
    exact: bool


@dataclass(frozen=True)
class SizeReport:
    """The answer of :func:`check_sizes`; prints as a table.

    Attributes:
        size: input size that was asked for.
        layers: every layer with a stride, in order of running.
        nearest: the exact sizes next to it, below (or equal) and above.
    """

    size: int
    layers: tuple[LayerSize, ...]
    nearest: tuple[int | None, int | None]

    @property
    def exact(self) -> bool:
        """Whether every layer is exact at this size."""
        return all(layer.exact for layer in self.layers)

    @property
    def broken_by(self) -> str | None:
        """The first layer that samples off centre, if any."""
        return next((layer.name for layer in self.layers if not layer.exact), None)

    def __str__(self) -> str:
        below, above = self.nearest
        head = f"{self.size}: exact" if self.exact else f"{self.size}: broken by {self.broken_by}"
        lines = [f"{head}; exact sizes near: {below}, {above}"]
        lines += [f"  {x.name:30} {x.size:5}  {'exact' if x.exact else 'off centre'}" for x in self.layers]
        return "\n".join(lines)


def check_sizes(model: nn.Module, size: int, *, in_channels: int = 1, reach: int = 64) -> SizeReport:
    """Whether a square input size keeps quarter turns and flips exact, and if not, which layer breaks.

    A layer that steps by s over a padded input of n pixels with a window of k samples symmetrically if s divides n - k:
    else the last pixels of one side are never read. No arithmetic is done: the model runs on shapes alone.

    Args:
        model: any model on ``(B, C, N, N)`` whose strided layers are modules.
        size: N to ask about.
        in_channels: C.
        reach: how far to look for exact sizes.

    Raises:
        ValueError: if the model cannot run at this size, with the layer that stops, what it says, and sizes that work.

    >>> from equisym.groups import C
    >>> from equisym.nn import LiftConv2d
    >>> stem = LiftConv2d(1, 2, 3, group=C(4), stride=2, padding=1)
    >>> report = check_sizes(nn.Sequential(stem, nn.MaxPool2d(3, 2, 1)), 64)
    >>> report.exact, report.broken_by, report.nearest
    (False, '0', (61, 65))
    """
    size, in_channels = count("size", size), count("in_channels", in_channels)
    shadow = copy.deepcopy(model).eval().to("meta")

    def fits(n: int) -> bool:
        layers, fault = _strided(shadow, n, in_channels)
        return fault is None and all(layer.exact for layer in layers)

    below = next((n for n in range(size, max(0, size - reach), -1) if fits(n)), None)
    above = next((n for n in range(size + 1, size + reach) if fits(n)), None)
    layers, fault = _strided(shadow, size, in_channels)
    if fault is not None:
        near = " and ".join(str(n) for n in (below, above) if n is not None)
        advice = f"{near} work and are exact" if near else "no size near works: check in_channels"
        raise ValueError(f"the model cannot run on {in_channels} x {size} x {size}: {fault}; {advice}")
    return SizeReport(size, tuple(layers), (below, above))


def _strided(model: nn.Module, size: int, in_channels: int) -> tuple[list[LayerSize], str | None]:
    """What every strided layer does to this size, and what stopped the model, if anything did."""
    found: list[LayerSize] = []
    running: list[str] = []
    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: running.append(name)))
        hooks.append(module.register_forward_hook(partial(_note, found, name)))
        hooks.append(module.register_forward_hook(lambda *_: (running.pop(), None)[1]))
    try:
        with torch.no_grad():
            dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
            model(torch.empty(1, in_channels, size, size, dtype=dtype, device="meta"))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return found, f"{running[-1] or type(model).__name__} says {str(error).splitlines()[0]!r}"
    finally:
        for hook in hooks:
            hook.remove()
    return found, None


def _note(found: list[LayerSize], name: str, module: nn.Module, args: tuple[Tensor, ...], _: object) -> None:
    """Add a layer that strides, or that adds pixels on one side alone."""
    stride = getattr(module, "stride", None)
    if stride is None or not args or not isinstance(args[0], Tensor):
        return
    n, step = args[0].shape[-1], _one(stride)
    if isinstance(module, nn.ConvTranspose2d) or getattr(module, "transposed", False) is True:
        if _one(getattr(module, "output_padding", 0)):
            found.append(LayerSize(name, n, exact=False))
    elif step > 1:
        window = _one(getattr(module, "dilation", 1)) * (_one(getattr(module, "kernel_size", 1)) - 1) + 1
        rest = (n + 2 * _one(getattr(module, "padding", 0)) - window) % step
        found.append(LayerSize(name, n, exact=rest == 0))


def _one(value: object) -> int:
    return int(value[0] if isinstance(value, (tuple, list)) else value)  # type: ignore[arg-type]
