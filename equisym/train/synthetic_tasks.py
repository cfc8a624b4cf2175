"""Families of regression tasks with a hidden symmetry, to evaluate meta-learning."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from equisym.groups import C
from equisym.nn.kernel import GroupKernel
from equisym.train.meta import Tasks


class LocallyConnectedTasks:
    r"""1-D linear tasks ``70 -> 68``: each output sees three neighbours through a mixture of a few shared filters.

    .. math:: y_i = \sum_{j=0}^{2} \sum_{r=1}^{R} \alpha_{i,r}\, f_{r,j}\, x_{i+j}

    The mixture alpha is the hidden symmetry, the same for all tasks; the filters f are the task. With rank R = 1 it is
    a convolution.

    Args:
        rank: R.
        seed: of alpha, whose rows are uniform on the simplex.
    """

    inputs, taps = 70, 3

    def __init__(self, rank: int, seed: int) -> None:
        self.rank, self.outputs = rank, self.inputs - self.taps + 1
        generator = torch.Generator().manual_seed(seed)
        drawn = -torch.rand(self.outputs, rank, generator=generator).log()
        self.mixture = drawn / drawn.sum(1, keepdim=True)

    def __call__(self, count: int, generator: torch.Generator, support: int = 1, query: int = 19) -> Tasks:
        """Draw tasks with standard normal filters and inputs."""
        filters = torch.randn(count, self.rank, self.taps, generator=generator)
        x = torch.randn(count, support + query, self.inputs, generator=generator)
        y = torch.einsum("or,trj,tnoj->tno", self.mixture, filters, x.unfold(2, self.taps, 1))
        return Tasks(x[:, :support], y[:, :support], x[:, support:], y[:, support:])

    def weight_space(self) -> Tensor:
        """Basis of all weight matrices of these tasks, shape (3 rank, 68, 70)."""
        basis = torch.zeros(self.rank, self.taps, self.outputs, self.inputs)
        rows = torch.arange(self.outputs)
        for j in range(self.taps):
            basis[:, j, rows, rows + j] = self.mixture.T
        return basis.flatten(0, 1)


class RotationLiftTasks:
    """2-D tasks: a lifting convolution on C8 from 1 channel to 3 fields, 3x3 kernels, 32x32 noise images."""

    size, fields, kernel_size = 32, 3, 3

    def __init__(self) -> None:
        self.kernel = GroupKernel(self.kernel_size, C(8), lifting=True, basis="circular")

    def __call__(self, count: int, generator: torch.Generator, support: int = 1, query: int = 19) -> Tasks:
        """Draw tasks with normal coefficients and pixels; the targets have variance near 1."""
        coefficients = torch.randn(count, self.fields, 1, self.kernel.coefficients, generator=generator)
        filters = self.filters(coefficients / self.kernel.coefficients**0.5)
        x = torch.randn(count, support + query, 1, self.size, self.size, generator=generator)
        y = functional.conv2d(x.transpose(0, 1).flatten(1, 2), filters.flatten(0, 1), groups=count)
        y = y.unflatten(1, (count, -1)).transpose(0, 1)
        return Tasks(x[:, :support], y[:, :support], x[:, support:], y[:, support:])

    def filters(self, weights: Tensor) -> Tensor:
        """Expanded filters (tasks, 24, 1, 3, 3) of free weights (tasks, 3, 1, coefficients)."""
        return torch.stack([self.kernel(w) for w in weights])
