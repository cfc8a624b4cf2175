"""Runs inside the parity environment: compares our layers with escnn and e2cnn, and writes what it found as JSON.

<parity python> tests/parity/oracle.py OUT.json
"""

from __future__ import annotations

import copy
import json
import math
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

warnings.simplefilter("ignore")

import e2cnn.nn as e2nn  # noqa: E402
import escnn.nn as enn  # noqa: E402
from e2cnn import gspaces as e2spaces  # noqa: E402
from escnn import gspaces  # noqa: E402
from their_layers import convolutions, induced, layers, turned_mirrors  # noqa: E402
from their_networks import Digits, PlainDigits, Repeated, WideResNet, images, rotations  # noqa: E402

from equisym.groups import O2, SO2, C, D, Group, Irrep, PointGroup, irrep, irreps, regular  # noqa: E402
from equisym.nn import FieldType, SteerableConv2d, from_escnn, to_plain  # noqa: E402
from equisym.nn.steerable_kernel import steerable_basis  # noqa: E402


def mend_e2cnn() -> None:
    """Let e2cnn 0.2.3 induce representations with a newer numpy, and build a basis of one kernel with torch 2."""
    np.float = float  # pyright: ignore[reportAttributeAccessIssue]
    from e2cnn.nn.modules.r2_conv import basisexpansion_singleblock as block

    for name, boolean in (("np", bool), ("torch", torch.bool)):
        shim = types.SimpleNamespace(**vars(getattr(block, name)))
        shim.uint8 = boolean
        setattr(block, name, shim)


mend_e2cnn()

LIBRARIES = ((enn, gspaces, "escnn"), (e2nn, e2spaces, "e2cnn"))
GROUPS = (C(1), C(2), C(3), C(4), C(6), C(8), D(1), D(2), D(3), D(4), D(6), D(8), SO2, O2)


def space_of(group: Group):
    if isinstance(group, PointGroup):
        if group.mirrors:
            return gspaces.flipRot2dOnR2(group.n) if group.n > 1 else gspaces.flip2dOnR2()
        return gspaces.rot2dOnR2(group.n) if group.n > 1 else gspaces.trivialOnR2()
    return (gspaces.flipRot2dOnR2 if group.mirrors else gspaces.rot2dOnR2)(-1, maximum_frequency=6)


def their_irrep(space, part: Irrep):
    group = space.fibergroup
    if not part.group.mirrors:
        return group.irrep(part.frequency)
    if isinstance(part.group, PointGroup) and part.group.n == 1:
        return group.irrep(int(part.odd))
    return group.irrep(1 if part.size == 2 else int(part.odd), part.frequency)


