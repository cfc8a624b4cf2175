"""Batch normalisation that keeps the symmetry: one mean, variance, scale and shift for all elements of a field."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.arguments import check_group


class GroupBatchNorm2d(nn.Module):
    r"""Batch normalisation of regular fields.

    .. math:: y(g, x) = \gamma\,\frac{f(g, x) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    with mu and sigma^2 over the batch, the pixels x and the elements g of ``group``, one of each for a field, so that
    the layer commutes with every permutation of the elements.

    Args:
        fields: number of regular fields; the input has ``fields * group.order`` channels.
        group: the point group.
        eps: added to the variance.
        momentum: weight of the newest batch in the running averages.

    Shape:
        ``(B, fields * order, H, W)`` -> the same.

    Raises:
        ValueError: at construction if there are no fields; at the call for a wrong number of channels.

    >>> from equisym.groups import C
    >>> GroupBatchNorm2d(2, group=C(4))(torch.randn(3, 8, 5, 5)).shape
    torch.Size([3, 8, 5, 5])
    """

    def __init__(self, fields: int, *, group: PointGroup, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        check_group(group)
        if fields < 1:
            raise ValueError(f"fields must be at least 1 (got {fields})")
        self.fields, self.group = fields, group
        self.norm = nn.BatchNorm3d(fields, eps, momentum)  # a submodule, so that a synchronised norm can replace it

    def forward(self, x: Tensor) -> Tensor:
        channels = self.fields * self.group.order
        if x.shape[1] != channels:
            raise ValueError(
                f"input must have {channels} channels, {self.fields} fields of {self.group} (got {x.shape[1]})"
            )
        if x.is_cuda and self.training and type(self.norm) is nn.BatchNorm3d and not torch.compiler.is_compiling():
            return self._on_cuda(x, self.norm)
        y = self.norm(x.unflatten(1, (self.fields, self.group.order))).flatten(1, 2)
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            y = y.contiguous(memory_format=torch.channels_last)  # the norm's own layout is channels first
        return y

    def _on_cuda(self, x: Tensor, norm: nn.BatchNorm3d) -> Tensor:
        """The same in training on a GPU, in either layout; torch's kernel has only one block of threads per field."""
        y, mean, variance = _NormOverGroup.apply(x, norm.weight, norm.bias, norm.eps)
        count = x.numel() // self.fields
        with torch.no_grad():
            for running, new in ((norm.running_mean, mean), (norm.running_var, variance * (count / (count - 1)))):
                running.lerp_(new.to(running.dtype), norm.momentum)
            norm.num_batches_tracked.add_(1)
        return y

    @torch.no_grad()
    def to_plain(self) -> nn.BatchNorm2d:
        """The same function as an ordinary :class:`torch.nn.BatchNorm2d` (running statistics)."""
        plain = nn.BatchNorm2d(self.fields * self.group.order, self.norm.eps, self.norm.momentum)
        plain.to(self.norm.weight)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(plain, name).copy_(getattr(self.norm, name).repeat_interleave(self.group.order))
        return plain.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.fields}, group={self.group!r}"


class _NormOverGroup(torch.autograd.Function):
    """Normalise fields with the kernels of synchronised batch norm, with group elements in place of processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        fields, order = len(weight), x.shape[1] // len(weight)
        if not x.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous()
        means, deviations = (values.view(fields, order) for values in torch.batch_norm_stats(x, eps))
        mean = means.mean(1)
        variance = (deviations**-2 - eps + (means - mean[:, None]).square()).mean(1).clamp_(min=0)
        each = [v.repeat_interleave(order) for v in (weight, bias, mean, (variance + eps).rsqrt())]
        ctx.save_for_backward(x, each[0], each[2], each[3])
        ctx.order = order
        ctx.mark_non_differentiable(mean, variance)
        return torch.batch_norm_elemt(x, *each, eps), mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, deviation = ctx.saved_tensors
        last = x.is_contiguous(memory_format=torch.channels_last)
        dy = grads[0].contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        sums = torch.batch_norm_backward_reduce(dy, x, mean, deviation, weight, True, True, True)
        of_fields = [total.view(-1, ctx.order).sum(1) for total in sums]
        shared = [total.repeat_interleave(ctx.order) for total in of_fields[:2]]
        count = torch.full((1,), x.numel() // len(of_fields[0]), dtype=torch.int32, device=x.device)
        dx = torch.batch_norm_backward_elemt(dy, x, mean, deviation, weight, *shared, count)
        return dx, of_fields[2], of_fields[3], None
