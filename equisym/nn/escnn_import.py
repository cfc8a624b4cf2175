"""Import models built with escnn or e2cnn: the same network from our layers, with the same weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from equisym.nn.escnn_layers import LAYERS, fields_of
from equisym.nn.escnn_types import field_type
from equisym.nn.field_order import FieldBranches2d
from equisym.nn.folding import to_plain

LIBRARIES = ("escnn", "e2cnn")
CONTAINERS: dict[str, Callable[[list[nn.Module]], nn.Module]] = {
    "SequentialModule": lambda parts: nn.Sequential(*parts),
    "ModuleList": nn.ModuleList,
}


def from_escnn(module: Any) -> nn.Module:
    """Convert an escnn or e2cnn model, or part of one, to our layers with the same weights and the same answers.

    Neither library is imported here. A layer or a ``SequentialModule`` of theirs becomes one of ours on plain tensors.
    A model of your own class is copied: each module of theirs in it is converted, and your ``forward`` runs unchanged,
    because a converted module takes a ``GeometricTensor`` and gives one back as long as your ``forward`` makes them. It
    takes plain tensors as well: leave ``GeometricTensor(x, type)`` and ``.tensor`` out of ``forward``, and the model
    needs their library no more.

    Understood are the planar layers of both libraries: convolutions with any rings, widths and cutoffs, transposed
    ones, normalisations, pointwise, norm, gated, concatenated, tensor-product, Fourier and induced non-linearities,
    all poolings, dropout, masks, up-sampling, restriction, and the modules that order fields. In training two differ:
    ``NormBatchNorm`` divides by the running variance and ours by that of the batch, and ``FieldDropout`` drops a field
    pixel by pixel and ours at all pixels.

    Args:
        module: the module, its weights as they are.

    Returns:
        The converted module, in the mode, the precision and on the device of the original; for a sequence a
        :class:`torch.nn.Sequential`.

    Raises:
        NotImplementedError: for what has no counterpart here, naming it.
    """
    name = kind(module)
    if name is None:
        return _copied(module)
    if name in CONTAINERS:
        ours = CONTAINERS[name](_each(from_escnn, module))
    elif name == "MultipleModule":
        ours = _branches(module)
    elif name in LAYERS:
        ours = LAYERS[name](module)
    else:
        raise NotImplementedError(f"cannot import {name}: build that part with equisym.nn and import the others")
    return _placed(ours, module).train(module.training)


def _placed(ours: nn.Module, theirs: nn.Module) -> nn.Module:
    """Ours on the device and in the precision of theirs."""
    tensors = [*theirs.parameters(), *theirs.buffers()]
    floats = [t for t in tensors if t.is_floating_point()]
    if floats:
        return ours.to(floats[0].device, floats[0].dtype)
    return ours.to(tensors[0].device) if tensors else ours


class Converted(nn.Sequential):
    """A converted module inside a model of your own: on plain tensors, and on theirs as long as it meets them.

    Args:
        ours: the converted module.
        out_type: what their module says of its output.
    """

    def __init__(self, ours: nn.Module, out_type: Any) -> None:
        super().__init__(*(ours if isinstance(ours, nn.Sequential) else [ours]))
        self.out_type = out_type

    def forward(self, input: Any, *more: Any) -> Any:
        if _wrapped(input):
            return type(input)(self(input.tensor, *(x.tensor for x in more)), self.out_type)
        return super().forward(torch.cat([input, *more], 1) if more else input)

    def to_plain(self) -> nn.Sequential:
        """The same function from torch.nn parts, on plain tensors alone."""
        return nn.Sequential(*(to_plain(part) for part in self)).train(self.training)


def _wrapped(x: Any) -> bool:
    return not isinstance(x, (Tensor, fx.Proxy)) and hasattr(x, "tensor")


def kind(module: Any) -> str | None:
    """The class of theirs that a module is of, without the suffix 2D; None for one with a forward of the user's own."""
    for ancestor in type(module).__mro__:
        if _theirs(ancestor):
            return ancestor.__name__.removesuffix("2D") if type(module).forward is ancestor.forward else None
    return None


def _theirs(anything: type) -> bool:
    return anything.__module__.split(".")[0] in LIBRARIES


def _copied(model: nn.Module) -> nn.Module:
    """A copy of a model of the user's own class, in which theirs are replaced wherever they are referred to."""
    known: dict[int, Any] = {id(module): _inside(module) for module in _outermost(model)}
    for module in model.modules():
        for value in vars(module).values():
            if _theirs(type(value)) and not isinstance(
                value, nn.Module
            ):  # types and spaces are values: kept, not copied
                known[id(value)] = value
    return copy.deepcopy(model, known)


def _inside(module: nn.Module) -> nn.Module:
    """A module of theirs inside a model of the user's own; a sequence may hold blocks of the user's again."""
    name = kind(module)
    if name is None:
        return _copied(module)
    whole = all(kind(part) or type(part).__module__.startswith("torch.") for part in module.modules())
    if name != "ModuleList" and (whole or name not in CONTAINERS):
        return Converted(from_escnn(module), module.out_type).train(module.training)
    return CONTAINERS[name](_each(_inside, module)).train(module.training)


def _each(convert: Callable[[nn.Module], nn.Module], container: nn.Module) -> list[nn.Module]:
    """The parts of a container converted: one that is there twice, which ``children`` names once, is one again."""
    parts = [part for part in container._modules.values() if part is not None]
    known = {part: convert(part) for part in parts}
    return [known[part] for part in parts]


def _outermost(model: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in model.children():
        found += [child] if kind(child) else _outermost(child)
    return found


def _branches(module: Any) -> FieldBranches2d:
    """``MultipleModule``: the fields with each label through a module, one label's after the other's."""
    branching, own = module.branching, field_type(module.in_type)
    whole = list(range(own.size))
    if branching.reshuffle_layer is not None:
        whole = branching.reshuffle_layer.indices.tolist()
    branches = []
    for number, labels in enumerate(module.merging._labels):
        channels: list[int] = []
        for label in labels:
            kept = getattr(branching, f"indices_{label}").tolist()
            channels += range(*kept) if branching._contiguous[label] else kept
        part = getattr(module.merging, f"submodule_{number}")
        branches.append((fields_of(own, [whole[c] for c in channels]), from_escnn(part)))
    return FieldBranches2d(own, branches)
