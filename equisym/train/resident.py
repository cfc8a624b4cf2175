"""Training with everything on the device: images, order, rates and averages, and a step that is one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn

from equisym.models.baselines import Baseline, PyramidClassifier
from equisym.models.field_classifier import FieldClassifier
from equisym.train.augment import turn_and_flip, vary_appearance

_TRIAL = 30  # steps on random images that show whether the compiled network computes numbers


class ResidentTraining:
    """A network made ready on a device, into which one training set after the other can be loaded.

    Nothing waits for Python between the steps of a small network: on a GPU a step (batch, augmentation, forward,
    backward, AdamW with one cycle of rates, average of the weights) is recorded once and replayed. On a CPU it runs as
    it is, for tests.

    Args:
        build: makes the network with fresh weights.
        size: side of the images in pixels.
        images: most images of a training set.
        steps: most steps of a training.
        batch_size: images of a step.
        device: where.
        weight_decay: of AdamW; vectors are spared.
        appearance: whether to vary the looks of the images.
        turn: whether to turn and flip them, for networks that are not invariant.
        decay: of the running average of the weights.
        compiled: whether torch.compile fuses the network: half a minute to two minutes that long trainings earn back.
        loss: of logits and labels; one with an attribute ``progress`` is told the share of the training that is done.
        graphed: whether to record the step on a GPU; not for networks that read numbers back from it.
        bfloat16: whether to compute in it where autocast does; by default on a GPU.

    Attributes:
        losses: of the steps done, and zeros.

    Raises:
        FloatingPointError: if a trial on random images gives losses that are no numbers.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        *,
        size: int,
        images: int,
        steps: int,
        batch_size: int = 128,
        device: torch.device | str = "cuda",
        weight_decay: float = 0.05,
        appearance: bool = True,
        turn: bool = False,
        decay: float = 0.998,
        compiled: bool = False,
        loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
        graphed: bool = True,
        bfloat16: bool | None = None,
    ) -> None:
        self.build, self.batch_size, self.device = build, batch_size, torch.device(device)
        self.appearance, self.turn, self.decay, self.loss = appearance, turn, decay, loss
        self._on_gpu = self.device.type == "cuda"
        self._graphed = self._on_gpu and graphed
        self._bfloat16 = self._on_gpu if bfloat16 is None else bfloat16
        new: dict[str, Any] = {"device": self.device}
        self.model = build().to(self.device).train()
        self._network = torch.compile(self.model) if compiled else self.model
        if self._on_gpu and not compiled:
            if isinstance(self.model, FieldClassifier):
                self.model.stem[1].register_forward_hook(_channels_last)  # pyright: ignore[reportIndexIssue]
            elif isinstance(self.model, Baseline | PyramidClassifier):
                self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.images = torch.rand(images, 1, size, size, **new)
        self.labels = torch.arange(images, **new) % 17
        self.losses = torch.zeros(steps + _TRIAL + 8, **new)
        self._order = torch.randint(images, ((steps + _TRIAL + 8) * batch_size,), **new)
        self._rates = torch.full((steps + _TRIAL + 8,), 1e-4, **new)
        self._step, self._within = torch.zeros((), dtype=torch.long, **new), torch.arange(batch_size, **new)
        self._steps = torch.ones((), **new)
        if isinstance(loss, nn.Module):
            loss.to(self.device)
        if hasattr(loss, "progress"):
            loss.progress = torch.zeros((), **new)  # pyright: ignore[reportFunctionMemberAccess]
        self._rate = torch.zeros((), **new)
        parameters = list(self.model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        # A rate that lives on the device, so that a recorded step can change it.
        self._optimiser = torch.optim.AdamW(groups, lr=self._rate, capturable=self._on_gpu, fused=self._on_gpu)
        self._state = {n: v for n, v in self.model.state_dict().items() if v.is_floating_point()}
        self._average = {n: v.detach().clone() for n, v in self._state.items()}
        if self._graphed:
            self._record()

    def load(self, images: Tensor, labels: Tensor, *, epochs: int, lr: float = 4e-3, seed: int = 0) -> int:
        """Begin a training anew, with fresh weights of this seed; the number of its steps.

        Args:
            images: the training set, (N, 1, size, size).
            labels: (N,).
            epochs: passes over it; an incomplete batch at the end of each is left out.
            lr: peak of the cycle of rates.
            seed: of weights and order.

        Raises:
            ValueError: if there is no room for so many images or steps.
        """
        count, steps = len(images), epochs * (len(images) // self.batch_size)
        room = len(self.images), len(self._rates) - _TRIAL - 8
        if count > room[0] or steps > room[1]:
            raise ValueError(f"made for {room[0]} images and {room[1]} steps at most (got {count} and {steps})")
        self._rates[:steps] = _one_cycle(lr, steps).to(self.device)
        self._steps.fill_(steps)
        order = torch.Generator().manual_seed(seed)
        whole = count // self.batch_size * self.batch_size
        epochs_of = torch.cat([torch.randperm(count, generator=order)[:whole] for _ in range(epochs)])
        self._order[: len(epochs_of)] = epochs_of.to(self.device)
        self.images[:count], self.labels[:count] = images.to(self.device), labels.to(self.device)
        torch.manual_seed(seed)
        fresh = self.build().state_dict()
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                value.copy_(fresh[name])
            for state in self._optimiser.state.values():
                for value in state.values():
                    value.zero_()
            for name, value in self._average.items():
                value.copy_(self._state[name])
            self._step.zero_()
            self.losses.zero_()
        if self._graphed:
            self._stream.wait_stream(torch.cuda.current_stream())
        return steps

    def advance(self) -> None:
        """One step; on a GPU it is only begun."""
        if not self._graphed:
            self._optimiser.zero_grad(set_to_none=True)
            self._do()
            return
        with torch.cuda.stream(self._stream):
            self._graph.replay()

    def averaged(self) -> nn.Module:
        """A network of its own with the averaged weights, in eval mode; warns if a loss was no number."""
        if self._graphed:
            torch.cuda.current_stream().wait_stream(self._stream)
        wrong = (~self.losses[: int(self._step)].isfinite()).nonzero()
        if len(wrong):
            warn(f"the loss is NaN or infinite from step {int(wrong[0]) + 1} on: lower the rate", stacklevel=2)
        model = self.build().to(self.device)
        model.load_state_dict({n: self._average.get(n, v) for n, v in self.model.state_dict().items()})
        return model.eval()

    def _do(self) -> None:
        chosen = self._order.index_select(0, self._step * self.batch_size + self._within)
        x, y = self.images.index_select(0, chosen), self.labels.index_select(0, chosen)
        if self.turn:
            x = turn_and_flip(x)
        if self.appearance:
            x = vary_appearance(x)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16):
            logits = self._network(x)
        if hasattr(self.loss, "progress"):
            self.loss.progress.copy_(self._step / self._steps)  # pyright: ignore[reportFunctionMemberAccess]
        loss = self.loss(logits.float(), y)
        loss.backward()
        self._rate.copy_(self._rates.index_select(0, self._step.view(1))[0])
        self._optimiser.step()
        self.losses.index_copy_(0, self._step.view(1), loss.detach().view(1))
        with torch.no_grad():
            share = 1 - ((self._step + 1) / (self._step + 10)).clamp(max=self.decay)
            averages, states = list(self._average.values()), list(self._state.values())
            torch._foreach_lerp_(averages, states, [share] * len(states))  # pyright: ignore[reportPrivateImportUsage]
            self._step.add_(1)

    def _record(self) -> None:
        self._stream = torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(3):
                self._optimiser.zero_grad(set_to_none=True)
                self._do()
        torch.cuda.current_stream().wait_stream(self._stream)
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        self._optimiser.zero_grad(set_to_none=True)
        # Each graph on a stream of its own: those recorded on one stream share the workspace of cuBLAS, and write to it
        # at once, or to where it was when the first of them is gone.
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._do()
        self._step.zero_()
        for _ in range(_TRIAL):
            self._graph.replay()
        torch.cuda.synchronize()
        if not self.losses[:_TRIAL].isfinite().all():
            raise FloatingPointError("the loss of a trial on random images is no number: leave compiled out")


def _channels_last(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001
    return output.contiguous(memory_format=torch.channels_last)


def _one_cycle(peak: float, steps: int) -> Tensor:
    """The rates of :class:`torch.optim.lr_scheduler.OneCycleLR` with its defaults, (steps,)."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=steps + 1, cycle_momentum=False)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return torch.tensor(rates)
