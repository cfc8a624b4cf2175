"""Correlation pooling: from regular fields to maps of how symmetric each field is about each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, fx, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import channels_of, check_group, real
from equisym.nn.constant import ConstantModule
from equisym.nn.correlation_forms import Measured, correlation_classes, sums_of_squares
from equisym.nn.fused import fused_kernels, is_plain_call

_PART = 2**18
"""Numbers pooled at once on a CPU, in whole images, so that they stay in a core's cache of 2 MB."""


class CorrelationPool2d(ConstantModule):
    r"""Correlate each regular field with itself under every element of the group, at each pixel.

    .. math:: c(h, x) = \sum_{g} d(g, x)\, d(h g, x), \qquad d(g, x) = f(g, x) - \frac{1}{|G|} \sum_{g} f(g, x)

    f is one of the regular fields of ``group``, g and h run over its elements. c(h, x) reaches c(e, x) exactly where
    the field about x is unchanged by h: every learned feature becomes a symmetry filter. If the image is turned by k,
    then c(h, .) goes to c(k^-1 h k, .) moved by k; the greatest value over all elements that are conjugate to h or to
    its inverse is therefore a map that rotates like an image. Such a set is called a class here; they are in
    ``classes``.

    Each field gives 2 + len(classes) maps: its mean over the group, its deviation ``|d| = sqrt(c(e))``, and for each
    class the greatest ``c(h) / |d|``. Behind the maps of all fields come len(classes) more: the same for all fields
    together, the greatest sum of c(h) over the sum of c(e), from -1 to 1.

    Args:
        group: the point group of the fields, with more than one element.
        eps: added to c(e), so that a field without deviation has a gradient.

    Attributes:
        classes: the elements of each class, without that of the identity.

    Shape:
        ``(B, fields * order, H, W)`` -> ``(B, self.out_channels(fields), H, W)``.

    Raises:
        ValueError: at construction for a group of one element; at the call if the order does not divide the channels.

    >>> from equisym.groups import D
    >>> pool = CorrelationPool2d(group=D(4))
    >>> pool.classes
    ((1, 3), (2,), (4, 6), (5, 7))
    >>> pool(torch.randn(1, 16, 5, 5)).shape, pool.out_channels(2)
    (torch.Size([1, 16, 5, 5]), 16)

    Source: the symmetry filter of the published comparison, one minus the spread of the answers of a turned kernel,
    made exact and learned.
    """

    forms: Tensor
    combine: Tensor

    def __init__(self, *, group: PointGroup, eps: float = 1e-6) -> None:
        super().__init__()
        check_group(group)
        if group.order < 2:
            raise ValueError(f"group must have an element besides the identity (got {group}): try C2, D1 or larger")
        self.group, self.eps = group, real("eps", eps)
        self.classes = correlation_classes(group)
        # c(r^k) = c(r^-k), so half of the rotations are measured; then the reflections, those of a class side by side.
        mirrors = [h for members in self.classes for h in members if h >= group.n]
        self._measured = (*range(1, group.n // 2 + 1), *mirrors)
        widths = [1] * (group.n // 2) + [len(members) for members in self.classes if members[0] >= group.n]
        self._starts = (0, *accumulate(widths))
        self._tables = Measured.of(group, self._measured, self._starts)
        forms, combine = sums_of_squares(group, (0, *self._measured))
        self.register_constant("forms", forms)
        self.register_constant("combine", combine)

    def out_channels(self, fields: int) -> int:
        """Maps that this many fields give."""
        return fields * (2 + len(self.classes)) + len(self.classes)

    def correlations(self, x: Tensor) -> Tensor:
        """c(h, x) of each field for all elements h, ``(B, fields * order, H, W)`` -> ``(B, fields, order, H, W)``."""
        self._check(x)
        c = self._correlate(self._fields(x)).unflatten(3, x.shape[2:])
        places = [(0, *self._measured).index(h) for h in map(self._equal, range(self.group.order))]
        return c[:, :, places]

    def _equal(self, h: int) -> int:
        return h if h >= self.group.n else min(h, self.group.inverse(h))

    def forward(self, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor):  # a symbolic trace has neither shape nor device yet
            return self._pool(x)
        self._check(x)
        if x.ndim == 3:
            return self.forward(x.unsqueeze(0)).squeeze(0)
        if x.is_meta:  # shapes alone, which autocast does not know
            return self._pool(x)
        kernels = fused_kernels(x, "correlation_kernel")
        if kernels is not None and x.dtype in kernels.DTYPES and self.group.order <= kernels.LARGEST:
            return _Fused.apply(x, self, kernels)  # pyright: ignore[reportReturnType]
        # squares and differences of nearly equal numbers need float32
        with torch.autocast(x.device.type, enabled=False):
            low = x.dtype in (torch.float16, torch.bfloat16)
            return self._pool(x.float()).to(x.dtype) if low else self._pool(x)

    def _check(self, x: Tensor) -> None:
        order = self.group.order
        if channels_of(x) % order:
            raise ValueError(
                f"input must have a multiple of {order} channels, fields of {self.group} (got {x.shape[-3]})"
            )

    def _fields(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.group.order)).flatten(3)

    def _correlate(self, fields: Tensor) -> Tensor:
        """Those of the identity and the measured elements, (B, F, order, H * W) -> (B, F, 1 + measured, H * W)."""
        return self.combine @ (self.forms @ fields).square()

    def _pool(self, x: Tensor) -> Tensor:
        forms, combine = self.forms, self.combine
        if isinstance(x, Tensor) and x.dtype != forms.dtype and not x.is_meta:
            # a module in half precision: its fields have been widened, so the rounded constants will not do
            forms, combine = self._made("forms", x), self._made("combine", x)
        rest = forms, combine, self._starts, self.eps
        if not is_plain_call(x):
            return _pooled(self._fields(x), *rest).unflatten(2, x.shape[2:])
        pooled = _Pooled.apply if x.requires_grad and torch.is_grad_enabled() else _pooled
        parts = x.split(max(1, _PART // max(1, x[:1].numel()))) if x.device.type == "cpu" else [x]
        maps = [pooled(self._fields(part), *rest).unflatten(2, x.shape[2:]) for part in parts]  # pyright: ignore
        return maps[0] if len(maps) == 1 else torch.cat(maps)

    def to_plain(self) -> fx.GraphModule:
        """The same function as one graph of torch functions."""
        return fx.symbolic_trace(_Unchecked(self))

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + (f", eps={self.eps:g}" if self.eps != 1e-6 else "")


def _pooled(fields: Tensor, forms: Tensor, combine: Tensor, starts: Sequence[int], eps: float) -> Tensor:
    """Fields (B, F, order, pixels) as maps (B, maps, pixels)."""
    square, rest = (combine @ (forms @ fields).square()).split([1, starts[-1]], 2)
    deviation = (square + eps).sqrt()
    each = [fields.mean(2, keepdim=True), deviation, _greatest(rest, starts) / deviation]
    together = _greatest(rest.sum(1) / (square.sum(1) + eps), starts)
    return torch.cat([torch.cat(each, 2).flatten(1, 2), together], 1)


def _greatest(c: Tensor, starts: Sequence[int]) -> Tensor:
    """The greatest value of each class, along the last dimension but one."""
    found = []
    for start, end in pairwise(starts):
        members = [c[..., index : index + 1, :] for index in range(start, end)]
        found.append(reduce(lambda a, b: b + (a - b).relu(), members))  # max(a, b), with a cheap gradient
    return torch.cat(found, -2)


def _to_greatest(grad: Tensor, c: Tensor, starts: Sequence[int]) -> list[Tensor]:
    """The gradient of :func:`_greatest`, for each element on its own."""
    found = []
    for place, (start, end) in enumerate(pairwise(starts)):
        members = c[..., start:end, :].split(1, -2)
        left, shares = grad[..., place : place + 1, :], []
        for member, before in reversed(list(zip(members[1:], accumulate(members, torch.maximum), strict=False))):
            shares.append(left * (member >= before))
            left = left - shares[-1]
        found += [left, *reversed(shares)]
    return found


class _Pooled(torch.autograd.Function):
    """:func:`_pooled` with a gradient written out: fewer passes over the maps, and only the fields are kept for it."""

    @staticmethod
    def forward(ctx: Any, fields: Tensor, forms: Tensor, combine: Tensor, starts: Sequence[int], eps: float) -> Tensor:
        ctx.save_for_backward(fields, forms, combine)
        ctx.options = starts, eps
        return _pooled(fields, forms, combine, starts, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (fields, forms, combine), (starts, eps) = ctx.saved_tensors, ctx.options
        count, order = fields.shape[1:3]
        classes = len(starts) - 1
        single, together = grads[0].split([count * (2 + classes), classes], 1)
        mean, deviation, each = single.unflatten(1, (count, 2 + classes)).split([1, 1, classes], 2)
        form = forms @ fields
        square, rest = (combine @ form.square()).split([1, starts[-1]], 2)
        inverse = (square + eps).rsqrt()
        each = each * inverse
        to_rest = _to_greatest(each, rest, starts)
        loss = (each * _greatest(rest, starts)).sum(2, keepdim=True) * inverse
        total = square.sum(1) + eps
        ratio = rest.sum(1) / total
        to_ratio = torch.cat(_to_greatest(together, ratio, starts), 1) / total
        to_square = 0.5 * inverse * (deviation - loss) - (to_ratio * ratio).sum(1, keepdim=True)[:, None]
        to_c = torch.cat([to_square, torch.cat(to_rest, 2) + to_ratio[:, None]], 2)
        return forms.mT @ ((2 * combine).mT @ to_c * form) + mean / order, None, None, None, None


class _Fused(torch.autograd.Function):
    """The layer as one GPU kernel each way; a gradient of its gradient is that of the operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: CorrelationPool2d, kernels: ModuleType) -> Tensor:
        maps, total = kernels.pool(x, layer._tables, layer.eps)
        ctx.save_for_backward(x, total)
        ctx.layer, ctx.kernels = layer, kernels
        return maps

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x, total), layer = ctx.saved_tensors, ctx.layer
        if torch.is_grad_enabled():
            wide = x.float()
            (found,) = torch.autograd.grad(layer._pool(wide), wide, grads[0].float(), create_graph=True)
            return found.to(x.dtype), None, None
        return ctx.kernels.pool_gradient(x, grads[0], total, layer._tables, layer.eps), None, None


class _Unchecked(nn.Module):
    """The arithmetic alone, which a symbolic trace can follow."""

    def __init__(self, pool: CorrelationPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool._pool(x)
