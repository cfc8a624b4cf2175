"""Meta-learning: an inner step adapts free weights to one task, an outer loop learns what all tasks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Tasks:
    """Examples of several tasks: a few to adapt on (support), more to evaluate on (query).

    Attributes:
        support_x: inputs, shape (tasks, support, ...).
        support_y: targets.
        query_x: inputs, shape (tasks, query, ...).
        query_y: targets.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor


Sampler = Callable[[int, torch.Generator], Tasks]
"""Draws a number of tasks."""


@dataclass
class MetaLearner:
    r"""Learns a model's symmetry in an outer loop and its free weights in one inner step, or all in both (MAML).

    .. math:: v' = v - \eta\, \nabla_v L(U, v; \text{support}), \qquad
              \min_{U, v, \eta} \mathbb{E}_{\text{tasks}}\, L(U, v'; \text{query})

    U are the parameters that the model's layers name in ``symmetry_parameters``, v all others, eta a learned rate for
    each, L the mean square error.

    Args:
        model: any module; layers without ``symmetry_parameters`` adapt all their parameters.
        inner_rate: initial value of every rate.
        outer_rate: rate of Adam on U, v and the rates.

    Source: Zhou, Knowles & Finn, Meta-Learning Symmetries by Reparameterization (2021), algorithm 1.
    """

    model: nn.Module
    inner_rate: float = 0.1
    outer_rate: float = 1e-3
    rates: nn.ParameterDict = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fixed = {
            f"{prefix}.{name}".lstrip(".")
            for prefix, layer in self.model.named_modules()
            for name in getattr(layer, "symmetry_parameters", ())
        }
        self.inner = [name for name, _ in self.model.named_parameters() if name not in fixed]
        device = next(self.model.parameters()).device
        self.rates = nn.ParameterDict(
            {name.replace(".", "/"): torch.tensor(self.inner_rate, device=device) for name in self.inner}
        )

    def adapt(self, x: Tensor, y: Tensor) -> Parameters:
        """All parameters after one inner step on the examples of one task."""
        parameters: Parameters = dict(self.model.named_parameters())
        rates: Parameters = dict(self.rates.items())
        return self._adapt(parameters, rates, x, y)

    def loss(self, tasks: Tasks) -> Tensor:
        """Mean square error on the query examples after the inner step, for each task."""
        parameters: Parameters = dict(self.model.named_parameters())
        rates: Parameters = dict(self.rates.items())

        def one(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
            return self._loss(self._adapt(parameters, rates, sx, sy), qx, qy)

        return vmap(one)(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y)

    def fit(
        self,
        sample: Sampler,
        *,
        steps: int,
        tasks_per_step: int = 32,
        seed: int = 0,
        progress: Callable[[int, float], None] | None = None,
    ) -> list[float]:
        """Run the outer loop.

        Args:
            sample: draws tasks.
            steps: outer steps.
            tasks_per_step: tasks of each step.
            seed: of the tasks.
            progress: called with the step and its loss.

        Returns:
            The loss of every step.
        """
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam([*self.model.parameters(), *self.rates.parameters()], lr=self.outer_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 4 * (1 - step / steps)))
        history = []
        for step in range(steps):
            loss = self.loss(sample(tasks_per_step, generator)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            history.append(loss.item())
            if progress is not None:
                progress(step, history[-1])
        return history

    @torch.no_grad()
    def evaluate(self, tasks: Tasks) -> float:
        """Mean loss on tasks held out."""
        return self.loss(tasks).mean().item()

    def _adapt(self, parameters: Parameters, rates: Parameters, x: Tensor, y: Tensor) -> Parameters:
        free = {name: parameters[name] for name in self.inner}
        slope = grad(lambda v: self._loss({**parameters, **v}, x, y))(free)
        return {**parameters, **{name: free[name] - rates[name.replace(".", "/")] * slope[name] for name in self.inner}}

    def _loss(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(functional_call(self.model, parameters, (x,)), y)