def rows(kernels) -> np.ndarray:
    flat = np.asarray(kernels, dtype=float).reshape(len(kernels), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def spans() -> dict[str, list[str]]:
    """For every pair of irreps up to frequency 3 and every kernel size: is their space ours?"""
    wrong, pairs = [], 0
    for group in GROUPS:
        space = space_of(group)
        for k in (1, 3, 5, 7):
            for i in irreps(group, 3):
                for o in irreps(group, 3):
                    ours = steerable_basis(
                        irrep(group, i.frequency, odd=i.odd), irrep(group, o.frequency, odd=o.odd), k
                    )
                    types = [enn.FieldType(space, [their_irrep(space, p)]) for p in (i, o)]
                    try:
                        expand = enn.R2Conv(*types, k, bias=False, initialize=False)._basisexpansion
                        theirs = [expand(w).detach().numpy() for w in torch.eye(expand.dimension())]
                    except ValueError as error:
                        if "empty" not in str(error):
                            raise
                        theirs = []
                    pairs += 1
                    if len(ours) != len(theirs):
                        wrong.append(f"{i} to {o}, k={k}: {len(ours)} ours, {len(theirs)} theirs")
                    elif len(ours):
                        both = np.concatenate([rows(ours), rows(theirs)])
                        if np.linalg.matrix_rank(both, tol=1e-4) != len(ours):
                            wrong.append(f"{i} to {o}, k={k}: spans differ")
    return {"wrong": wrong, "pairs": [str(pairs)]}


def randomise(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        if "running_mean" in name or (isinstance(value, nn.Parameter) and "bias" in name):
            nn.init.normal_(value)
        elif "running_var" in name:
            nn.init.uniform_(value, 0.5, 2)
    return module


def error(theirs, in_type, ours: nn.Module, geometric) -> float:
    x = torch.randn(2, in_type.size, 9, 9, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs.eval()(geometric(x, in_type)).tensor
        return ((ours.eval()(x) - expected).abs().max() / expected.abs().max()).item()


def sequential(lib, space, regular_of, trivial_of):
    """A classifier's trunk in their parts: lift, norm, relu, pool, conv, norm, relu, dropout, group pooling."""
    image = lib.FieldType(space, 3 * [trivial_of(space)])
    first, second = (lib.FieldType(space, n * [regular_of(space)]) for n in (4, 6))
    layers = [
        lib.R2Conv(image, first, 5, padding=2, bias=False),
        lib.InnerBatchNorm(first),
        lib.ReLU(first, inplace=True),
        lib.PointwiseMaxPool(first, 3, 2, 1) if lib is e2nn else lib.PointwiseMaxPool2D(first, 3, 2, 1),
        lib.R2Conv(first, second, 3, padding=1, stride=2),
        lib.InnerBatchNorm(second),
        lib.ELU(second),
        lib.PointwiseDropout(second, 0.1),
        lib.R2Conv(second, second, 1),
        lib.GroupPooling(second),
    ]
    return image, randomise(lib.SequentialModule(*layers))


def imports() -> dict[str, float]:
    """Greatest relative difference between their outputs and those of the module that we make of theirs."""
    found = {}
    for lib, spaces, name in LIBRARIES:
        made = {
            "C4": spaces.rot2dOnR2(4) if lib is enn else spaces.Rot2dOnR2(4),
            "C8": spaces.rot2dOnR2(8) if lib is enn else spaces.Rot2dOnR2(8),
            "D4": spaces.flipRot2dOnR2(4) if lib is enn else spaces.FlipRot2dOnR2(4),
            "D6": spaces.flipRot2dOnR2(6) if lib is enn else spaces.FlipRot2dOnR2(6),
        }
        for label, space in made.items():
            image, trunk = sequential(lib, space, lambda s: s.regular_repr, lambda s: s.trivial_repr)
            found[f"{name} sequential {label}"] = error(trunk, image, from_escnn(trunk), lib.GeometricTensor)
            parts = [space.regular_repr, space.irrep(*([1, 1] if "D" in label else [1])), space.trivial_repr]
            both = lib.FieldType(space, parts + parts[:1])
            conv = randomise(lib.R2Conv(both, both, 5, padding=2))
            found[f"{name} R2Conv {label}"] = error(conv, both, from_escnn(conv), lib.GeometricTensor)
        for label, mirrors in (("SO2", False), ("O2", True)):
            maker = getattr(
                spaces,
                ("flipRot2dOnR2" if mirrors else "rot2dOnR2")
                if lib is enn
                else ("FlipRot2dOnR2" if mirrors else "Rot2dOnR2"),
            )
            space = maker(-1, maximum_frequency=4)
            parts = [space.irrep(*([1, k] if mirrors else [k])) for k in (1, 2)] + [space.trivial_repr]
            both = lib.FieldType(space, parts)
            conv = randomise(lib.R2Conv(both, both, 5, padding=2))
            found[f"{name} R2Conv {label}"] = error(conv, both, from_escnn(conv), lib.GeometricTensor)
    return found


def kinds() -> dict[str, dict[str, float]]:
    """The same for one module of every kind, and the equivariance error of ours once its weights have been changed."""
    found: dict[str, dict[str, float]] = {"errors": {}, "tuned": {}}
    for lib, spaces, name in LIBRARIES:
        makers = (convolutions, turned_mirrors, layers, *([induced] if lib is enn else []))
        for kind, (theirs, in_type) in [item for make in makers for item in make(lib, spaces).items()]:
            ours = from_escnn(randomise(theirs))
            side = () if kind == "Linear" else (13, 13)
            x = torch.randn(2, in_type.size, *side, generator=torch.Generator().manual_seed(1))
            found["errors"][f"{name} {kind}"] = apart(
                theirs.eval()(lib.GeometricTensor(x, in_type)).tensor, ours.eval()(x)
            )
            if isinstance(ours, SteerableConv2d):
                found["tuned"][f"{name} {kind}"] = symmetry_of_tuned(ours)
    return found


def apart(expected: torch.Tensor, found: torch.Tensor) -> float:
    """Greatest difference over the greatest value, or infinity for another shape."""
    return ((found - expected).abs().max() / expected.abs().max()).item() if found.shape == expected.shape else math.inf


def symmetry_of_tuned(layer: SteerableConv2d) -> float:
    """Error of the turns and reflections that keep the pixels, in float64, with other weights than those imported."""
    layer = layer.double()
    with torch.no_grad():
        layer.weight.normal_()
    x = torch.randn(1, layer.in_type.size, 15, 15, dtype=torch.float64)
    group, worst = layer.in_type.group, 0.0
    for g in range(group.order if isinstance(group, PointGroup) else 0):
        turns, flip = group.quarter_turns(g), g >= group.n
        if turns % 1:
            continue

        def moved(y, kind, turns=turns, flip=flip):
            y = kind.act_on_channels(y, turns * math.pi / 2, flip)
            return torch.rot90(y.flip(-1) if flip else y, int(turns), (-2, -1))

        worst = max(worst, apart(moved(layer(x), layer.out_type), layer(moved(x, layer.in_type))))
    return worst


def networks() -> dict[str, float]:
    """Whole models of a user's own classes: their forward as it is, and for one a forward on plain tensors."""
    found = {}
    for lib, spaces, name in LIBRARIES:
        for label, model, side in (
            ("tutorial network", Digits(lib, spaces), 29),
            ("wide residual network of mirrors", WideResNet(lib, spaces, flip=True), 33),
            ("wide residual network of rotations", WideResNet(lib, spaces, flip=False, blocks=2), 33),
            ("network of repeated layers", Repeated(lib, spaces), 9),
        ):
            x = images(1 if isinstance(model, Digits) else 3, side)
            ours, expected = from_escnn(randomise(model).eval()), model(x)
            found[f"{name} {label}"] = apart(expected, ours(x))
            if isinstance(model, Digits):
                plain = PlainDigits(ours).eval()
                found[f"{name} {label}, plain forward"] = apart(expected, plain(x))
                folded, double = to_plain(plain), from_escnn(copy.deepcopy(model).double())
                found[f"{name} {label}, in float64"] = apart(expected.double(), PlainDigits(double).eval()(x.double()))
                found[f"{name} {label}, folded"] = apart(expected, folded(x))
                found[f"{name} modules left"] = float(len(sources(plain) - {"torch", "equisym", "their_networks"}))
                found[f"{name} modules left, folded"] = float(len(sources(folded) - {"torch", "their_networks"}))
    return found


def refusals() -> dict[str, list[str]]:
    """What is said of modules that have no counterpart."""
    found: dict[str, list[str]] = {}
    for lib, spaces, name in LIBRARIES:
        space = rotations(lib, spaces, 4)
        fields = lib.FieldType(space, 2 * [space.regular_repr])
        gated = lib.FieldType(space, [space.irrep(1), space.trivial_repr])
        for module in (
            lib.VectorFieldNonLinearity(fields),
            lib.BranchingModule(fields, ["a", "b"]),
            lib.GatedNonLinearity1(gated, gates=["gated", "gate"], drop_gates=False),
        ):
            try:
                from_escnn(module)
            except NotImplementedError as error:
                found.setdefault(name, []).append(str(error))
    return found


def sources(model: nn.Module) -> set[str]:
    """The packages that a model's modules come from."""
    return {type(module).__module__.split(".")[0] for module in model.modules()}


def back() -> dict[str, float]:
    """Our weights in their layer: solve for their coefficients, compare outputs."""
    found = {}
    for group in (C(8), D(4), C(6)):
        fields = FieldType.of((3, regular(group)))
        torch.manual_seed(0)
        ours = SteerableConv2d(fields, fields, 5, padding=2, bias=False)
        space = space_of(group)
        types = enn.FieldType(space, 3 * [space.regular_repr])
        theirs = enn.R2Conv(types, types, 5, padding=2, bias=False)
        expand = theirs._basisexpansion
        basis = torch.stack([expand(w).detach().flatten() for w in torch.eye(expand.dimension())])
        with torch.no_grad():
            target = ours.filters()[0].flatten()
            theirs.weights.copy_(torch.linalg.lstsq(basis.T.double(), target[:, None].double()).solution[:, 0])
        found[str(group)] = error(theirs, types, ours, enn.GeometricTensor)
        found[f"{group} free weights"] = float(theirs.weights.numel() - ours.weight.numel())
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with Path(sys.argv[1]).open("w") as file:
        found = {"spans": spans(), "imports": imports(), "back": back()}
        with torch.no_grad():
            found |= {"kinds": kinds(), "networks": networks(), "refusals": refusals()}
            json.dump(found, file, indent=1)
