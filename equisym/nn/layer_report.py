"""Where a model loses the symmetry: the equivariance error of every layer under every group element."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from equisym.groups import PointGroup
from equisym.nn.action import act
from equisym.nn.field_type import FieldType

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("regular", "image", "invariant")


@dataclass(frozen=True)
class EquivarianceReport:
    """The answer of :func:`equivariance_report`; prints as a table, and :meth:`plot` draws it.

    Attributes:
        group: whose elements were tried.
        layers: name and class of every layer, in order of running.
        kinds: how the group acts on each layer's answer: ``"regular"``, ``"image"`` or ``"invariant"``.
        errors: relative errors, shape (layers, order), float64 on the CPU.
    """

    group: PointGroup
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    errors: Tensor

    @property
    def worst(self) -> float:
        """The greatest error of the last layer: of the model's answer."""
        return self.errors[-1].max().item()

    def broken_by(self, tolerance: float = 1e-4) -> str | None:
        """The first layer whose error is above a tolerance, if any."""
        above = (self.errors.amax(1) > tolerance).nonzero()
        return self.layers[int(above[0])] if len(above) else None

    def __str__(self) -> str:
        names = [element_name(g, self.group) for g in range(1, self.group.order)]
        width = max(map(len, (*self.layers, "layer")))
        lines = [f"{'layer':{width}}  {'acts as':9}" + "".join(f"{name:>9}" for name in names)]
        for layer, kind, row in zip(self.layers, self.kinds, self.errors.tolist(), strict=True):
            lines.append(f"{layer:{width}}  {kind:9}" + "".join(f"{e:9.0e}" for e in row[1:]))
        return "\n".join(lines)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the table: one row per layer, one column per element, colour for the order of magnitude."""
        import matplotlib.pyplot as plt

        if axes is None:
            _, axes = plt.subplots(figsize=(2 + 0.5 * self.group.order, 1 + 0.25 * len(self.layers)))
        powers = self.errors[:, 1:].clamp_min(1e-16).log10().numpy()
        picture = axes.imshow(powers, aspect="auto", cmap="viridis", vmin=-16, vmax=0)
        elements = [element_name(g, self.group) for g in range(1, self.group.order)]
        axes.set_xticks(range(len(elements)), elements, fontsize="small", rotation=60)
        axes.set_yticks(range(len(self.layers)), self.layers, fontsize="small")
        axes.figure.colorbar(picture, ax=axes, label="relative error, power of ten")
        return axes


def element_name(g: int, group: PointGroup) -> str:
    """``1``, ``r``, ``r^2``, ``s``, ``r s`` and so on."""
    turn, flip = g % group.n, g >= group.n
    rotation = {0: "", 1: "r"}.get(turn, f"r^{turn}")
    return " ".join([*([rotation] if rotation else []), *(["s"] if flip else [])]) or "1"


def act_as(x: Tensor, g: int, group: PointGroup, kind: str | FieldType) -> Tensor:
    """Apply a group element to what a function takes or gives.

    Args:
        x: image, feature map, or vectors ``(B, C)`` of a field type.
        g: element of ``group``.
        group: the point group.
        kind: ``"image"``, ``"regular"``, ``"invariant"`` (nothing moves), or the type of the fields.

    Raises:
        ValueError: if x is not of that kind, or the type is one of a group that does not contain ``group``.
    """
    if isinstance(kind, FieldType):
        return kind.act(x, g, group=group)
    return x if kind == "invariant" else act(x, g, group, regular=kind == "regular")


def difference(moved: Tensor, reference: Tensor, g: int, group: PointGroup, kind: str | FieldType) -> Tensor:
    """Greatest difference between the answer to a moved input and the moved answer.

    Raises:
        ValueError: if the group cannot act so: too few channels, or a map that is not square.
    """
    apart = (moved - act_as(reference, g, group, kind)).abs()
    if kind != "invariant" and apart.ndim > 2 and group.quarter_turns(g) % 1:
        apart = apart * _disc(apart)
    return apart.max()


@torch.no_grad()
def equivariance_report(model: nn.Module, x: Tensor, *, group: PointGroup, input: str = "image") -> EquivarianceReport:
    r"""Relative equivariance error of the answer of every layer, from the input to there.

    .. math:: e_l(g) = \frac{\max |\Phi_l(g x) - g\,\Phi_l(x)|}{\max |\Phi_l(x)|}

    Phi_l is the model up to layer l. How g acts there is found by trial, among permuting regular fields and moving
    pixels, moving pixels only, and nothing. The model is measured in eval mode, in the dtype and on the device of x.

    Args:
        model: the model; layers are its modules without children and the layers of this library.
        x: an input, ``(B, C, H, W)``.
        group: the point group.
        input: what x is: ``"image"`` (scalar channels) or ``"regular"`` (regular fields).

    Returns:
        The report. Elements off the pixel grid are applied by bicubic interpolation, and compared on a disc.

    Raises:
        ValueError: for another ``input``, or if x is no batch of maps or does not suit the group.

    >>> from equisym.groups import C
    >>> from equisym.nn import GroupPool2d, LiftConv2d
    >>> model = nn.Sequential(LiftConv2d(1, 2, 3, group=C(4), stride=2), nn.ReLU(), GroupPool2d(group=C(4)))
    >>> equivariance_report(model, torch.randn(1, 1, 9, 9), group=C(4)).kinds
    ('regular', 'regular', 'image')
    >>> equivariance_report(model, torch.randn(1, 1, 8, 8), group=C(4)).broken_by()
    '0 LiftConv2d'
    """
    if input not in ("image", "regular"):
        raise ValueError(f"input must be image or regular (got {input!r})")
    if x.ndim != 4:
        raise ValueError(f"x must be maps (B, C, H, W) (got the shape {tuple(x.shape)})")
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        answers = _answers(model, x)
        errors = {kind: torch.full((len(answers), group.order), float("inf"), dtype=torch.float64) for kind in KINDS}
        for g in range(group.order):
            for at, (_, moved) in enumerate(_answers(model, act(x, g, group, regular=input == "regular"))):
                reference = answers[at][1]
                scale = reference.abs().max().clamp_min(torch.finfo(reference.dtype).tiny)
                for kind in KINDS if reference.ndim == 4 else KINDS[2:]:
                    try:
                        errors[kind][at, g] = (difference(moved, reference, g, group, kind) / scale).double().cpu()
                    except ValueError:  # the group cannot act so on this answer
                        continue
    finally:
        for module, mode in training.items():
            module.training = mode
    stacked = torch.stack([errors[kind] for kind in KINDS])
    best = stacked.clamp_min(1e-16).log().mean(2).argmin(0)  # what fits some elements exactly is how the group acts
    rows = stacked[best, torch.arange(len(answers))]
    return EquivarianceReport(group, tuple(name for name, _ in answers), tuple(KINDS[b] for b in best), rows)


def _answers(model: nn.Module, x: Tensor) -> list[tuple[str, Tensor]]:
    """Name and answer of every layer that ran, the model's own last if it is a tensor."""
    found: list[tuple[str, Tensor]] = []
    with _watched(model, found):
        answer = model(x)
    if isinstance(answer, Tensor) and not (found and torch.equal(found[-1][1], answer)):
        found.append((f"answer {type(model).__name__}", answer))
    return found


@contextmanager
def _watched(model: nn.Module, found: list[tuple[str, Tensor]]) -> Iterator[None]:
    hooks = []

    def watch(name: str, module: nn.Module) -> None:
        children = list(module.named_children())
        own = type(module).__module__.startswith("equisym.nn.") and (
            hasattr(module, "group") or hasattr(module, "field_type") or hasattr(module, "in_type")
        )
        if children and not own:
            for child_name, child in children:
                watch(f"{name}.{child_name}".lstrip("."), child)
            return

        def note(module: nn.Module, _: Any, answer: Any) -> None:
            if isinstance(answer, Tensor) and answer.is_floating_point():
                found.append((f"{name} {type(module).__name__}".strip(), answer.clone()))

        hooks.append(module.register_forward_hook(note))

    watch("", model)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _disc(x: Tensor) -> Tensor:
    """1 on the disc of 0.7 of the half side, 0 outside: there interpolation has not met the border."""
    height, width = x.shape[-2:]
    y, x_ = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return ((x_**2 + y**2).sqrt() <= 0.7).to(x)
